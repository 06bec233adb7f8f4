"""
What an owner other than the file may write of a channel, and what it is told otherwise.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from monitor.config.channels import (
    ChannelRules,
    describe_channel,
    list_connections,
    read_channel,
)
from monitor.config.entries import EntryUnusable
from monitor.config.load import load_config
from monitor.config.model import Config
from monitor.config.owners import EntryRefused
from monitor.config.secret import Secret, SecretUnavailable
from tests.fakes import NOON

if TYPE_CHECKING:
    from pathlib import Path

SET = {"set": True}
CANARY = "hunter2-canary"
URL = f"json://user:{CANARY}@example.com/hook"
OPS = {"name": "ops", "url": URL}
FULL = OPS | {
    "kinds": ["error", "expired"],
    "min_severity": "warning",
    "tags": ["eu"],
    "connections": ["acme"],
    "quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"},
    "digest": "daily",
    "timezone": "Europe/Berlin",
}


@pytest.fixture
def rules(tmp_path: Path) -> ChannelRules:
    path = tmp_path / "config.toml"
    path.write_text("")
    path.chmod(0o600)
    return ChannelRules(
        load_config(path), lambda text: hashlib.sha256(text.encode()).hexdigest(), NOON
    )


def test_the_url_is_taken_out_of_what_is_kept(rules):
    checked = rules.check(FULL, watched=["acme"])
    assert checked.content == FULL | {"url": SET}
    assert checked.url == URL
    assert checked.channel.url.reveal() == URL
    assert checked.channel.owner == "dashboard"
    assert CANARY not in repr(checked)


def test_a_stored_url_is_kept_and_the_same_channel_has_the_same_digest(rules):
    first = rules.check(OPS)
    again = rules.check(OPS | {"url": SET, "kinds": None}, first.url)
    assert (again.url, again.digest) == (URL, first.digest)
    assert rules.check(OPS | {"url": URL + "2"}).digest != first.digest


BAD: dict[str, tuple[Any, str, str]] = {
    "no object": ([], "", "JSON object"),
    "no url": ({"name": "ops"}, "url", "required and missing"),
    "a url that is not stored": (OPS | {"url": SET}, "url", "no secret is stored"),
    "a variable": (OPS | {"url": {"env": "HOME"}}, "url", "only the configuration file"),
    "a file": (OPS | {"url": {"file": "/etc/shadow"}}, "url", "only the configuration file"),
    "a program": (OPS | {"url": {"command": ["id"]}}, "url", "only the configuration file"),
    "set to something else": (OPS | {"url": {"set": 1, "x": 2}}, "url", "only the configuration"),
    "a number": (OPS | {"url": 7}, "url", "a text"),
    "a list": (OPS | {"url": [URL]}, "url", "a text"),
    "an empty url": (OPS | {"url": " "}, "url", "empty"),
    "a template": (OPS | {"template": "mail.j2"}, "template", "only the configuration file"),
    "an unknown key": (OPS | {"kidns": ["error"]}, "kidns", 'did you mean "kinds"'),
    "an unknown kind": (OPS | {"kinds": ["eror"]}, "kinds[0]", 'did you mean "error"'),
    "no kind": (OPS | {"kinds": []}, "kinds", "an empty list"),
    "an unknown severity": (OPS | {"min_severity": "bad"}, "min_severity", "critical"),
    "an unknown rhythm": (OPS | {"digest": "hourly"}, "digest", "daily"),
    "an unknown zone": (OPS | {"timezone": "Mars"}, "timezone", "Mars"),
    "quiet hours without an end": (
        OPS | {"quiet_hours": {"from": "22:00"}},
        "quiet_hours.to",
        "missing",
    ),
    "a connection that is not there": (
        OPS | {"connections": ["x"]},
        "connections[0]",
        '"x" is not',
    ),
    "tags that are none": (OPS | {"tags": "eu"}, "tags", "a list"),
    "a bad name": (OPS | {"name": "a/b"}, "name", "no slashes"),
    "the name of another": ({"url": URL}, "name", "required and missing"),
}


@pytest.mark.parametrize(("values", "place", "why"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_named(rules, values, place, why):
    with pytest.raises(EntryRefused) as refused:
        rules.check(values)
    found = dict(refused.value.problems)
    assert why in found[place]
    assert CANARY not in str(refused.value)


def test_all_that_is_wrong_is_said_at_once_and_each_once(rules):
    values = {"name": "ops", "url": {"env": "X"}, "template": "a", "digest": 1}
    with pytest.raises(EntryRefused) as refused:
        rules.check(values)
    assert [place for place, _ in refused.value.problems] == ["template", "url", "digest"]


def test_the_connections_that_it_names_are_found_whatever_is_sent():
    assert list_connections({"connections": ["a", 7, "b"]}) == ["a", "b"]
    tried: tuple[Any, ...] = ({"connections": "a"}, {}, [], None, {"connections": None})
    for values in tried:
        assert list_connections(values) == []


def test_a_row_means_what_was_checked(rules):
    checked = rules.check(FULL, watched=["acme"])
    channel = read_channel(checked.content, checked.url, Config())
    assert channel == checked.channel
    assert (channel.owner, channel.url.place) == ("dashboard", 'channel "ops".url')


@pytest.mark.parametrize(
    "content", [None, [], {"name": "ops", "kinds": ["no such"]}, {"url": SET}], ids=str
)
def test_a_row_that_means_nothing_says_so_without_the_url(content):
    with pytest.raises(EntryUnusable) as unusable:
        read_channel(content, URL, Config())
    assert CANARY not in str(unusable.value)


def test_a_url_that_cannot_be_decrypted_says_why():
    channel = read_channel({"name": "ops", "url": SET}, Secret.unreadable("another key"), Config())
    with pytest.raises(SecretUnavailable, match="another key"):
        channel.url.reveal()


def test_a_channel_of_the_file_is_shown_as_it_stands_there(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(
        '[[channels]]\nname = "ops"\nurl = { env = "OPS_URL" }\ntemplate = "mail.j2"\n'
        'kinds = ["resumed", "error"]\nquiet_hours = { from = "22:00", to = "07:00" }\n'
    )
    config = load_config(path)
    [channel] = config.channels
    assert channel.owner == "file"
    assert describe_channel(channel, config) == {
        "name": "ops",
        "url": SET,
        "template": "mail.j2",
        "kinds": ["error", "resumed"],
        "quiet_hours": {"from": "22:00", "to": "07:00"},
    }


def test_of_one_name_the_file_s_channel_counts(rules, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[[channels]]\nname = "ops"\nurl = { env = "OPS_URL" }\n')
    config = load_config(path)
    stored = [rules.check(OPS | {"name": name}).channel for name in ("ops", "more")]
    joined = config.with_channels(stored)
    assert [(one.name, one.owner) for one in joined.channels] == [
        ("ops", "file"),
        ("more", "dashboard"),
    ]
    assert joined.file_channels == config.channels
    assert joined.with_channels(()).channels == config.channels
    assert joined.path == config.path
