from __future__ import annotations

import copy
import json
import os
import pickle
import threading

import pytest
from pydantic import BaseModel

from monitor.config.addresses import MASK
from monitor.config.secret import CredentialsInvisible, Secret, SecretUnavailable

BAIT = "hunter2"


class Holder(BaseModel):
    token: Secret


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "token"
    path.write_text(BAIT + "\n", encoding="utf-8")
    return path


def test_literal_is_revealed():
    assert Secret(BAIT).reveal() == BAIT


def test_environment_variable_is_read_when_revealed_and_not_before(monkeypatch):
    secret = Secret({"env": "TOKEN"})
    monkeypatch.setenv("TOKEN", BAIT)
    assert secret.reveal() == BAIT


def test_relative_file_is_taken_from_the_folder_given(file):
    assert Secret({"file": "token"}, file.parent).reveal() == BAIT


def test_credential_is_read_from_the_folder_of_systemd(file, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(file.parent))
    assert Secret({"credential": "token"}).reveal() == BAIT


def test_pipe_with_an_unsound_secret_is_read_once_and_refused_every_time(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("a\nb",))
    writer.start()
    secret = Secret({"file": str(path)})
    for _ in range(2):
        with pytest.raises(SecretUnavailable, match="line break"):
            secret.reveal()
    writer.join()


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("x", "x"),
        ("x\n", "x"),
        ("x\r\n", "x"),
        (" x y \n", " x y "),
        ("ключ\n", "ключ"),
    ],
)
def test_one_line_break_at_the_end_of_a_file_is_cut_off(file, content, value):
    file.write_bytes(content.encode())
    assert Secret({"file": str(file)}).reveal() == value


@pytest.mark.parametrize(
    "content",
    [b"x\n\n", b"x\r", b"x\ny\n", b"x\0", b"x\x7f", b"\xc2\x85x", b"x\xe2\x80\xa8y", b"\xff\xfe"],
)
def test_file_with_control_characters_is_refused_without_showing_it(file, content):
    file.write_bytes(BAIT.encode() + content)
    with pytest.raises(SecretUnavailable, match="control character") as caught:
        Secret({"file": str(file)}).reveal()
    assert BAIT not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("content", ["", "\n", "  \n"])
def test_empty_file_is_refused(file, content):
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SecretUnavailable, match="the secret is empty"):
        Secret({"file": str(file)}).reveal()


def test_file_too_large_to_be_a_secret_is_refused(file):
    file.write_bytes(b"x" * 70_000)
    with pytest.raises(SecretUnavailable, match="64 KiB"):
        Secret({"file": str(file)}).reveal()


def test_absent_file_is_named(tmp_path):
    path = tmp_path / "nowhere"
    with pytest.raises(SecretUnavailable) as caught:
        Secret({"file": str(path)}).reveal()
    assert str(caught.value) == f"file {path}: {path} cannot be read: No such file or directory"


def test_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(SecretUnavailable, match="Is a directory"):
        Secret({"file": str(tmp_path)}).reveal()


def test_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("TOKEN", raising=False)
    with pytest.raises(SecretUnavailable, match=r"^env TOKEN: this environment variable is not"):
        Secret({"env": "TOKEN"}).reveal()


def test_empty_variable_is_named(monkeypatch):
    monkeypatch.setenv("TOKEN", "")
    with pytest.raises(SecretUnavailable, match=r"^env TOKEN: the secret is empty$"):
        Secret({"env": "TOKEN"}).reveal()


def test_credential_outside_the_unit_is_told_apart():
    with pytest.raises(CredentialsInvisible, match=r"^credential token: not visible from here"):
        Secret({"credential": "token"}).reveal()


def test_credential_missing_inside_the_unit_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(SecretUnavailable, match="No such file") as caught:
        Secret({"credential": "token"}).reveal()
    assert not isinstance(caught.value, CredentialsInvisible)


def test_value_is_kept_until_it_is_refreshed(file):
    secret = Secret({"file": str(file)})
    secret.reveal()
    file.write_text("new", encoding="utf-8")
    assert secret.reveal() == BAIT
    assert secret.refresh()
    assert secret.reveal() == "new"
    assert not secret.refresh()


def test_first_reading_is_no_change(file):
    assert not Secret({"file": str(file)}).refresh()


