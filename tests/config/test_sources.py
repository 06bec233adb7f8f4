"""
The tables `[[sources]]`: what they take, what they refuse and where, and what nobody sees.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.describe import list_settings
from monitor.config.diff import compare
from monitor.config.errors import ConfigError
from monitor.config.load import build_config
from monitor.config.remarks import check_secrets, exposed_secrets, notices
from monitor.config.sources import (
    FileSource,
    HttpSource,
    SecretTemplate,
    SqlSource,
    check_database_url,
)
from monitor.config.values import Reading

if TYPE_CHECKING:
    from monitor.config.model import Config

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
FILE = {"name": "stores", "kind": "file", "path": "stores.jsonl"}
HTTP = {"name": "crm", "kind": "http", "url": "https://crm.example.com/list"}
SQL = {"name": "db", "kind": "sql", "url": {"env": "DB"}, "query": "select 1"}
APP = {"name": "app", "client_id": "amzn1.application-oa2-client.1", "client_secret": {"env": "S"}}
AMAZON = {"provider": "amazon", "application": "app"}


def build(*sources: dict[str, Any], is_private: bool = True, **tables: Any) -> Config:
    reading = Reading(Path("/etc/connwatch/config.toml"), NOON, {}, is_private=is_private)
    return build_config({"sources": list(sources), **tables}, reading)


def problems(*sources: dict[str, Any], **tables: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        build(*sources, **tables)
    return [str(each) for each in caught.value.problems]


def test_what_is_left_out_has_its_default():
    source = build(FILE).sources[0]
    assert isinstance(source, FileSource)
    assert source.path == Path("/etc/connwatch/stores.jsonl")
    assert (source.every, source.remove_after) == (timedelta(minutes=1), timedelta(hours=1))
    assert (source.prefix, source.most_removed, source.template) == ("", 0.1, None)
    assert source.written_defaults == {}


def test_each_kind_has_keys_of_its_own():
    http, sql = build({**HTTP, "token": {"env": "T"}, "auth": "header:X-Key"}, SQL).sources
    assert isinstance(http, HttpSource)
    assert isinstance(sql, SqlSource)
    assert http.auth == "header:X-Key"
    assert sql.query == "select 1"


def test_defaults_are_kept_as_they_are_written():
    defaults = {
        **AMAZON,
        "refresh_token": {"file": "secrets/one"},
        "proxy": "http://u:hunter2@p:1",
        "tags": ["a"],
    }
    source = build({**FILE, "defaults": defaults}, applications=[APP]).sources[0]
    assert source.written_defaults == defaults


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no kind": ({"name": "s"}, "sources[0].kind: required and missing"),
    "a kind that is none": ({**FILE, "kind": "sq"}, 'sources[0].kind: unknown kind "sq"'),
    "a kind that is a number": ({**FILE, "kind": 3}, "sources[0].kind: a text in quotes"),
    "a key of another kind": (
        {**FILE, "token": "x"},
        'sources[0].token: goes with kind = "http" only',
    ),
    "a key of two others": (
        {**FILE, "url": "x"},
        'sources[0].url: goes with kind = "http", "sql" only',
    ),
    "an unknown key": (
        {**FILE, "evry": "1m"},
        'sources[0].evry: unknown key; did you mean "every"',
    ),
    "no path": ({"name": "s", "kind": "file"}, "sources[0].path: required and missing"),
    "an empty path": ({**FILE, "path": " "}, "sources[0].path: the path is empty"),
    "no url": ({"name": "s", "kind": "http"}, "sources[0].url: required and missing"),
    "no query": ({**SQL, "query": " "}, "sources[0].query: empty"),
    "too often": ({**FILE, "every": "9s"}, "sources[0].every: at least 10s, got 9s"),
    "at once": ({**FILE, "remove_after": "0s"}, "sources[0].remove_after: at least 1s"),
    "the name of the file": ({**FILE, "name": "file"}, 'sources[0].name: "file" is the owner'),
    "the name of the dashboard": (
        {**FILE, "name": "dashboard"},
        'sources[0].name: "dashboard" is the owner',
    ),
    "a name with a slash": ({**FILE, "name": "a/b"}, "sources[0].name: no slashes"),
    "a percentage as a number": (
        {**FILE, "max_removed": 10},
        'sources[0].max_removed: a percentage from "0%" to "100%"',
    ),
    "a percentage without its sign": (
        {**FILE, "max_removed": "10"},
        "sources[0].max_removed: a pe",
    ),
    "more than all": ({**FILE, "max_removed": "101%"}, "sources[0].max_removed: a percentage"),
    "less than nothing": ({**FILE, "max_removed": "-1%"}, "sources[0].max_removed: a percentage"),
    "a prefix with a slash": ({**FILE, "prefix": "a/"}, "sources[0].prefix: it begins the name"),
    "a prefix that is long": ({**FILE, "prefix": "a" * 51}, "sources[0].prefix: at most 50"),
    "a prefix that is a list": ({**FILE, "prefix": ["a"]}, "sources[0].prefix: a text in quotes"),
    "plain http": ({**HTTP, "url": "http://crm.example.com"}, "sources[0].url: plain http"),
    "auth without a token": ({**HTTP, "auth": "bearer"}, "sources[0].token: required and missing"),
    "an unknown auth": ({**HTTP, "auth": "digest"}, 'sources[0].auth: write "bearer"'),
    "headers that are a text": ({**HTTP, "headers": "a"}, "sources[0].headers: a table"),
    "a secret that is a text": ({**FILE, "secret": "x"}, "sources[0].secret: a table with {name}"),
    "a secret of two places": (
        {**FILE, "secret": {"file": "a", "env": "b"}},
        "sources[0].secret: exactly one source",
    ),
    "an unknown placeholder": (
        {**FILE, "secret": {"file": "s/{nme}"}},
        'sources[0].secret.file: unknown placeholder "{nme}"; did you mean "name"?',
    ),
    "an unknown placeholder in a command": (
        {**FILE, "secret": {"command": ["op", "{id}"]}},
        'sources[0].secret.command: unknown placeholder "{id}"; known: {name}, {NAME}',
    ),
    "half a placeholder": (
        {**FILE, "secret": {"file": "s/{name"}},
        "sources[0].secret.file: a brace without its other one",
    ),
    "defaults that are a list": ({**FILE, "defaults": []}, "sources[0].defaults: a table of keys"),
    "an unknown default": (
        {**FILE, "defaults": {"provider": "http", "regon": "eu"}},
        "sources[0].defaults.regon: unknown key",
    ),
    "a default of another provider": (
        {**FILE, "defaults": {"provider": "http", "region": "eu"}},
        "sources[0].defaults.region: unknown key",
    ),
    "a name for all": ({**FILE, "defaults": {"name": "a"}}, "sources[0].defaults.name: each row"),
    "an unknown provider": (
        {**FILE, "defaults": {"provider": "amazn"}},
        'sources[0].defaults.provider: unknown provider "amazn"',
    ),
    "a default of a bad value": (
        {**FILE, "defaults": {"provider": "amazon", "region": "xx"}},
        "sources[0].defaults.region: ",
    ),
    "a default below the minimum": (
        {**FILE, "defaults": {"every": "1s"}},
        "sources[0].defaults.every: at least 10s, got 1s",
    ),
    "an application that is none": (
        {**FILE, "defaults": AMAZON},
        'sources[0].defaults.application: "app" is not the name of any of [[applications]]',
    ),
    "a channel that is none": (
        {**FILE, "defaults": {"channels": ["ops"]}},
        'sources[0].defaults.channels[0]: "ops" is not the name of any of [[channels]]',
    ),
    "a secret of a wrong form": (
        {**FILE, "defaults": {"provider": "soldscope", "token": 3}},
        "sources[0].defaults.token: this is no secret",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said_at_its_place_and_once(case):
    source, expected = REFUSED[case]
    said = problems(source)
    assert len(said) == 1
    assert said[0].startswith(expected)


def test_two_sources_of_one_name_are_refused():
    assert problems(FILE, {**HTTP, "name": "stores"}) == [
        'sources[1].name: "stores" is already the name of sources[0]'
    ]


def test_all_that_is_wrong_is_said_at_once():
    said = problems({**FILE, "every": "1s", "max_removed": "x"}, {"name": "a", "kind": "sql"})
    assert [each.split(":")[0] for each in said] == [
        "sources[0].every",
        "sources[0].max_removed",
        "sources[1].url",
        "sources[1].query",
    ]


URLS = {
    "sqlite:///stores.db": True,
    "sqlite:////var/lib/stores.db": True,
    "postgresql://u:p@db/vendor": True,
    "postgresql+psycopg://db/vendor": True,
    "postgresql://": True,
    "postgresql+asyncpg://db/vendor": False,
    "mysql://db/vendor": False,
    "sqlite://": False,
    "https://example.com": False,
    "stores.db": False,
}


@pytest.mark.parametrize(("url", "is_good"), URLS.items())
def test_only_databases_that_can_be_read_are_taken(url, is_good):
    if is_good:
        check_database_url(url)
        return
    with pytest.raises(ValueError, match=r"no URL|driver|names no file") as caught:
        check_database_url(url)
    assert "vendor" not in str(caught.value)


FILLED: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "a file": ({"file": "secrets/{name}"}, "st-1.a", {"file": "secrets/st-1.a"}),
    "a variable": ({"env": "TOKEN_{NAME}"}, "st-1.a", {"env": "TOKEN_ST_1_A"}),
    "a command": (
        {"command": ["op", "read", "op://{name}/{NAME}"]},
        "a-b",
        {"command": ["op", "read", "op://a-b/A_B"]},
    ),
    "one for all": ({"credential": "shared"}, "x", {"credential": "shared"}),
}


@pytest.mark.parametrize("case", FILLED)
def test_the_name_of_a_row_is_put_into_its_secret(case):
    table, name, expected = FILLED[case]
    assert SecretTemplate(table).fill(name) == expected


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "-rf", ".hidden", "..", "a b", "ä", "a\n", "$(x)"]
)
def test_a_name_that_may_not_stand_in_a_secret_is_refused(name):
    with pytest.raises(ValueError, match="its secret is found by its name"):
        SecretTemplate({"file": "secrets/{name}"}).fill(name)


@given(st.text(max_size=30))
def test_no_name_leads_out_of_the_folder_of_secrets(name):
    try:
        filled = SecretTemplate({"file": "secrets/{name}"}).fill(name)
    except ValueError:
        return
    assert Path("/x", str(filled["file"])).resolve().parent == Path("/x/secrets")


CANARY = "hunter2-canary"
HOLDING: dict[str, dict[str, Any]] = {
    "a default": {**FILE, "defaults": {"provider": "soldscope", "token": CANARY}},
    "a proxy": {**FILE, "defaults": {"proxy": f"http://u:{CANARY}@p:1"}},
    "a header for all": {
        **FILE,
        "defaults": {"provider": "http", "headers": {"X-Api-Key": CANARY}},
    },
    "a token": {**HTTP, "token": CANARY},
    "a header": {**HTTP, "headers": {"X-Api-Key": CANARY}},
    "a database": {**SQL, "url": f"postgresql://u:{CANARY}@db/x"},
}


@pytest.mark.parametrize("case", HOLDING)
def test_no_secret_of_a_source_is_shown(case):
    config = build(HOLDING[case])
    shown = [
        repr(config),
        str(list_settings(config)),
        json.dumps(config.model_dump(mode="json")),
        config.model_dump_json(),
        repr(config.sources[0]),
        str(notices(config)),
        str(list(exposed_secrets(config))),
    ]
    assert CANARY not in "".join(shown)


@pytest.mark.parametrize("case", HOLDING)
def test_a_secret_in_a_file_that_others_may_read_is_refused(case):
    with pytest.raises(ConfigError) as caught:
        build(HOLDING[case], is_private=False)
    assert "a secret stands here" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_secrets_of_sources_are_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("DB", "mysql://hunter2@db/x")
    config = build(SQL, {**HTTP, "token": {"file": str(tmp_path / "none")}})
    said = [str(each) for each in check_secrets(config).problems]
    assert [each.split(":")[0] for each in said] == ["sources[0].url", "sources[1].token"]
    assert "hunter2" not in str(said)


def test_an_application_of_a_source_is_used():
    shared: dict[str, Any] = {"applications": [APP]}
    assert notices(build({**FILE, "defaults": AMAZON}, **shared)) == []
    assert notices(build({**FILE, "defaults": {"provider": "amazon"}}, **shared)) == []
    other = notices(
        build(
            {**FILE, "defaults": {**AMAZON, "application": "app2"}},
            applications=[APP, {**APP, "name": "app2"}],
        )
    )
    assert [each.place for each in other] == ["applications[0]"]


def test_a_changed_source_is_a_change_of_that_table():
    before = build(FILE)
    assert compare(before, build(FILE)).tables == ()
    for after in ({**FILE, "every": "2m"}, {**FILE, "defaults": {"tags": ["a"]}}, HTTP):
        assert compare(before, build(after)).tables == ("sources",)
