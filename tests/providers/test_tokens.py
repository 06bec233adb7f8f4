"""
Which of two refresh tokens is used: the one that changed last.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from monitor.config.registry import PROVIDERS
from monitor.config.renewal import aim_of, credential_of
from monitor.config.secret import Secret, SecretUnavailable
from monitor.providers.registry import with_newer_token
from monitor.providers.tokens import HandshakeTokens, LatestToken

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config.connections import Connection


def mark(value: str) -> str:
    return f"mark of {value}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("from-file")
    return path


@pytest.fixture
def configured(file: Path) -> Secret:
    return Secret({"file": str(file)})


def test_without_a_handshake_the_files_token_is_used(configured):
    assert LatestToken("a", configured, HandshakeTokens(mark)).reveal() == "from-file"


def test_a_token_of_a_handshake_is_used_from_then_on_and_for_its_connection_only(configured):
    held = HandshakeTokens(mark)

    kept = held.put("a", "new", configured)

    assert (kept.value, kept.file_fingerprint) == ("new", "mark of from-file")
    assert LatestToken("a", configured, held).reveal() == "new"
    assert LatestToken("b", configured, held).reveal() == "from-file"


def test_another_token_in_the_file_wins_even_if_the_first_one_comes_back(configured, file):
    held = HandshakeTokens(mark)
    held.put("a", "new", configured)
    token = LatestToken("a", configured, held)
    file.write_text("newer")

    assert token.refresh()
    assert token.reveal() == "newer"
    file.write_text("from-file")
    assert token.refresh()
    assert token.reveal() == "from-file"


def test_a_file_that_did_not_change_brings_nothing_new(configured):
    held = HandshakeTokens(mark)
    held.put("a", "new", configured)
    token = LatestToken("a", configured, held)
    token.reveal()

    assert not token.refresh()


def test_a_file_that_is_gone_takes_no_held_token_away(configured, file):
    held = HandshakeTokens(mark)
    held.put("a", "new", configured)
    file.unlink()

    token = LatestToken("a", Secret({"file": str(file)}), held)

    assert not token.refresh()
    assert token.reveal() == "new"
    with pytest.raises(SecretUnavailable):
        LatestToken("b", Secret({"file": str(file)}), held).refresh()


def test_a_token_shows_itself_nowhere(configured):
    held = HandshakeTokens(mark)
    kept = held.put("a", "new-secret", configured)

    assert "new-secret" not in f"{kept!r} {held!r} {LatestToken('a', configured, held)!r}"


def test_a_token_that_is_sent_elsewhere_counts_no_longer(configured):
    """
    It was given for one service: the owner of the file has pointed the connection at another.
    """
    held = HandshakeTokens(mark)
    held.put("a", "new", configured, "one service")
    assert LatestToken("a", configured, held, "one service").reveal() == "new"
    assert LatestToken("a", configured, held, "another").reveal() == "from-file"
    assert LatestToken("a", configured, held, "one service").reveal() == "from-file"


SOLDSCOPE = {"name": "a", "provider": "soldscope", "base_url": "https://one.example/", "token": "t"}
HTTP = {"name": "a", "provider": "http", "url": "https://one.example/", "token": "t"}


@pytest.mark.parametrize(
    ("former", "now", "is_newer"),
    [
        pytest.param(SOLDSCOPE, {}, True, id="as it was"),
        pytest.param(SOLDSCOPE, {"notes": "other"}, True, id="other notes"),
        pytest.param(SOLDSCOPE, {"base_url": "https://one.example/v2"}, True, id="another path"),
        pytest.param(SOLDSCOPE, {"token": "u"}, False, id="another token in the file"),
        pytest.param(SOLDSCOPE, {"base_url": "https://two.example/"}, False, id="another host"),
        pytest.param(SOLDSCOPE, {"auth": "header:X-Key"}, False, id="another header"),
        pytest.param(HTTP, {}, True, id="http as it was"),
        pytest.param(HTTP, {"url": "https://one.example:444/"}, False, id="another port"),
        pytest.param(HTTP, {"auth": "query:key"}, False, id="into the address"),
    ],
)
def test_a_token_connection_uses_what_a_link_brought_until_its_owner_has_another(
    former, now, is_newer
):
    before = connection_of(former)
    configured = credential_of(before)
    assert configured is not None
    held = HandshakeTokens(mark)
    held.put("a", "new", configured, aim_of(before))

    used = credential_of(with_newer_token(connection_of(former | now), held))

    assert used is not None
    assert used.reveal() == ("new" if is_newer else now.get("token", "t"))


def connection_of(values: dict[str, Any]) -> Connection:
    return PROVIDERS[values["provider"]].model_validate(values)


def test_what_has_no_token_is_left_as_it_is():
    countdown: dict[str, Any] = {
        "name": "a",
        "provider": "countdown",
        "authorized_on": date(2026, 1, 1),
    }
    public = {"name": "a", "provider": "http", "url": "https://one.example/"}
    held = HandshakeTokens(mark)
    held.put("a", "new", Secret("t"))
    for values in (countdown, public):
        assert credential_of(connection_of(values)) is None
        one = connection_of(values)
        assert with_newer_token(one, held) is one
