from __future__ import annotations

import base64
import json
import logging
import socket
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.config.http import HttpConnection
from monitor.judge.outcome import Outcome, QuotaReading, Reason
from monitor.providers.fetcher import MAX_BODY, Answer
from monitor.providers.http_api import ExpectedAnswer, HttpChecker, read_answer
from monitor.providers.quota_headers import QuotaReport
from tests.dialects import Asked, Reply, speaking
from tests.providers.wire import http_answer

pytestmark = pytest.mark.anyio

SECRET = "sk_live_/hunter2+A=="
JSON = {"Content-Type": "application/json"}


def settings_of(url: str, **more: Any) -> HttpConnection:
    return HttpConnection.model_validate({"name": "a", "provider": "http", "url": url} | more)


def checker_of(clients, url: str, **more: Any) -> HttpChecker:
    return HttpChecker(settings_of(url, **more), clients.get(), timedelta(seconds=5))


async def check(serve, clients, answer: bytes, **more: Any) -> Outcome:
    server = await serve.answers(answer)
    more = {"token": SECRET} | more
    return await checker_of(clients, f"http://127.0.0.1:{server.port}/v1/me", **more).check()


async def request_of(serve, clients, **more: Any) -> str:
    server = await serve.answers(http_answer())
    await checker_of(clients, f"http://127.0.0.1:{server.port}/v1/me?a=1", **more).check()
    request: bytes = server.requests[0]
    return request.decode()


def header(request: str, name: str) -> str | None:
    lines = [line.partition(": ") for line in request.split("\r\n")[1:]]
    return next((text for key, _, text in lines if key.lower() == name.lower()), None)


async def test_a_bearer_token_is_sent_as_such(serve, clients):
    request = await request_of(serve, clients, token=SECRET)

    assert request.startswith("GET /v1/me?a=1 HTTP/1.1\r\n")
    assert header(request, "Authorization") == f"Bearer {SECRET}"


async def test_a_user_and_a_password_are_sent_as_basic(serve, clients):
    request = await request_of(serve, clients, auth="basic", username="Zoë", password=SECRET)

    encoded = (header(request, "Authorization") or "").removeprefix("Basic ")
    assert base64.b64decode(encoded).decode() == f"Zoë:{SECRET}"


async def test_a_token_alone_is_the_user_of_basic(serve, clients):
    request = await request_of(serve, clients, auth="basic", token=SECRET)

    encoded = (header(request, "Authorization") or "").removeprefix("Basic ")
    assert base64.b64decode(encoded).decode() == f"{SECRET}:"


async def test_a_named_header_carries_the_bare_token(serve, clients):
    request = await request_of(serve, clients, auth="header:X-Key", token=SECRET)

    assert header(request, "X-Key") == SECRET
    assert header(request, "Authorization") is None


async def test_a_parameter_carries_the_token_encoded(serve, clients):
    request = await request_of(serve, clients, auth="query:key", token="a/b +&é=")

    target = request.partition(" HTTP/1.1")[0].removeprefix("GET ")
    assert parse_qs(urlsplit(target).query) == {"a": ["1"], "key": ["a/b +&é="]}


async def test_without_a_token_nothing_is_sent(serve, clients):
    request = await request_of(serve, clients)

    assert header(request, "Authorization") is None


