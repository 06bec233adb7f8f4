from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.providers.answers import read_body_end, read_header_end, read_jwt_end
from monitor.providers.fetcher import Answer

NOW = datetime(2026, 11, 22, 4, 0, 0, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
GITHUB = "github-authentication-token-expiration"


def jwt(claims: object) -> str:
    parts = ({"alg": "none"}, claims)
    encoded = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2ln"])


def answer(**headers: str) -> Answer:
    fields = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(200, httpx.Headers(fields), b"", 1.0, NOW)


@pytest.mark.parametrize("exp", [DECEMBER.timestamp(), int(DECEMBER.timestamp())])
def test_the_end_stands_in_a_jwt(exp):
    assert read_jwt_end(jwt({"exp": exp}), NOW) == DECEMBER


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": None},
        {"exp": "2026"},
        {"exp": True},
        {"exp": -1},
        {"exp": 5},
        {"exp": 1e300},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"exp": [1]},
        [1],
        "exp",
        None,
    ],
    ids=lambda claims: str(claims)[:30],
)
def test_a_jwt_without_a_believable_end_has_none(claims):
    assert read_jwt_end(jwt(claims), NOW) is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        "ghp_abc",
        "a.b",
        "a.b.c",
        "..",
        "a.%.c",
        "a.e30.c.d",
        "é.e30.c",
        "a." + "e" * 20_000 + ".c",
    ],
    ids=lambda token: ascii(token)[:20],
)
def test_what_is_no_jwt_has_no_end(token):
    assert read_jwt_end(token, NOW) is None


@given(
    st.text(max_size=60)
    | st.binary(max_size=60).map(
        lambda payload: f"e30.{urlsafe_b64encode(payload).decode().rstrip('=')}.x"
    )
)
def test_no_token_raises(token):
    read_jwt_end(token, NOW)


def test_a_hostile_token_is_read_in_no_time():
    started = time.process_time()
    nested = urlsafe_b64encode(b"[" * 9000).decode()

    assert read_jwt_end(f"a.{nested}.b", NOW) is None
    assert read_jwt_end("a." * 8000, NOW) is None
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-12-01 00:00:00 UTC", DECEMBER),
        ("2026-12-01 02:00:00 +0200", DECEMBER),
        ("2026-12-01", DECEMBER),
        ("never", None),
        ("", None),
        ("2026-11-22 04:01:30 UTC", None),
        ("2026-11-22 03:58:30 UTC", None),
    ],
)
def test_a_header_tells_the_end_unless_it_only_tells_the_time(text, end):
    assert read_header_end(answer(**{GITHUB.replace("-", "_"): text}), GITHUB) == end


def test_a_clock_that_is_wrong_there_moves_the_end_along():
    late = answer(date="Sun, 22 Nov 2026 05:00:00 GMT", x_end="2026-12-01 01:00:00 UTC")

    assert read_header_end(late, "x-end") == DECEMBER


def test_no_header_is_no_end():
    assert read_header_end(answer(), GITHUB) is None


@pytest.mark.parametrize(
    ("body", "end"),
    [
        ({"expires_at": "2026-12-01"}, DECEMBER),
        ({"expires_at": None}, None),
        ({"expires_at": 5}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_body_tells_the_end(body, end):
    assert read_body_end(answer(), body, "/expires_at") == end


def test_an_end_in_the_past_is_told_as_well():
    past = NOW - timedelta(days=3)

    assert read_jwt_end(jwt({"exp": past.timestamp()}), NOW) == past
