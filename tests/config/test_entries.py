"""
Entries as they are kept in rows: without their secrets, and the same when put together again.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.config.entries import (
    LATEST,
    SET,
    EntryUnusable,
    InlineSecrets,
    read_entry,
    take_apart,
    write_entries,
)
from monitor.config.load import load_config
from monitor.config.model import list_secrets
from monitor.config.values import Reading
from tests.command_line import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config.connections import Connection
    from monitor.config.model import Config
    from monitor.judge.connections import WrittenEntry

BAIT = "hunter2-hunter2-hunter2"
MINUTE = timedelta(minutes=1)

APPLICATION = """
[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.1"
client_secret = { env = "LWA" }
"""

SECRET = {
    "token": f'provider = "soldscope"\nbase_url = "https://a.example"\ntoken = "{BAIT}"',
    "password": f'provider = "http"\nurl = "https://a.example"\nauth = "basic"\n'
    f'username = "ana"\npassword = "{BAIT}"',
    "header": f'provider = "http"\nurl = "https://a.example"\nheaders = {{ X-Api-Key = "{BAIT}" }}',
    "authorization header": 'provider = "http"\nurl = "https://a.example"\n'
    f'headers = {{ authorization = "Bearer {BAIT}", Accept = "text/plain" }}',
    "preset": f'provider = "http"\npreset = "github"\ntoken = "{BAIT}"',
    "parameter": f'provider = "http"\nurl = "https://a.example/?api_key={BAIT}"',
    "user in an address": f'provider = "http"\nurl = "https://ana:{BAIT}@a.example/"',
    "proxy": f'provider = "http"\nurl = "https://a.example"\nproxy = "http://ana:{BAIT}@p.example"',
    "refresh token": f'provider = "amazon"\napplication = "our-app"\nregion = "na"\n'
    f'refresh_token = "Atzr|{BAIT}"\nmarketplaces = ["US", "CA"]',
    "renewal page": f'provider = "countdown"\nauthorized_on = 2026-01-15\n'
    f'renew_url = "https://a.example/?token={BAIT}"',
}

PLAIN = {
    "reference": 'provider = "soldscope"\nbase_url = "https://a.example"\ntoken = { env = "T" }',
    "file": 'provider = "soldscope"\nbase_url = "https://a.example"\ntoken = { file = "t" }\n'
    'every = "90s"\ntimeout = "15s"\ntags = ["a", "b"]\nenabled = false',
    "day": 'provider = "countdown"\nauthorized_on = 2026-01-15\nvalid_days = 30\nnotes = "é"',
    "instant": 'provider = "countdown"\nauthorized_on = 2026-01-15T12:00:00Z',
    "values of an answer": 'provider = "http"\nurl = "https://a.example"\nmethod = "HEAD"\n'
    "expect_status = [200, 204]",
    "json": 'provider = "http"\nurl = "https://a.example"\n'
    'expect_json = { "/ok" = true, "/n" = 1.5, "/set" = "true" }',
    "headers": 'provider = "http"\nurl = "https://a.example"\n'
    'headers = { X-Api-Key = { env = "K" }, Accept = "text/plain" }',
    "no proxy": 'provider = "http"\nurl = "https://a.example"\nproxy = ""\nca_file = "ca.pem"',
}


def load(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(f'{APPLICATION}\n[[connections]]\nname = "one"\n{text}\n')
    path.chmod(0o600)
    return load_config(path)


def put_together(config: Config, content: Any, secrets: Any) -> Connection:
    reading = Reading(config.path, LATEST, dict(os.environ), has_text_dates=True)
    return read_entry(
        json.loads(json.dumps(content)), secrets, reading, ("connections[{}]", 0), MINUTE
    )


@pytest.mark.parametrize("text", [*SECRET.values(), *PLAIN.values()], ids=[*SECRET, *PLAIN])
def test_an_entry_is_the_same_after_it_was_a_row(text, tmp_path):
    config = load(tmp_path, text)
    [one], [written] = config.connections, config.written
    again = put_together(config, *take_apart(written, one))
    assert again == one
    assert again.called_url == one.called_url


@pytest.mark.parametrize("text", SECRET.values(), ids=SECRET)
def test_no_secret_of_the_file_is_in_its_row(text, tmp_path):
    config = load(tmp_path, text)
    inline = InlineSecrets()
    [row] = write_entries(config, inline, lambda whole: str(len(whole)))
    content = json.dumps(row.write())
    assert BAIT not in content
    assert json.dumps(SET) in content
    assert BAIT in "".join(inline.of("one", row.digest).values())
    assert BAIT not in repr(inline)


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
def test_what_is_no_secret_stands_in_the_row(text, tmp_path):
    config = load(tmp_path, text)
    inline = InlineSecrets()
    [row] = write_entries(config, inline, lambda whole: whole)
    assert inline.of("one", row.digest) == {}


def test_every_connection_of_the_example_is_the_same_after_it_was_a_row():
    config = load_config(ROOT / "config.example.toml")
    for written, one in zip(config.written, config.connections, strict=True):
        assert put_together(config, *take_apart(written, one)) == one, one.name


def test_the_place_of_a_secret_is_that_in_the_file(tmp_path):
    config = load(tmp_path, PLAIN["reference"])
    [one], [written] = config.connections, config.written
    again = put_together(config, *take_apart(written, one))
    places = [secret.place for each in (one, again) for _, secret in list_secrets(each)]
    assert places == ["connections[0].token"] * 2


def test_another_secret_alone_makes_another_digest(tmp_path):
    rows: list[WrittenEntry] = []
    for token in ("one-token", "two-token"):
        text = f'provider = "soldscope"\nbase_url = "https://a.example"\ntoken = "{token}"'
        rows += write_entries(load(tmp_path, text), InlineSecrets(), lambda whole: whole[::-1])
    assert rows[0].write() == rows[1].write()
    assert rows[0].digest != rows[1].digest


UNUSABLE: dict[str, tuple[Any, str]] = {
    "no table": ([None], "the row holds no table"),
    "no provider": ({"name": "one"}, 'no provider is called "None"'),
    "unknown provider": ({"name": "one", "provider": "other"}, 'no provider is called "other"'),
    "a key that is gone": (
        {"name": "one", "provider": "countdown", "authorized_on": "2026-01-15", "colour": BAIT},
        "these keys are not accepted: colour",
    ),
    "a secret that is not there": (
        {
            "name": "one",
            "provider": "soldscope",
            "base_url": "https://a.example",
            "token": {"set": True},
        },
        "these keys are not accepted: token",
    ),
    "no date": (
        {"name": "one", "provider": "countdown", "authorized_on": BAIT},
        "these keys are not accepted: authorized_on",
    ),
}


@pytest.mark.parametrize(("content", "said"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_row_that_makes_no_connection_is_refused_without_its_values(content, said, tmp_path):
    config = load(tmp_path, PLAIN["day"])
    with pytest.raises(EntryUnusable) as caught:
        put_together(config, content, {})
    assert str(caught.value) == said
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_reading_that_is_about_to_come_into_force_is_known_to_the_one_before():
    before, after = InlineSecrets(), InlineSecrets()
    before.keep("one", "old", {("token",): "a"})
    after.keep("one", "new", {("token",): "b"})
    assert before.of("one", "new") == {}
    before.follow(after)
    assert before.of("one", "new") == {("token",): "b"}
    assert before.of("one", "old") == {("token",): "a"}
