from __future__ import annotations

import os
import re
import stat
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.errors import ConfigError
from monitor.config.load import build_config, load_config
from monitor.config.remarks import notices
from monitor.config.secret import SourceKind
from monitor.config.starter import (
    CHANNELS,
    CONNECTIONS,
    SecretPlace,
    Table,
    starter_config,
    write_new,
)
from monitor.config.values import Reading

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BASE_URL = "https://api.example.com"


TOKEN = SecretPlace(SourceKind.ENV, "SOLDSCOPE_TOKEN")
SOLDSCOPE = Table(
    CONNECTIONS,
    {"name": "soldscope", "provider": "soldscope", "base_url": BASE_URL, "token": TOKEN},
)
CHANNEL = Table(
    CHANNELS, {"name": "ops", "url": SecretPlace(SourceKind.ENV, "CONNWATCH_CHANNEL_URL")}
)


def test_starter_file_can_be_used_as_it_is(tmp_path):
    path = tmp_path / "config.toml"
    write_new(path, starter_config([SOLDSCOPE, CHANNEL]))
    config = load_config(path)
    assert config.connections[0].name == "soldscope"
    assert [channel.url.source for channel in config.channels] == ["env CONNWATCH_CHANNEL_URL"]
    assert notices(config) == []


def test_starter_file_without_a_channel_shows_how_to_add_one():
    text = starter_config([SOLDSCOPE])
    assert "channels" not in tomllib.loads(text)
    added = text.replace("# [[", "[[").replace("# name", "name").replace("# url", "url")
    assert tomllib.loads(added)["channels"][0]["url"] == {"env": "CONNWATCH_CHANNEL_URL"}


def test_starter_file_shows_how_to_add_an_amazon_store_and_another_api():
    text = starter_config([SOLDSCOPE, CHANNEL])
    assert "applications" not in tomllib.loads(text)
    added = re.sub(r"(?m)^# (\[\[|\w+ = )", r"\1", text)
    config = build_config(tomllib.loads(added), Reading(Path("config.toml"), NOON, {}))
    assert [one.provider for one in config.connections] == ["soldscope", "amazon", "http"]
    assert notices(config) == []


def test_what_is_there_is_not_shown_again_as_a_comment():
    store = Table(CONNECTIONS, {"name": "a", "provider": "amazon"})
    api = Table(CONNECTIONS, {"name": "b", "provider": "http"})
    assert "# [[" not in starter_config([store, api, CHANNEL])


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.one_of(
    TEXT,
    st.dates(),
    st.builds(SecretPlace, st.sampled_from([SourceKind.ENV, SourceKind.FILE]), TEXT),
)


@given(st.dictionaries(st.sampled_from(["name", "url", "authorized_on", "token"]), VALUES))
def test_answers_arrive_unchanged_whatever_they_are(keys):
    text = starter_config([Table(CONNECTIONS, keys)])
    (read,) = tomllib.loads(text)["connections"]
    assert read == {
        key: {value.kind.value: value.value} if isinstance(value, SecretPlace) else value
        for key, value in keys.items()
    }


def test_a_secret_that_is_typed_in_is_written_as_it_is():
    text = starter_config(
        [Table(CONNECTIONS, {"token": SecretPlace(SourceKind.LITERAL, 'a"b\x7f')})]
    )
    assert tomllib.loads(text)["connections"] == [{"token": 'a"b\x7f'}]


def test_wrong_answer_is_told_by_loading():
    wrong = Table(CONNECTIONS, {**SOLDSCOPE.keys, "base_url": "http://api.example.com"})
    with pytest.raises(ConfigError, match=r"^connections\[0\]\.base_url: plain http"):
        build_config(tomllib.loads(starter_config([wrong])), Reading(Path("config.toml"), NOON, {}))


def test_new_file_belongs_to_its_owner_alone(tmp_path):
    path = tmp_path / "config.toml"
    before = os.umask(0)
    try:
        write_new(path, "[checks]\n")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text(encoding="utf-8") == "[checks]\n"


def test_existing_file_is_left_as_it_is(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="exists already and was not changed"):
        write_new(path, "new")
    assert path.read_text(encoding="utf-8") == "mine"


def test_link_that_leads_nowhere_is_not_followed(tmp_path):
    path = tmp_path / "config.toml"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="exists already"):
        write_new(path, "new")
    assert not (tmp_path / "elsewhere").exists()


def test_missing_folder_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be created: No such file or directory"):
        write_new(tmp_path / "nowhere" / "config.toml", "new")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_half_a_file_is_taken_away_again(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    open_for_real = os.open

    def open_and_fill(name, flags, mode):
        os.close(open_for_real(name, flags, mode))
        return open_for_real("/dev/full", os.O_WRONLY)

    monkeypatch.setattr(os, "open", open_and_fill)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        write_new(path, "new")
    assert not path.exists()
