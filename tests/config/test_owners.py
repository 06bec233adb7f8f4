"""
What an owner other than the file may write of a connection, and what it is told otherwise.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from monitor.config.load import load_config
from monitor.config.owners import EntryRefused, EntryRules, FormerEntry
from tests.fakes import NOON

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.1"
client_secret = { env = "SECRET" }

[[channels]]
name = "ops"
url = "json://example.com"
"""
TOKEN = {
    "name": "acme",
    "provider": "http",
    "url": "https://api.example.com/me",
    "token": "hunter2",
}
STORE = {
    "name": "st-1",
    "provider": "amazon",
    "application": "our-app",
    "region": "eu",
    "refresh_token": "Atzr|abc",
}
SET = {"set": True}


@pytest.fixture
def rules(tmp_path: Path) -> EntryRules:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    path.chmod(0o600)
    config = load_config(path).with_connections(())
    return EntryRules(config, lambda text: hashlib.sha256(text.encode()).hexdigest(), NOON)


def test_secrets_are_taken_out_of_what_is_kept(rules):
    checked = rules.check(TOKEN)
    assert checked.content == TOKEN | {"token": SET}
    assert checked.secrets == {("token",): "hunter2"}
    assert "hunter2" not in repr(checked)
    assert checked.connection.name == "acme"


def test_null_is_as_if_the_key_were_not_there(rules):
    assert rules.check(TOKEN | {"every": None}).content == rules.check(TOKEN).content


def test_a_stored_secret_is_kept_and_the_same_entry_has_the_same_digest(rules):
    first = rules.check(TOKEN)
    former = FormerEntry(first.content, first.secrets)
    again = rules.check(TOKEN | {"token": SET}, former)
    assert again.secrets == first.secrets
    assert again.digest == first.digest
    assert rules.check(TOKEN | {"token": "another"}, former).digest != first.digest


def _problems(rules: EntryRules, values: Any, **more: Any) -> dict[str, str]:
    with pytest.raises(EntryRefused) as caught:
        rules.check(values, **more)
    assert "hunter2" not in str(caught.value)
    return dict(caught.value.problems)


AIMED = {
    "url: another host": {"url": "https://other.example.com/me"},
    "url: another port": {"url": "https://api.example.com:8443/me"},
    "url: another scheme": {"url": "http://api.example.com/me"},
    "auth": {"auth": "header:X-Key"},
    "preset": {"preset": "github"},
}


@pytest.mark.parametrize("change", AIMED.values(), ids=AIMED)
def test_what_points_a_connection_elsewhere_drops_its_secrets(rules, change):
    first = rules.check(TOKEN)
    former = FormerEntry(first.content, first.secrets)
    key = next(iter(change))
    problems = _problems(rules, TOKEN | change | {"token": SET}, former=former)
    assert problems["token"] == f"must be sent again, since {key} was changed"
    assert rules.check(TOKEN | change | {"url": TOKEN["url"]} | {"token": "new"}, former)


@pytest.mark.parametrize(
    "change",
    [{"url": "https://API.example.com:443/other?page=2"}, {"auth": "bearer"}, {"every": "1h"}],
    ids=["path", "the default", "rhythm"],
)
def test_what_points_nowhere_else_keeps_them(rules, change):
    first = rules.check(TOKEN)
    former = FormerEntry(first.content, first.secrets)
    again = rules.check(TOKEN | change | {"token": SET}, former)
    assert again.secrets == first.secrets


