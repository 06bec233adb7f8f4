from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.providers.answers import (
    describe,
    find_account,
    find_message,
    is_answer,
    parse_json,
    says_rate_limited,
)

SECRET = "sst_abc/def+123=="


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"id": 1}, True),
        ({"id": 1, "error": None, "errors": []}, True),
        ({"id": 1, "ok": True, "success": "yes"}, True),
        ({"id": 1, "status": "active"}, True),
        ({"ok": None}, True),
        ({}, False),
        ([], False),
        ([{"id": 1}], False),
        ("fine", False),
        (None, False),
        (1, False),
        (True, False),
        ({"id": 1, "error": "x"}, False),
        ({"id": 1, "error": {"code": 1}}, False),
        ({"id": 1, "errors": ["x"]}, False),
        ({"id": 1, "ok": False}, False),
        ({"id": 1, "success": False}, False),
        ({"id": 1, "success": 0}, False),
        ({"id": 1, "success": "false"}, False),
        ({"authenticated": False}, False),
        ({"valid": False}, False),
        ({"id": 1, "status": "error"}, False),
        ({"id": 1, "status": "FAIL"}, False),
    ],
    ids=str,
)
def test_an_answer_is_an_object_without_an_error_inside(value, expected):
    assert is_answer(value) is expected


@pytest.mark.parametrize(
    ("value", "account"),
    [
        ({"name": "Acme", "company": "C", "email": "e", "id": 1}, "Acme"),
        ({"company": "C", "email": "e", "id": 1}, "C"),
        ({"email": "e", "id": 1}, "e"),
        ({"id": 7}, "7"),
        ({"id": 0}, "0"),
        ({"id": "x-1"}, "x-1"),
        ({"account": {"name": "Acme"}}, "Acme"),
        ({"user": {"email": "a@b.example"}}, "a@b.example"),
        ({"data": {"id": 7}}, "7"),
        ({"id": 7, "account": {"name": "Acme"}}, "Acme"),
        ({"name": "", "company": None, "email": "  ", "id": 7}, "7"),
        ({"name": {"first": "A"}, "email": ["e"], "id": True}, None),
        ({"name": 1.5, "account": "x", "user": ["y"], "data": None}, None),
        ({"tokens": [1]}, None),
        ({"name": "A\x00c\x1bm\u202ee\n Ltd "}, "A c m e Ltd"),
        ({"name": "lone \ud800 surrogate"}, "lone surrogate"),
        ({"name": "x" * 300}, "x" * 199 + "…"),
        ({"name": SECRET}, "••••"),
    ],
    ids=lambda value: str(value)[:40].encode("ascii", "replace").decode(),
)
def test_the_account_is_the_first_name_there_is(value, account):
    assert find_account(value, SECRET) == account


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"message": "Bad token"}, "Bad token"),
        ({"error": "bad", "message": "Bad token"}, "Bad token"),
        ({"error": "bad"}, "bad"),
        ({"error": {"message": "deep"}}, "deep"),
        ({"errors": [{"detail": "listed"}]}, "listed"),
        ({"errors": ["just text"]}, "just text"),
        ({"title": "Not allowed", "type": "https://x"}, "Not allowed"),
        ("only a string", "only a string"),
        ({"message": 7, "error": None}, None),
        ({}, None),
        ([{"message": "x"}], "x"),
        ([{"errorCode": "x"}], "x"),
        ([[{"message": "x"}], 7], None),
        (None, None),
    ],
    ids=str,
)
def test_the_message_is_found_where_servers_put_it(value, message):
    assert find_message(value, SECRET) == message


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"message": "API rate limit exceeded for user"}', True),
        (b'{"error": {"code": "RATE_LIMITED"}}', True),
        (b'{"errors": [{"title": "Too Many Requests"}]}', True),
        (b'[{"message": "No.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]', True),
        (b'[{"message": "TotalRequests Limit exceeded."}]', True),
        (b'{"message": "Storage limit exceeded"}', False),
        (b'{"error": "QuotaExceeded"}', True),
        (b'"Throttled"', True),
        (b"<html><h1>You are being rate limited</h1>", True),
        (b"too many requests", True),
        (b'{"message": "Forbidden"}', False),
        (b'{"message": "No", "documentation_url": "https://x/rate-limits"}', False),
        (b'<a href="/rate-limits">Forbidden</a>', False),
        (b"", False),
        (b"\xff\xfe", False),
    ],
)
def test_a_rate_limit_is_told_from_a_refusal(body, expected):
    assert says_rate_limited(body) is expected


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"", "", "an empty answer"),
        (b"{}", "", "an empty JSON object"),
        (b'{"error": 1}', "", "a JSON object that reports an error"),
        (b"[1]", "", "JSON that is no object but a list"),
        (
            b"<html><style>p{}</style><title>Down</title><p>for&nbsp;repairs",
            "text/html; charset=utf-8",
            'text/html, beginning "Down for repairs"',
        ),
        (b"\x00\x01", "", "no content type"),
        (b"plain", "\x1b[1mevil", '[1mevil, beginning "plain"'),
        (b"x" * 500, "text/plain", 'text/plain, beginning "' + "x" * 79 + '…"'),
    ],
)
def test_what_came_instead_is_described(body, content_type, words):
    assert describe(body, content_type, SECRET) == words


def test_a_secret_halved_by_the_end_of_the_excerpt_is_not_shown():
    body = b"<" + b"y" * 4082 + b">" + SECRET.encode() * 2

    assert "sst" not in describe(body, "text/plain", SECRET)


@pytest.mark.parametrize(
    "body",
    [b"[" * 250_000, b'{"a":' * 50_000, b"9" * 250_000, b"<" * 250_000, b"<script" * 30_000],
    ids=["lists", "objects", "digits", "brackets", "scripts"],
)
def test_a_hostile_body_is_read_in_no_time(body):
    started = time.process_time()

    is_answer(parse_json(body))
    says_rate_limited(body)
    describe(body, "text/html", SECRET)

    assert time.process_time() - started < 1


KEYS = st.sampled_from(
    ["name", "id", "account", "data", "error", "errors", "message", "ok", "status", "x"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_raises_and_all_text_can_be_shown(body):
    value = parse_json(body)
    texts = [find_message(value, SECRET), describe(body, "", SECRET)]
    if is_answer(value):
        texts.append(find_account(value, SECRET))
    says_rate_limited(body)

    for text in filter(None, texts):
        assert text.isprintable()
        assert len(text.encode()) <= 1000