def test_refreshing_a_file_that_went_away_keeps_the_value(file):
    secret = Secret({"file": str(file)})
    secret.reveal()
    file.unlink()
    with pytest.raises(SecretUnavailable):
        secret.refresh()
    assert secret.reveal() == BAIT


def test_literals_and_variables_do_not_change(monkeypatch):
    monkeypatch.setenv("TOKEN", BAIT)
    secret = Secret({"env": "TOKEN"})
    secret.reveal()
    monkeypatch.setenv("TOKEN", "new")
    assert not secret.refresh()
    assert not Secret(BAIT).refresh()
    assert secret.reveal() == BAIT


@pytest.mark.parametrize(
    ("written", "source"),
    [
        (BAIT, "literal"),
        ({"env": "OPS_SLACK_URL"}, "env OPS_SLACK_URL"),
        ({"file": "/run/token"}, "file /run/token"),
        ({"credential": "token"}, "credential token"),
    ],
)
def test_source_is_described(written, source):
    assert Secret(written).source == source


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "{:>20}".format,
        lambda secret: f"{secret!r:_<10}",
        lambda secret: repr(Holder(token=secret)),
        lambda secret: repr(Holder(token=secret).model_dump()),
        lambda secret: Holder(token=secret).model_dump_json(),
        lambda secret: json.dumps(secret, default=str, ensure_ascii=False),
        lambda secret: repr([secret, {"token": secret}]),
    ],
)
def test_however_it_is_shown_it_is_a_mask(show):
    shown = show(Secret(BAIT))
    assert BAIT not in shown
    assert MASK in shown


def test_model_dump_gives_the_mask():
    assert Holder(token=Secret(BAIT)).model_dump() == {"token": MASK}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_secret_cannot_be_pickled(protocol):
    with pytest.raises(TypeError):
        pickle.dumps(Secret(BAIT), protocol)


@pytest.mark.parametrize("leak", [vars, json.dumps, lambda secret: secret.__getstate__()])
def test_other_ways_out_are_closed(leak):
    with pytest.raises(TypeError):
        leak(Secret(BAIT))


def test_copies_are_the_secret_itself():
    secret = Secret(BAIT)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"token": secret})["token"] is secret


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("x", "x", True),
        ("x", "y", False),
        ("x", {"env": "x"}, False),
        ({"env": "A"}, {"env": "A"}, True),
        ({"env": "A"}, {"env": "B"}, False),
    ],
)
def test_secrets_are_the_same_if_written_the_same(one, other, same):
    assert (Secret(one) == Secret(other)) is same
    assert not same or hash(Secret(one)) == hash(Secret(other))


def test_secret_is_not_its_text():
    assert Secret(BAIT) != BAIT


@pytest.mark.parametrize("written", ["", " ", "a\nb", "a\r", "\x00", "a\u2028b", "\ud800"])
def test_unusable_literal_is_refused(written):
    with pytest.raises(ValueError, match=r"^the secret "):
        Secret(written)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({}, "exactly one source"),
        ({"env": "A", "file": "b"}, "exactly one source"),
        ({"evn": "A"}, 'did you mean "env"'),
        ({"vault": "A"}, "unknown key in this table: write"),
        ({"env": 5}, "a name or path in quotes"),
        ({"file": ""}, "a name or path in quotes"),
        ({"file": "a\0b"}, "a name or path in quotes"),
        ({"env": "A=B"}, "has no ="),
        ({"credential": "a/b"}, "not a path"),
        ({"credential": ".."}, "not a path"),
    ],
)
def test_wrong_table_is_refused(written, message):
    with pytest.raises(ValueError, match=message):
        Secret(written)


def refuse_bait(text: str) -> None:
    if text == BAIT:
        raise ValueError("not this one")


def test_what_a_secret_must_be_is_asked_wherever_it_is_read(file):
    secret = Secret({"file": str(file)}).require(refuse_bait)
    with pytest.raises(SecretUnavailable, match="not this one"):
        secret.reveal()
    file.write_text("another", encoding="utf-8")
    assert secret.reveal() == "another"
    file.write_text(BAIT, encoding="utf-8")
    with pytest.raises(SecretUnavailable, match="not this one"):
        secret.refresh()
    assert secret.reveal() == "another"


def test_a_literal_is_held_against_that_at_once():
    with pytest.raises(ValueError, match="not this one"):
        Secret(BAIT).require(refuse_bait)
