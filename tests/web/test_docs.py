"""
Hold the answers against the description that programs are given.

schemathesis makes requests out of the OpenAPI document, sensible ones and
others, and looks whether each is answered as the document says.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from monitor.store import credentials
from monitor.web.docs import list_models, list_operations
from tests.builders import OK, OPS, REFUSED, Story, entry, plan_of
from tests.fakes import NOON
from tests.web_client import open_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI

    from monitor.store.engine import Database

PLAN = plan_of(entry("acme"), entry("beta"), channels=[OPS])
FILE = f'[web]\nkey = "{Fernet.generate_key().decode()}"\n' + "".join(
    f'[[connections]]\nname = "{name}"\nprovider = "soldscope"\n'
    'base_url = "https://api.example.com"\ntoken = "abc"\n'
    for name in ("acme", "beta")
)


@schemathesis.serializer("application/x-ndjson")
def write_lines(_context: object, value: Any) -> bytes:
    """
    Write a text as it is, and anything else as a line of JSON.
    """
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@pytest.fixture
def described(database: Database, tmp_path: Path) -> Iterator[tuple[FastAPI, str]]:
    story = Story.begin(database, PLAN)
    story.evaluate(NOON, acme=OK, beta=REFUSED)
    with database.write() as tx:
        token = credentials.add_api_token(tx, "ci", NOON)
    assert token is not None
    with asyncio.Runner() as runner:
        opened = open_file(database, tmp_path, FILE)
        web = runner.run(opened.__aenter__())
        try:
            yield web.app, token
        finally:
            runner.run(opened.__aexit__(None, None, None))


EXAMPLES = 15
BATCH = "/api/v1/connections:batch"
ENDLESS = "/api/v1/events"
"""A stream without an end is no answer that can be looked at."""


def test_every_answer_is_as_described(described):
    app, token = described
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=headers)
    # Not among those that it knows; a condition that fails says so before a body is read.
    others = (HTTPStatus.REQUEST_URI_TOO_LONG, HTTPStatus.PRECONDITION_FAILED)
    rejection = schema.config.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, *(str(int(one)) for one in others)]
    asked = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path == ENDLESS:
            continue
        asked.add(operation.path)
        for mode in GenerationMode:

            @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case):
                # No document can say which cursors there are, and which days are over; of lines,
                # each has an answer of its own.
                excluded = [positive_data_acceptance]
                if case.path == BATCH:
                    excluded.append(negative_data_rejection)
                case.call_and_validate(headers=headers, excluded_checks=excluded)

            try:
                ask()
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE  # nothing can be wrong with no parameter
    assert asked == app.openapi()["paths"].keys() - {ENDLESS}


def test_the_page_shows_every_path_and_object(described):
    app, _ = described
    described_paths = {(one["method"], one["path"]) for one in list_operations(app.openapi())}
    assert ("POST", "/api/v1/connections/{name}/validate") in described_paths
    assert ("GET", "/api/v1/events") in described_paths
    names = {one["name"] for one in list_models(app.openapi())}
    assert {"Connection", "Problem", "FieldProblem"} <= names


OBJECTS = (
    "Acknowledged Acknowledgement Advice Alert AlertList Alive Audit AuditRow Authorization"
    " BegunSilence Channel ChannelList Check Clock Configuration Connection ConnectionList"
    " EndedSilence"
    " Entry FieldProblem Group GroupList History InviteState LastCheck"
    " MadeInvite Maintenance Marketplace Mistake"
    " NewAcknowledgement NewInvite NewSilence NewTest Notification Order Problem"
    " Quota Ready Renewal Revived Scope Silence SilenceList State"
    " Step Summary Tested Transition Validation"
)


def test_the_objects_bear_the_names_that_programs_are_generated_from(described):
    app, _ = described
    assert sorted(app.openapi()["components"]["schemas"]) == sorted(OBJECTS.split())
