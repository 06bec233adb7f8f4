from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.providers.exchanges import MAX_SHOWN, Exchange, write_exchanges

AT = datetime(2026, 11, 22, 12, 0, 0, 123_000, tzinfo=UTC)
SECRET = "Atzr|hunter2-hunter2/x y"


def exchange(**more) -> Exchange:
    usual: dict[str, Any] = {
        "at": AT,
        "method": "POST",
        "url": "https://api.example.com/v1/me?page=1",
        "sent": [("Accept", "application/json")],
        "content": b"",
        "status": 200,
        "received": [("X-Request-Id", "abc-1"), ("Content-Type", "application/json")],
        "body": b'{"ok":true}',
        "is_oversize": False,
        "failure": "",
        "took_ms": 41.2,
    }
    return Exchange(**(usual | more))


def text_of(*exchanges: Exchange) -> str:
    return "\n".join(write_exchanges(exchanges, [SECRET]))


def test_all_that_support_asks_for_is_there():
    assert text_of(exchange(content=b'{"limit": 3}')).splitlines() == [
        "  1. 2026-11-22T12:00:00.123Z POST https://api.example.com/v1/me?page=1",
        "     > Accept: application/json",
        "     > ",
        '     > {"limit": 3}',
        "     < HTTP 200 (41 ms), request id abc-1",
        "     < X-Request-Id: abc-1",
        "     < Content-Type: application/json",
        "     < ",
        '     < {"ok":true}',
    ]


def test_call_without_a_response_says_why():
    text = text_of(exchange(status=None, failure="Cannot connect to a.example: refused."))
    assert text.endswith("no response (41 ms): Cannot connect to a.example: refused.")


PLACES = {
    "header": {"sent": [("Authorization", "Bearer hunter2-hunter2")]},
    "header of its own": {"sent": [("X-Api-Key", "hunter2-hunter2")]},
    "cookie": {"received": [("Set-Cookie", "session=hunter2-hunter2; Path=/")]},
    "address": {"url": "https://a.example/?api_key=hunter2-hunter2"},
    "user in the address": {"url": "https://me:hunter2-hunter2@a.example/"},
    "form": {"content": b"grant_type=refresh_token&refresh_token=hunter2-hunter2&client_id=1"},
    "JSON": {"body": b'{"access_token": "hunter2-hunter2", "expires_in": 3600}'},
    "JSON with escapes": {"body": b'{"client_secret":"a\\"hunter2-hunter2"}'},
    "JSON whose name is escaped": {"body": b'{"acc\\u0065ss_token": "hunter2-hunter2"}'},
    "JSON of objects": {"body": b'{"token": {"value": "hunter2-hunter2", "of": ["hunter2-2"]}}'},
    "JSON of lists": {"body": b'{"apiKeys": ["hunter2-hunter2"]}'},
    "JSON of credentials": {"body": b'{"credentials": {"user": "hunter2-hunter2"}}'},
    "element": {"body": b'<r xmlns="a"><ns:AccessToken x="1">hunter2-hunter2</ns:AccessToken></r>'},
    "attribute": {"body": b'<session token="hunter2-hunter2"/>'},
    "input of a page": {"body": b'<input type=hidden name="csrf_token" id=a value="hunter2">'},
    "beginning of a long one": {"body": b'{"token":["hunter2-hunter2' * 9999, "is_oversize": True},
    "echoed": {"body": b"you sent " + SECRET.encode()},
    "echoed in a form": {"body": b"you sent Atzr%7Chunter2-hunter2%2Fx+y"},
    "echoed in JSON": {"body": b'{"said": "Atzr\\u007chunter2-hunter2\\/x y"}'},
    "echoed in a header": {"received": [("X-Echo", SECRET)]},
    "across the end": {"body": b"x" * (MAX_SHOWN - 12) + SECRET.encode() + b"y" * 9000},
    "of a redirect": {"received": [("Location", "https://a.example/?token=hunter2-hunter2")]},
}


@pytest.mark.parametrize("more", PLACES.values(), ids=PLACES)
def test_secret_is_masked_wherever_it_stands(more):
    text = text_of(exchange(**more))
    assert "hunter2" not in text
    assert "••••" in text


def test_token_that_one_call_brings_is_masked_in_the_next():
    first = exchange(body=b'{"access_token": "Atza|hunter3hunter3"}')
    text = text_of(first, exchange(body=b"bad Atza|hunter3hunter3"))
    assert "hunter3" not in text


def test_what_only_sounds_like_a_secret_is_shown():
    text = text_of(exchange(body=b'{"token_type": "bearer", "keyword": "lamp", "tokens": "12"}'))
    assert all(each in text for each in ("bearer", "lamp", "12"))


def test_long_body_is_cut_and_says_so():
    text = text_of(exchange(body=b"x" * 100_000))
    assert "… (100,000 bytes)" in text
    assert len(text) < MAX_SHOWN + 1000
    text = text_of(exchange(body="é".encode() * 3000))
    assert "… (6,000 bytes)" in text
    assert text.count("é") == MAX_SHOWN // 2


def test_beginning_of_a_body_that_is_too_large_is_shown():
    text = text_of(exchange(body=b'{"message": "no"}' + b" " * 300_000, is_oversize=True))
    assert '{"message": "no"}' in text
    assert "… (more than 300,017 bytes)" in text


def test_number_under_the_name_of_a_count_is_shown():
    text = text_of(exchange(body=b'{"usage": {"total_tokens": 123456789}, "secret": 987654321}'))
    assert "123456789" in text
    assert "987654321" not in text


def test_odd_bytes_are_pasteable():
    text = text_of(exchange(body=b"\x1b[31m\x00\xff\r\nline two", received=[("X", "a\x07b")]))
    assert all(line.isprintable() for line in text.splitlines())
    assert "     < line two" in text
