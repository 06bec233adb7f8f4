"""
Which of two refresh tokens is used: the one that changed last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.config.secret import Secret, SecretUnavailable
from monitor.providers.tokens import HandshakeTokens, LatestToken

if TYPE_CHECKING:
    from pathlib import Path


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