REFUSED: dict[str, tuple[Any, str, str]] = {
    "no object": ([], "", "a connection is a JSON object"),
    "no provider": ({"name": "a"}, "provider", "required and missing"),
    "another provider": (TOKEN | {"provider": "htp"}, "provider", 'did you mean "http"?'),
    "a number as provider": (TOKEN | {"provider": 7}, "provider", "a text in quotes"),
    "an unknown key": (TOKEN | {"tokn": "a"}, "tokn", 'unknown key; did you mean "token"?'),
    "a file of this machine": (TOKEN | {"ca_file": "/etc/hosts"}, "ca_file", "only the config"),
    "a proxy": (TOKEN | {"proxy": "http://a:1"}, "proxy", "only the configuration file"),
    "an endpoint": (STORE | {"endpoint": "https://a.example"}, "endpoint", "only the config"),
    "an address for tokens": (STORE | {"token_url": "https://a"}, "token_url", "only the config"),
    "a secret in a file": (
        TOKEN | {"token": {"file": "/etc/shadow"}},
        "token",
        "only the configuration file may say where a secret is kept",
    ),
    "a secret of a program": (TOKEN | {"token": {"command": ["id"]}}, "token", "only the config"),
    "a secret of the environment, in a header": (
        TOKEN | {"headers": {"X-Key": {"env": "HOME"}}},
        "headers.X-Key",
        "only the configuration file",
    ),
    "a number": (TOKEN | {"token": 7}, "token", "a secret is a text"),
    "true": (STORE | {"refresh_token": True}, "refresh_token", "a secret is a text"),
    "a number in a header": (TOKEN | {"headers": {"X-Key": 7}}, "headers.X-Key", "is a text"),
    "set is false": (TOKEN | {"token": {"set": False}}, "token", "only the configuration file"),
    "nothing is stored": (TOKEN | {"token": SET}, "token", "no secret is stored here"),
    "a region that is none": (STORE | {"region": "xx"}, "region", 'one of "na", "eu", "fe"'),
    "an application that is none": (
        STORE | {"application": "our-ap"},
        "application",
        'did you mean "our-app"?',
    ),
    "a channel that is none": (TOKEN | {"channels": ["op"]}, "channels[0]", 'did you mean "ops"?'),
    "a marketplace elsewhere": (
        STORE | {"marketplaces": ["US"]},
        "marketplaces[0]",
        "belongs to region",
    ),
    "longer than its rhythm": (
        TOKEN | {"every": "10s", "timeout": "20s"},
        "timeout",
        "at most `every` (10s)",
    ),
    "a token in quotation marks": (TOKEN | {"token": '"abc"'}, "token", "in quotation marks"),
    "a token of another kind": (
        STORE | {"refresh_token": "Atza|abc"},
        "refresh_token",
        "an access token",
    ),
    "a secret in the address": (
        TOKEN | {"url": "https://api.example.com/?api_key=hunter2"},
        "url",
        'contains a secret in its parameter "api_key"',
    ),
    "a secret in a header": (
        TOKEN | {"headers": {"Cookie": "hunter2"}},
        "headers.Cookie",
        'a secret stands here as plain text: use auth = "header:Cookie" and token',
    ),
    "a date of another form": (
        STORE | {"authorized_on": "15.1.2026"},
        "authorized_on",
        "a date such as 2026-01-15, got a text",
    ),
    "a date to come": (STORE | {"authorized_on": "2999-01-01"}, "authorized_on", "in the future"),
}


@pytest.mark.parametrize(("values", "place", "why"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_named_with_its_place(rules, values, place, why):
    assert why in _problems(rules, values)[place]


def test_all_mistakes_are_named_at_once(rules):
    problems = _problems(rules, STORE | {"region": "xx", "application": "none", "every": "5s"})
    assert problems.keys() == {"region", "application", "every"}


def test_what_the_file_says_for_all_rows_may_be_anything(rules):
    trusted = {"provider": "http", "url": TOKEN["url"], "token": {"env": "TOKEN"}, "proxy": ""}
    checked = rules.check({"name": "acme"}, trusted=trusted)
    assert checked.content["token"] == {"env": "TOKEN"}
    assert checked.secrets == {}
    own = rules.check({"name": "acme", "token": "hunter2"}, trusted=trusted)
    assert own.secrets == {("token",): "hunter2"}


def test_a_row_may_not_say_what_only_the_file_may_even_where_the_file_does(rules):
    trusted = {"provider": "http", "url": TOKEN["url"], "proxy": "", "token": {"env": "TOKEN"}}
    for key, value in (("proxy", "http://10.0.0.1:80"), ("token", {"env": "HOME"})):
        assert (
            "only the configuration file"
            in _problems(rules, {"name": "acme", key: value}, trusted=trusted)[key]
        )


def test_a_secret_that_no_key_reads_any_more_is_not_said_to_be_missing(rules):
    former = FormerEntry(rules.check(TOKEN).content, {}, is_unreadable=True)
    problems = _problems(rules, TOKEN | {"token": SET}, former=former)
    assert "cannot be decrypted" in problems["token"]
    assert rules.check(TOKEN, former).secrets == {("token",): "hunter2"}