async def test_headers_are_sent_and_may_be_secret(serve, clients, monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    headers = {"Accept": "text/csv", "X-Api-Key": {"env": "MY_KEY"}}

    request = await request_of(serve, clients, headers=headers)

    assert header(request, "Accept") == "text/csv"
    assert header(request, "X-Api-Key") == SECRET


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_every_method_is_sent_without_a_body(clients, method):
    with speaking("any", lambda _asked: Reply(200, {"id": 1})) as speaker:
        outcome = await checker_of(clients, speaker.url, method=method).check()

        assert outcome.reason is Reason.OK
        (asked,) = speaker.asked
        assert asked.method == method
        assert asked.headers.get("content-length", "0") == "0"
        assert "content-type" not in asked.headers


def gone(**headers: str) -> dict[str, str]:
    return {name.replace("_", "-"): text for name, text in headers.items()}


SCOPE = 'Bearer realm="x", error="insufficient_scope", scope="orders:read"'
VERDICTS = {
    "200": (http_answer(200, {"id": 1}), Reason.OK),
    "200, a list": (http_answer(200, [1]), Reason.OK),
    "200, empty": (http_answer(200, b"", {"Content-Type": "text/plain"}), Reason.OK),
    "200, empty object": (http_answer(200, {}), Reason.OK),
    "200, text": (http_answer(200, b"pong", {"Content-Type": "text/plain"}), Reason.OK),
    "200, long": (http_answer(200, b"[" + b"1," * MAX_BODY + b"1]"), Reason.OK),
    "200, a page": (
        http_answer(200, b"<p>Sorry", {"Content-Type": "text/html; charset=utf-8"}),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "200, a page in disguise": (
        http_answer(200, b"\n<!DOCTYPE html><p>Sorry", {"Content-Type": "text/plain"}),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "200, half a JSON": (http_answer(200, b'{"id": '), Reason.UNEXPECTED_RESPONSE),
    "200, an error inside": (
        http_answer(200, {"errors": [{"message": "no such field"}]}),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "200, throttled inside": (
        http_answer(200, {"errors": [{"message": "Throttled"}]}),
        Reason.THROTTLED,
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", Reason.UNEXPECTED_RESPONSE),
    "301": (
        http_answer(301, b"", {"Location": f"https://elsewhere.example/?t={SECRET}"}),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "400": (http_answer(400, {"error": "bad request"}), Reason.UNEXPECTED_RESPONSE),
    "401": (http_answer(401, {"message": "no"}), Reason.TOKEN_REJECTED),
    "402": (http_answer(402, {}), Reason.OK),
    "403": (http_answer(403, {"message": "no"}), Reason.PERMISSION_DENIED),
    "403, a page": (
        http_answer(403, b"<h1>Forbidden", {"Content-Type": "text/html"}),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "403, a page in disguise": (
        http_answer(403, b"<!DOCTYPE html><title>Just a moment"),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "403, a page that wants a pause": (
        http_answer(403, b"<html>", {"Content-Type": "text/html", "Retry-After": "9"}),
        Reason.THROTTLED,
    ),
    "403, JSON called a page": (
        http_answer(403, {"message": "no"}, {"Content-Type": "text/html"}),
        Reason.PERMISSION_DENIED,
    ),
    "403, text": (
        http_answer(403, b"RBAC: access denied", {"Content-Type": "text/plain"}),
        Reason.PERMISSION_DENIED,
    ),
    "403, daily limit": (
        http_answer(403, {"error": {"errors": [{"reason": "dailyLimitExceeded"}]}}),
        Reason.THROTTLED,
    ),
    "403, no money": (http_answer(403, {"title": "Insufficient credits"}), Reason.OK),
    "407": (
        http_answer(407, b"<h1>Proxy", {"Content-Type": "text/html"}),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "423": (http_answer(423, {"message": "locked"}), Reason.UNEXPECTED_RESPONSE),
    "429, no money": (http_answer(429, {"error": {"code": "insufficient_quota"}}), Reason.OK),
    "429, a page": (
        http_answer(429, b"<h1>billing", {"Content-Type": "text/html"}),
        Reason.THROTTLED,
    ),
    "511": (http_answer(511, b"<h1>Sign in", {"Content-Type": "text/html"}), Reason.SERVER_ERROR),
    "200, not ok": (http_answer(200, {"ok": False}), Reason.UNEXPECTED_RESPONSE),
    "200, not ok inside": (
        http_answer(200, {"data": {"success": False}}),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "200, nothing wrong": (http_answer(200, {"error": None, "errors": [], "ok": True}), Reason.OK),
    "403, scope": (http_answer(403, {}, {"WWW-Authenticate": SCOPE}), Reason.PERMISSION_DENIED),
    "403, token": (
        http_answer(403, {}, {"WWW-Authenticate": 'Bearer error="invalid_token"'}),
        Reason.TOKEN_REJECTED,
    ),
    "403, nothing left": (
        http_answer(403, {}, {"X-RateLimit-Remaining": "0"}),
        Reason.THROTTLED,
    ),
    "403, nothing left this minute": (
        http_answer(
            403, {}, {"X-RateLimit-Remaining-Minute": "0", "X-RateLimit-Remaining-Day": "9"}
        ),
        Reason.THROTTLED,
    ),
    "403, Retry-After": (http_answer(403, {}, {"Retry-After": "9"}), Reason.THROTTLED),
    "403, milliseconds": (http_answer(403, {}, {"Retry-After-Ms": "9"}), Reason.THROTTLED),
    "403, words": (
        http_answer(403, {"message": "You have exceeded a secondary rate limit."}),
        Reason.THROTTLED,
    ),
    "403, problem type": (
        http_answer(
            403, {"type": "https://iana.org/assignments/http-problem-types#quota-exceeded"}
        ),
        Reason.THROTTLED,
    ),
    "404": (http_answer(404, {}), Reason.UNEXPECTED_RESPONSE),
    "418": (http_answer(418, {}), Reason.UNEXPECTED_RESPONSE),
    "429": (http_answer(429, {}), Reason.THROTTLED),
    "500": (http_answer(500, b"<p>oops"), Reason.SERVER_ERROR),
    "503": (http_answer(503, {}, {"Retry-After": "9"}), Reason.SERVER_ERROR),
    "529": (http_answer(529, {"error": {"type": "overloaded_error"}}), Reason.SERVER_ERROR),
}


@pytest.mark.parametrize(("answer", "reason"), VERDICTS.values(), ids=VERDICTS)
async def test_every_answer_has_its_reason(serve, clients, answer, reason):
    outcome = await check(serve, clients, answer)

    assert outcome.reason is reason
    assert outcome.is_payment_required == (reason is Reason.OK and outcome.http_status != 200)
    assert (outcome.detail == "") == (reason is Reason.OK)
    assert SECRET not in repr(outcome)


WORDS = {
    "message": (401, {"message": "told"}),
    "error.message": (403, {"error": {"message": "told", "code": "x"}}),
    "errors[].message": (400, {"errors": [{"message": "told"}]}),
    "errors[].detail": (404, {"errors": [{"detail": "told"}]}),
    "error_description": (401, {"error": "x", "error_description": "told"}),
    "problem detail": (403, {"type": "about:blank", "title": "x", "detail": "told"}),
    "problem title": (500, {"type": "about:blank", "title": "told"}),
    "reason": (403, {"reason": "told"}),
    "description": (200, {"ok": False, "description": "told"}),
    "errors by field": (403, {"errors": {"base": ["told"]}}),
    "xml": (403, b"<Error><Code>x</Code><Message>told</Message></Error>"),
    "text": (403, b"told"),
    "a pause": (429, {"message": "told"}),
}


@pytest.mark.parametrize(("status", "body"), WORDS.values(), ids=WORDS)
async def test_what_the_server_says_is_quoted_wherever_it_stands(serve, clients, status, body):
    told = (
        json.loads(json.dumps(body).replace("told", "Told\\u0007 by " + "x" * 300))
        if isinstance(body, dict)
        else body.replace(b"told", b"Told\x07 by " + b"x" * 300)
    )

    outcome = await check(serve, clients, http_answer(status, told, {"Content-Type": ""}))

    assert 'The server says: "Told by xxx' in outcome.detail
    assert outcome.detail.endswith('…"')
    assert outcome.detail.isprintable()


@pytest.mark.parametrize(("status", "body"), WORDS.values(), ids=WORDS)
async def test_no_secret_is_quoted_wherever_it_stands(serve, clients, status, body):
    told = (
        json.loads(json.dumps(body).replace("told", f"no: {SECRET}"))
        if isinstance(body, dict)
        else body.replace(b"told", f"no: {SECRET}".encode())
    )

    outcome = await check(serve, clients, http_answer(status, told, {"Content-Type": ""}))

    assert "no: ••••" in outcome.detail
    assert SECRET not in repr(outcome)


async def test_a_blocked_call_names_what_blocked_it(serve, clients):
    page = b"<!doctype html><title>Just a moment...</title><p>Checking your browser"
    answer = http_answer(403, page, {"Content-Type": "text/html; charset=UTF-8"})

    outcome = await check(serve, clients, answer)

    assert "a page for people" in outcome.detail
    assert "Just a moment..." in outcome.detail
    assert "nothing about the token" in outcome.detail


@pytest.mark.parametrize(
    ("body", "no"),
    [
        ({"ok": False}, '"ok" is false'),
        ({"success": "false", "message": "why"}, 'The server says: "why"'),
        ({"code": 401, "msg": "token invalid"}, 'The server says: "token invalid"'),
        ({"result": {"error": "why"}}, 'The server says: "why"'),
    ],
)
async def test_a_200_that_says_no_says_what_and_names_expect_json(serve, clients, body, no):
    outcome = await check(serve, clients, http_answer(200, body))

    assert outcome.reason is Reason.UNEXPECTED_RESPONSE
    assert no in outcome.detail
    assert "`expect_json`" in outcome.detail


@pytest.mark.parametrize(
    ("body", "more", "advice"),
    [
        ({"code": 0, "data": {}}, {}, 'expect_json = { "/code" = 0 }'),
        ({"status": "OK", "results": []}, {}, 'expect_json = { "/status" = "OK" }'),
        ({"code": 0, "data": {}}, {"expect_json": {"/code": 0}}, ""),
        ({"id": 7, "name": "Acme"}, {}, ""),
        (b"pong", {}, ""),
    ],
)
async def test_a_code_in_a_good_body_is_worth_advice(serve, clients, body, more, advice):
    answer = http_answer(200, body, {"Content-Type": ""})

    outcome = await check(serve, clients, answer, **more)

    assert outcome.reason is Reason.OK
    assert advice in outcome.advice
    assert bool(outcome.advice) is bool(advice)


async def test_a_refused_jwt_past_its_end_keeps_the_words_of_the_server(serve, clients):
    end = datetime(2026, 1, 1, tzinfo=UTC)

    outcome = await check(serve, clients, http_answer(401, {"message": "late"}), token=jwt(end))

    assert outcome.detail == 'The token expired on Jan 1, 2026. The server says: "late"'


async def test_the_pause_lasts_until_every_window_is_refilled(serve, clients):
    fields = {
        "X-RateLimit-Remaining-Minute": "0",
        "X-RateLimit-Reset-Minute": "40",
        "X-RateLimit-Limit-Day": "9",
        "X-RateLimit-Remaining-Day": "9",
        "Retry-After": "5",
    }
    before = datetime.now(UTC)

    outcome = await check(serve, clients, http_answer(429, {}, fields))

    assert outcome.quota is not None
    assert (outcome.quota.name, outcome.quota.remaining) == ("minute", 0)
    assert QuotaReading(9, 9, None, 86400, "day") in outcome.windows
    assert outcome.retry_at is not None
    assert 39 <= (outcome.retry_at - before).total_seconds() <= 45


async def test_a_missing_scope_is_named(serve, clients):
    outcome = await check(serve, clients, http_answer(403, {}, {"WWW-Authenticate": SCOPE}))

    assert '"orders:read"' in outcome.detail


async def test_other_statuses_can_be_good_ones(serve, clients):
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"

    assert (await check(serve, clients, answer, expect_status=[200, 204])).reason is Reason.OK


async def test_200_is_no_good_where_another_status_is_expected(serve, clients):
    outcome = await check(serve, clients, http_answer(), expect_status=[204])

    assert outcome.reason is Reason.UNEXPECTED_RESPONSE


MET = {
    "true": ({"ok": True}, {"/ok": True}),
    "deep": ({"a": [{"b": "x"}]}, {"/a/0/b": "x"}),
    "number": ({"n": 1.0}, {"/n": 1}),
    "list": ({"n": [1, "a"]}, {"/n": [1, "a"]}),
    "object": ({"n": {"a": True}}, {"/n": {"a": True}}),
    "all": ({"error": "none", "ok": True}, {"/ok": True, "/error": "none"}),
    "the root": ("pong", {"": "pong"}),
}


@pytest.mark.parametrize(("body", "expected"), MET.values(), ids=MET)
async def test_a_body_that_holds_what_was_expected_is_ok(serve, clients, body, expected):
    outcome = await check(serve, clients, http_answer(200, body), expect_json=expected)

    assert outcome.reason is Reason.OK


UNMET = {
    "false": ({"ok": False}, {"/ok": True}, 'expected true at "/ok", got false.'),
    "one is not true": ({"ok": 1}, {"/ok": True}, 'expected true at "/ok", got 1.'),
    "true is not one": ({"ok": True}, {"/ok": 1}, 'expected 1 at "/ok", got true.'),
    "absent": ({}, {"/ok": True}, 'expected true at "/ok", got nothing there.'),
    "null": ({"ok": None}, {"/ok": "x"}, 'expected "x" at "/ok", got null.'),
    "object": ({"ok": {}}, {"/ok": [1]}, 'expected a list at "/ok", got an object.'),
    "another object": ({"a": {"b": 1}}, {"/a": {"b": True}}, "expected an object"),
    "no JSON": (b"pong", {"/ok": True}, "got nothing there."),
    "long text": ({"a": "y" * 500}, {"/a": "x"}, 'got "' + "y" * 59 + '…".'),
    "odd text": ({"a": "y\n\x1b[1m\u202e"}, {"/a": "x"}, 'got "y [1m".'),
    "the secret": ({"a": SECRET}, {"/a": "x"}, 'got "••••".'),
    "the second": ({"a": 1, "b": 2}, {"/a": 1, "/b": 3}, 'expected 3 at "/b", got 2.'),
    "too long": (b'{"ok": true, "x": "' + b"x" * MAX_BODY + b'"}', {"/ok": True}, "256 KiB"),
}


@pytest.mark.parametrize(("body", "expected", "words"), UNMET.values(), ids=UNMET)
async def test_what_is_missing_is_named_with_its_place(serve, clients, body, expected, words):
    outcome = await check(serve, clients, http_answer(200, body), expect_json=expected)

    assert outcome.reason is Reason.UNEXPECTED_RESPONSE
    assert words in outcome.detail
    assert SECRET not in outcome.detail


async def test_expect_json_may_call_good_what_looks_like_an_error(serve, clients):
    answer = http_answer(200, {"ok": False, "error": "x", "id": 7})

    assert (await check(serve, clients, answer, expect_json={"/id": 7})).reason is Reason.OK


async def test_the_account_is_told(serve, clients):
    outcome = await check(serve, clients, http_answer(200, {"user": {"name": "Acme Ltd"}}))

    assert outcome.account == "Acme Ltd"


async def test_named_quota_headers_are_read(serve, clients):
    names = {"limit": "X-All", "remaining": "X-Left", "resets": "X-Until"}
    fields = {"X-All": "100", "X-Left": "7", "X-Until": "2099-01-01", "X-RateLimit-Remaining": "0"}

    outcome = await check(serve, clients, http_answer(200, {}, fields), quota=names)

    # Later than in a year: the reset was misread, and is unknown.
    assert outcome.quota == QuotaReading(100, 7)


async def test_a_quota_that_is_sent_twice_counts_at_its_lowest(serve, clients):
    fields = "X-RateLimit-Limit: 1000\r\nX-RateLimit-Remaining: 999\r\nX-RateLimit-Remaining: 3\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + fields.encode() + b"\r\n{}"

    outcome = await check(serve, clients, answer)

    assert outcome.quota == QuotaReading(1000, 3)


async def test_a_pause_that_cannot_be_read_is_told_once(serve, clients):
    server = await serve.answers(http_answer(429, {}, {"Retry-After": "soon"}))
    checker = checker_of(clients, f"http://127.0.0.1:{server.port}/", token=SECRET)

    with structlog.testing.capture_logs() as logs:
        outcomes = [await checker.check() for _ in range(3)]

    assert [outcome.reason for outcome in outcomes] == [Reason.THROTTLED] * 3
    assert [(log["event"], log["fields"]) for log in logs] == [
        ("pause.unreadable", {"retry-after": "soon"})
    ]


@pytest.mark.parametrize(
    ("exp", "end"),
    [
        pytest.param(4_102_444_800_000, datetime(2100, 1, 1, tzinfo=UTC), id="milliseconds"),
        pytest.param(-1, None, id="negative"),
    ],
)
async def test_the_end_of_a_jwt_is_known_or_told_once_to_be_unreadable(serve, clients, exp, end):
    claims = urlsafe_b64encode(json.dumps({"exp": exp}).encode()).decode().rstrip("=")
    server = await serve.answers(http_answer(200, {}))
    url = f"http://127.0.0.1:{server.port}/"
    checker = checker_of(clients, url, token=f"eyJhbGciOiJub25lIn0.{claims}.c2ln")

    with structlog.testing.capture_logs() as logs:
        outcomes = [await checker.check() for _ in range(3)]

    assert {outcome.token_ends_at for outcome in outcomes} == {end}
    assert [(log["event"], log["fields"]) for log in logs] == (
        [] if end else [("token_end.unreadable", {"exp": "-1"})]
    )
    assert outcomes[2].unreadable_ends == (
        () if end else ("the claim `exp` of the token itself: -1",)
    )


async def test_unreadable_headers_are_told_once_and_without_the_secret(serve, clients):
    server = await serve.answers(http_answer(200, {}, {"X-RateLimit-Limit": f"no {SECRET}"}))
    checker = checker_of(clients, f"http://127.0.0.1:{server.port}/", token=SECRET)

    with structlog.testing.capture_logs() as logs:
        outcomes = [await checker.check() for _ in range(3)]

    assert [outcome.reason for outcome in outcomes] == [Reason.OK] * 3
    assert [(log["event"], log["connection"], log["fields"]) for log in logs] == [
        ("quota.unreadable", "a", {"x-ratelimit-limit": "no ••••"})
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("31.12.2026", ["31.12.2026"], id="no date that is known"),
        pytest.param("", [""], id="empty"),
        pytest.param(f"after {SECRET}", ["after ••••"], id="without the secret"),
        pytest.param("2099-12-31", [], id="readable"),
        pytest.param("2001-12-31", [], id="readable, and past"),
    ],
)
async def test_an_end_that_cannot_be_read_is_told_once(serve, clients, text, told):
    """
    Whoever named the header relies on being warned.
    """
    server = await serve.answers(http_answer(200, {}, {"X-Ends": text}))
    url = f"http://127.0.0.1:{server.port}/"
    checker = checker_of(clients, url, token=SECRET, expires_header="X-Ends")

    with structlog.testing.capture_logs() as logs:
        outcomes = [await checker.check() for _ in range(3)]

    assert [outcome.reason for outcome in outcomes] == [Reason.OK] * 3
    assert outcomes[0].is_token_end_unclear is bool(told)
    assert [(log["event"], log["connection"], log["fields"]) for log in logs] == [
        ("token_end.unreadable", "a", {"X-Ends": each}) for each in told
    ]


def jwt(end: datetime) -> str:
    claims = json.dumps({"sub": "x", "exp": end.timestamp()}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


async def test_the_end_of_a_jwt_is_observed(serve, clients):
    end = datetime(2099, 1, 1, tzinfo=UTC)

    outcome = await check(serve, clients, http_answer(), token=jwt(end))

    assert outcome.token_ends_at == end


async def test_a_refused_jwt_past_its_end_has_expired(serve, clients):
    end = datetime(2026, 1, 1, tzinfo=UTC)

    outcome = await check(serve, clients, http_answer(401, {}), token=jwt(end))

    assert outcome.reason is Reason.AUTHORIZATION_EXPIRED
    assert outcome.detail == "The token expired on Jan 1, 2026."


async def test_the_earliest_end_counts(serve, clients):
    fields = {"X-Ends": "2090-01-01"}
    answer = http_answer(200, {}, fields)

    outcome = await check(
        serve, clients, answer, token=jwt(datetime(2099, 1, 1, tzinfo=UTC)), expires_header="X-Ends"
    )

    assert outcome.token_ends_at == datetime(2090, 1, 1, tzinfo=UTC)


async def test_a_refusal_counts_only_if_no_newer_secret_is_at_hand(clients, tmp_path):
    path = tmp_path / "key"
    path.write_text("old")

    def speak(asked: Asked) -> Reply:
        path.write_text("new")
        return Reply(200, {}) if asked.headers["x-api-key"] == "new" else Reply(401, {})

    with speaking("any", speak) as speaker:
        headers = {"X-Api-Key": {"file": str(path)}}

        outcome = await checker_of(clients, speaker.url, headers=headers).check()

        assert outcome.reason is Reason.OK
        assert [asked.headers["x-api-key"] for asked in speaker.asked] == ["old", "new"]


async def test_a_refusal_stands_when_the_secret_is_gone(serve, clients, tmp_path):
    path = tmp_path / "key"
    path.write_text("old")
    server = await serve.answers(http_answer(401, {}))
    checker = checker_of(clients, f"http://127.0.0.1:{server.port}/", token={"file": str(path)})
    await checker.check()
    path.unlink()

    outcome = await checker.check()

    assert outcome.reason is Reason.TOKEN_REJECTED
    assert "could not be read again" in outcome.detail


async def test_a_secret_that_is_missing_is_no_refusal(serve, clients, monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    server = await serve.answers(http_answer())

    outcome = await checker_of(
        clients, f"http://127.0.0.1:{server.port}/", token={"env": "NO_SUCH"}
    ).check()

    assert outcome.reason is Reason.PROTOCOL
    assert "env NO_SUCH" in outcome.detail
    assert server.requests == []


@pytest.mark.parametrize(
    "more",
    [
        {"token": "with space"},
        {"token": "with\u00e9"},
        {"token": "with space", "auth": "header:X-Key"},
        {"headers": {"X-Key": {"env": "ODD"}}},
        {"token": "with" * 20_000, "auth": "query:key"},
    ],
    ids=lambda more: str(more)[:60],
)
async def test_a_secret_that_cannot_be_sent_is_not_repeated(serve, clients, monkeypatch, more):
    monkeypatch.setenv("ODD", "with\u00e9")
    server = await serve.answers(http_answer())

    outcome = await checker_of(clients, f"http://127.0.0.1:{server.port}/", **more).check()

    assert outcome.reason is Reason.PROTOCOL
    assert "with" not in outcome.detail
    assert server.requests == []


FORMS = {
    "bearer": {"token": SECRET},
    "basic": {"auth": "basic", "username": "user", "password": SECRET},
    "basic token": {"auth": "basic", "token": SECRET},
    "header": {"auth": "header:X-Key", "token": SECRET},
    "query": {"auth": "query:key", "token": SECRET},
    "headers": {"headers": {"X-Api-Key": SECRET}, "token": "another-secret"},
}
STATUSES = [200, 301, 400, 401, 403, 404, 429, 500]


def echo(status: int, asked: Asked) -> Reply:
    sent = [asked.path, *asked.headers.values()]
    body = {"error": {"message": " ".join(sent)}, "errors": sent, "a": sent[0], "name": sent[0]}
    headers = {
        "Location": f"https://x.example{asked.path}",
        "X-RateLimit-Limit": sent[0],
        "RateLimit": ", ".join(f'"{"x" * 40}{text}";r=1' for text in sent),
        "WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{sent[-1]}"',
    }
    return Reply(status, body, headers)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_a_server_that_echoes_everything_learns_nobody_a_secret(clients, status, form):
    basic = base64.b64encode(f"user:{SECRET}".encode()).decode()
    forbidden = [
        "hunter2",
        "another-secret",
        basic,
        base64.b64encode(SECRET.encode()).decode()[:20],
    ]
    with speaking("any", lambda asked: echo(status, asked)) as speaker:
        with structlog.testing.capture_logs() as logs:
            plain = await checker_of(clients, speaker.url, **form).check()
            wanting = await checker_of(
                clients, speaker.url, expect_json={"/a": "x"}, **form
            ).check()

        assert speaker.asked
    seen = repr((plain, wanting, logs))
    assert [secret for secret in forbidden if secret in seen] == []


@pytest.mark.parametrize("trouble", ["refused", "garbage", "reset"])
async def test_a_token_in_the_address_shows_nowhere_when_the_network_fails(
    serve, clients, caplog, trouble
):
    caplog.set_level(logging.DEBUG)
    if trouble == "refused":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    else:
        port = (await serve.raw(b"garbage\r\n\r\n" if trouble == "garbage" else b"")).port

    checker = checker_of(clients, f"http://127.0.0.1:{port}/", auth="query:key", token=SECRET)
    outcome = await checker.check()

    assert outcome.reason in {Reason.CONNECT, Reason.PROTOCOL}
    assert "hunter2" not in repr(outcome) + caplog.text + repr(checker)


async def test_an_address_that_cannot_be_called_is_refused_without_repeating_it(clients):
    connection = settings_of("https://x.example/").model_copy(
        update={"url": "https://" + "x" * 70_000 + ".example/?key=hunter2"}
    )

    with pytest.raises(ValueError, match="connection a: its url cannot be called") as caught:
        HttpChecker(connection, clients.get(), timedelta(seconds=1))

    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([200, 204, 301, 400, 401, 402, 403, 404, 429, 500, 999]),
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["ok", "error", "a", "name"]), inner, max_size=3)
        ),
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from(["", "text/html", "application/json", "\xff"]),
    st.sampled_from([{}, {"/ok": True}, {"/a/0": "x"}, {"": {"ok": 1}}]),
)
def test_no_body_raises(status, body, content_type, expect_json):
    import httpx

    headers = httpx.Headers([(b"content-type", content_type.encode("latin-1"))])
    answer = Answer(status, headers, body, 1.0, datetime(2026, 11, 22, tzinfo=UTC))
    words = {"a": Reason.TOKEN_REJECTED, "b": Reason.THROTTLED}
    terms = ExpectedAnswer(expect_json=expect_json, word_at="/error", words=words)

    outcome = read_answer(answer, QuotaReport(), terms, ("secret",))

    assert outcome.detail.isprintable()


async def test_a_body_too_long_to_be_read_is_said_to_be_unread(serve, clients):
    body = b'{"x": "' + b"y" * MAX_BODY + b'"}'
    outcome = await check(serve, clients, http_answer(200, body))
    assert outcome.reason is Reason.OK
    assert "longer than 256 KiB and was not looked at" in outcome.advice


async def test_a_page_too_long_to_be_read_is_known_by_its_beginning(serve, clients):
    page = b"<!DOCTYPE html><title>Login</title>" + b" " * MAX_BODY
    answer = http_answer(200, page, {"Content-Type": "text/plain"})
    outcome = await check(serve, clients, answer)
    assert outcome.reason is Reason.UNEXPECTED_RESPONSE
    assert "page for people" in outcome.detail
