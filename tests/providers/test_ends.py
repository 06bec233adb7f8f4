from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.providers.ends import TokenEnd, read_body_end, read_header_end, read_jwt_end
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


SECONDS = int(DECEMBER.timestamp())

EXPS = {
    "seconds": SECONDS,
    "seconds with a fraction": DECEMBER.timestamp(),
    "milliseconds": SECONDS * 10**3,
    "milliseconds with a fraction": SECONDS * 1e3,
    "microseconds": SECONDS * 10**6,
    "nanoseconds": SECONDS * 10**9,
    "text": str(SECONDS),
    "text with a fraction": f"{SECONDS}.0",
    "text in milliseconds": str(SECONDS * 10**3),
    "text with spaces": f" {SECONDS} ",
    "a date": "2026-12-01",
    "RFC 3339": "2026-12-01T00:00:00Z",
    "RFC 3339 with an offset": "2026-12-01T02:00:00+02:00",
    "an HTTP-date": "Tue, 01 Dec 2026 00:00:00 GMT",
}


@pytest.mark.parametrize("exp", EXPS.values(), ids=EXPS)
def test_the_end_of_a_jwt_is_read_in_every_unit(exp):
    end = read_jwt_end(jwt({"exp": exp}), NOW)

    assert (end.at, end.unreadable) == (DECEMBER, None)


@pytest.mark.parametrize(
    "claims", [{}, {"exp": None}, {"iat": 5}], ids=lambda claims: str(claims)[:30]
)
def test_a_jwt_without_an_end_has_none(claims):
    end = read_jwt_end(jwt(claims), NOW)

    assert (end.at, end.unreadable) == (None, None)


UNREADABLE = {
    "a year": ("2026", "2026"),
    "a length": ("3600s", "3600s"),
    "a word": ("never", "never"),
    "nothing": ("", ""),
    "true": (True, "true"),
    "negative": (-1, "-1"),
    "minutes ago in 1970": (5, "5"),
    "zero": (0, "0"),
    "year 9999": (253402300799, "253402300799"),
    "year 9999 in words": ("9999-12-31", "9999-12-31"),
    "enormous": (1e300, "1e+300"),
    "no number": (float("nan"), "NaN"),
    "infinite": (float("inf"), "Infinity"),
    "400 digits": (10**400, "a number of more than 100 digits"),
    "a list": ([SECONDS], "a list"),
    "an object": ({"at": SECONDS}, "an object"),
    "a long text": ("x" * 5000, "x" * 100),
}


@pytest.mark.parametrize(("exp", "shown"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_end_that_cannot_be_read_is_named(exp, shown):
    assert read_jwt_end(jwt({"exp": exp}), NOW) == TokenEnd(
        "exp", "the claim `exp` of the token itself", None, shown
    )


@pytest.mark.parametrize(
    "payload", [b"[1]", b'"exp"', b"no JSON", b'{"exp": ' + b"1" * 5000 + b"}", b"[" * 9000]
)
def test_a_jwt_whose_claims_cannot_be_read_is_named(payload):
    head, _, signature = jwt({}).split(".")
    encoded = urlsafe_b64encode(payload).decode().rstrip("=")

    end = read_jwt_end(f"{head}.{encoded}.{signature}", NOW)

    assert (end.at, end.unreadable) == (None, "claims that are no JSON object")


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
    end = read_jwt_end(token, NOW)

    assert (end.at, end.unreadable) == (None, None)


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

    assert read_jwt_end(f"a.{nested}.b", NOW).at is None
    assert read_jwt_end("a." * 8000, NOW).at is None
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
    assert read_header_end(answer(**{GITHUB.replace("-", "_"): text}), GITHUB).at == end


def test_a_clock_that_is_wrong_there_moves_the_end_along():
    late = answer(date="Sun, 22 Nov 2026 05:00:00 GMT", x_end="2026-12-01 01:00:00 UTC")

    assert read_header_end(late, "x-end").at == DECEMBER


def test_no_header_is_no_end():
    assert read_header_end(answer(), GITHUB).unreadable is None


@pytest.mark.parametrize(
    ("texts", "end", "unreadable"),
    [
        (["2026-12-02", "2026-12-01"], DECEMBER, None),
        (["2026-12-01, 2026-12-02"], DECEMBER, None),
        (["Wed, 02 Dec 2026 00:00:00 GMT, 2026-12-01"], DECEMBER, None),
        (["soon", "2026-12-01"], DECEMBER, "soon"),
        ([str(SECONDS * 1000)], DECEMBER, None),
        (["9999-12-31"], None, "9999-12-31"),
        (["-1"], None, "-1"),
        (["December 1, 2026"], None, "December 1, 2026"),
    ],
)
def test_of_several_ends_in_headers_the_earliest_counts(texts, end, unreadable):
    said = Answer(200, httpx.Headers([("X-End", text) for text in texts]), b"", 1.0, NOW)

    assert read_header_end(said, "X-End") == TokenEnd(
        "X-End", "the header `X-End`", end, unreadable
    )


@pytest.mark.parametrize(
    ("body", "end", "unreadable"),
    [
        ({"expires_at": "2026-12-01"}, DECEMBER, None),
        ({"expires_at": SECONDS}, DECEMBER, None),
        ({"expires_at": SECONDS * 1000}, DECEMBER, None),
        ({"expires_at": float(SECONDS)}, DECEMBER, None),
        ({"expires_at": str(SECONDS)}, DECEMBER, None),
        ({"expires_at": None}, None, None),
        ({}, None, None),
        (None, None, None),
        ({"expires_at": 5}, None, "5"),
        ({"expires_at": -5}, None, "-5"),
        ({"expires_at": "never"}, None, "never"),
        ({"expires_at": "0000-00-00"}, None, "0000-00-00"),
        ({"expires_at": False}, None, "false"),
        ({"expires_at": []}, None, "a list"),
        ({"expires_at": 10**4000}, None, "a number of more than 100 digits"),
    ],
)
def test_the_body_tells_the_end(body, end, unreadable):
    found = read_body_end(answer(), body, "/expires_at")

    assert (found.at, found.unreadable) == (end, unreadable)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_no_value_raises(value):
    found = read_body_end(answer(), {"end": value}, "/end")

    assert found.at is None or found.unreadable is None
    if value is not None:
        assert (found.at is None) is not (found.unreadable is None)


def test_an_end_in_the_past_is_told_as_well():
    past = NOW - timedelta(days=3)

    assert read_jwt_end(jwt({"exp": past.timestamp()}), NOW).at == past
