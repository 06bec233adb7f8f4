"""
A daemon reads sources that are services: token, ETag, own addresses, and one that suddenly says [].
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from monitor.judge.sources import SourceState
from tests.engine.sources_stage import Stage
from tests.loopback import Handler, serve
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

SERVICE = """
[[sources]]
name = "stores"
kind = "http"
url = "http://127.0.0.1:{port}/stores"
every = "1h"
remove_after = "1s"
defaults = {{ provider = "countdown", authorized_on = 2026-01-15 }}
"""


class Crm:
    """
    What the service says, and what it was asked.
    """

    def __init__(self) -> None:
        self.names = ["a", "b"]
        self.status = 200
        self.asked: list[dict[str, str]] = []


@pytest.fixture
def crm() -> Iterator[tuple[Crm, int]]:
    crm = Crm()

    class Service(Handler):
        def do_GET(self) -> None:  # noqa: N802 - its name there
            crm.asked.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            body = json.dumps([{"name": name} for name in crm.names]).encode()
            tag = f'"{len(crm.names)}"'
            if self.headers.get("If-None-Match") == tag:
                self.answer(304)
                return
            kind = {"Content-Type": "application/json", "ETag": tag}
            self.answer(crm.status, body, kind)

    with serve(Service) as port:
        yield crm, port


FORMS = {
    "bearer": ('token = "hunter2"', "authorization", "Bearer hunter2"),
    "a header": ('token = "hunter2"\nauth = "header:X-Key"', "x-key", "hunter2"),
    "a parameter": ('token = "hunter2"\nauth = "query:key"', "path", "/stores?key=hunter2"),
    "a user": ('token = "hunter2"\nauth = "basic"', "authorization", "Basic aHVudGVyMjo="),
    "a header of one's own": ('headers = { X-Tenant = "acme" }', "x-tenant", "acme"),
}


@pytest.mark.parametrize("case", FORMS)
async def test_the_token_goes_as_the_file_says(case, crm, tmp_path):
    service, port = crm
    text, where, expected = FORMS[case]
    stage = Stage(tmp_path)
    stage.configure(SERVICE.format(port=port) + text)
    async with stage.running():
        assert (await stage.read()).rows == 2
    assert stage.names() == ["a", "b"]
    assert service.asked[-1][where] == expected


async def test_a_list_that_has_not_changed_is_a_good_reading(crm, tmp_path):
    service, port = crm
    stage = Stage(tmp_path)
    stage.configure(SERVICE.format(port=port))
    async with stage.running():
        await stage.read()
        memory = await stage.read()
        assert (memory.state, memory.rows) == (SourceState.OK, 2)
        assert service.asked[-1]["if-none-match"] == '"2"'
        assert stage.names() == ["a", "b"]
    async with stage.running():
        await stage.read()
        assert service.asked[-1]["if-none-match"] == '"2"', "it is known over a restart"
        stage.configure(SERVICE.format(port=port) + 'prefix = "st-"\n')
        stage.reload.set()
        await until(lambda: "st-a" in stage.names())
        assert "if-none-match" not in service.asked[-1], "rows mean something else by now"


async def test_a_service_that_suddenly_lists_nothing_removes_nothing(crm, tmp_path):
    service, port = crm
    stage = Stage(tmp_path)
    stage.configure(SERVICE.format(port=port))
    async with stage.running():
        await stage.read()
        service.names = []
        assert (await stage.read()).state is SourceState.HELD
    async with stage.running():
        assert (await stage.read()).state is SourceState.HELD
        assert stage.names() == ["a", "b"]
        assert "if-none-match" not in service.asked[-1]


@pytest.mark.parametrize("status", [401, 404, 500, 503])
async def test_a_service_that_fails_changes_nothing(status, crm, tmp_path):
    service, port = crm
    stage = Stage(tmp_path)
    stage.configure(SERVICE.format(port=port) + 'token = "hunter2"\n')
    async with stage.running():
        await stage.read()
        service.names, service.status = ["c"], status
        memory = await stage.read()
        assert (memory.state, memory.error) == (
            SourceState.FAILED,
            f"127.0.0.1 answered {status}",
        )
        assert stage.names() == ["a", "b"]
