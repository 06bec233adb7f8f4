"""
`monitor.notify.failures`: the plain words for what a channel's library said.
"""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.notify.failures import describe_attempt, name_failure
from tests.fakes import NOON

POOL = "HTTPConnectionPool(host='x', port=9): Max retries exceeded with url: /x (Caused by {})"
CASES = {
    "refused": (
        "JSON: Socket Exception: "
        + POOL.format('NewConnectionError("…: [Errno 111] Connection refused")'),
        "connection refused",
    ),
    "no such host": (
        "Slack: "
        + POOL.format("NameResolutionError(\"Failed to resolve 'x' ([Errno -2] Name or service\")"),
        "host name not found",
    ),
    "timeout": ("JSON: " + POOL.format("ConnectTimeoutError('…')"), "timed out"),
    "our own limit": ("it did not answer within 30 s", "timed out"),
    "certificate": (
        "JSON: " + POOL.format("SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'"),
        "TLS or certificate error",
    ),
    "401": (
        "Telegram: Failed to send: Unauthorized - Invalid Token., error=401.",
        "not authorized: check its token or password",
    ),
    "mail login": (
        "E-Mail: (535, b'5.7.8 Authentication credentials invalid')",
        "not authorized: check its token or password",
    ),
    "Slack's word": ("Slack: invalid_auth", "not authorized: check its token or password"),
    "404": ("JSON: Failed to send: Not Found., error=404.", "address not found: check its URL"),
    "no such chat": (
        "Telegram: Bad Request: chat not found, error=400.",
        "address not found: check its URL",
    ),
    "429": ("Discord: Too many requests, error=429.", "rate limited"),
    "400": ("JSON: Bad Request., error=400.", "message rejected"),
    "502": ("JSON: Failed to send: error=502.", "server error"),
    "unreachable": ("E-Mail: [Errno 101] Network is unreachable", "network unreachable"),
    "cut": ("E-Mail: Connection reset by peer", "connection lost"),
    "port of mail": (
        "E-Mail: smtp.example.com:587 gave up: Connection unexpectedly closed",
        "connection lost",
    ),
    "only a port": ("Gotify: no luck on port 5000", "Gotify: no luck on port 5000"),
    "port in brackets": ("X: [2001:db8::1]:587: nothing came", "X: [2001:db8::1]:587: nothing"),
    "a port and a status": ("JSON: example.com:8401 failed, error=503", "server error"),
    "our own limit since": (
        "no end of sending within 60 s: the service hangs or is very slow",
        "timed out",
    ),
    "blocked bot": (
        "Telegram: Forbidden: bot was blocked by the user, error=403.",
        "the bot is not in the chat: add it again",
    ),
    "kicked bot": (
        "Telegram: Forbidden: bot was kicked from the supergroup chat, error=403.",
        "the bot is not in the chat: add it again",
    ),
    "Slack's channel": ("Slack: not_in_channel, error=200", "the bot is not in the chat"),
    "Matrix's room": ("Matrix: M_FORBIDDEN: user not in room, error=403", "the bot is not in the"),
    "the service's name alone": (
        "E-Mail: HTTPConnectionPool(host='x')",
        "message not delivered",
    ),
    "secret": ("the URL of channel ops cannot be read: no file", "its URL cannot be read"),
    "no URL": ("no Apprise URL, it has no ://; see", "its URL cannot be used"),
    "taken out": ("channel x is not in the configuration any more: to", "it was removed from the"),
    "too large": ("JSON: Failed to send: Payload Too Large, error=413.", "message too large"),
    "too long for Discord": ("Discord: Must be 2000 or fewer: too long", "message too large"),
    "webhook gone": ("Discord: Failed to send: Unknown Webhook, error=404.", "address not found"),
    "gone": ("JSON: Failed to send: Gone, error=410.", "address not found"),
    "archived": ("Slack: error: is_archived", "address not found"),
    "a closed port of mail": (
        "E-Mail: Socket Exception: [Errno 111] Connection refused",
        "connection refused",
    ),
    "TLS of mail": (
        "E-Mail: Socket Exception: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)",
        "TLS or certificate error",
    ),
    "a mailbox that is none": (
        (
            "E-Mail: Socket Exception: {'x@example.com': (550, b'5.1.1 <x@example.com>: Recipient"
            " address rejected: User unknown')}"
        ),
        "the mail server answered 550: <x@example.com>: Recipient address rejected: User unknown",
    ),
    "mail over several lines": (
        "E-Mail: Socket Exception: (554, b'5.7.1 Not accepted\\n5.7.1 see https://x.example')",
        "the mail server answered 554: Not accepted see https://x.example",
    ),
    "mail in quotes of the other kind": (
        """E-Mail: Socket Exception: (552, b"5.3.4 the message's size is too much")""",
        "the mail server answered 552: the message's size is too much",
    ),
    "mail without words": ("E-Mail: (451, b'')", "the mail server answered 451"),
    "what Python prints": (
        "Odd: it broke <urllib3.connection.HTTPConnection object at 0x7f21>: x",
        "Odd: it broke",
    ),
    "only what Python prints": ("HTTPConnectionPool(host='x', port=9)", "message not delivered"),
    "an exception": (
        "Odd: the queue is full (Caused by QueueError('x'))",
        "Odd: the queue is full",
    ),
    "a long text": ("Odd: " + "word " * 60, "Odd: word word word"),
    "anything else": ("JSON: it gave no reason", "message not delivered"),
    "nothing": ("", "message not delivered"),
}


@pytest.mark.parametrize(("error", "words"), CASES.values(), ids=CASES)
def test_a_failure_has_plain_words(error, words):
    assert name_failure(error).startswith(words)
    assert "Pool" not in name_failure(error)
    assert "object at" not in name_failure(error)
    assert len(name_failure(error)) <= 140


@given(st.text())
def test_any_text_has_words_in_one_line(error):
    words = name_failure(error)
    assert words
    assert len(words) <= 200


ATTEMPTS = {
    "soon": (7, NOON + timedelta(minutes=14), "Connection refused. Next try 05:14 MST (attempt 8)"),
    "tomorrow": (
        7,
        NOON + timedelta(days=1),
        "Connection refused. Next try Nov 23, 05:00 MST (attempt 8)",
    ),
    "now": (1, NOON, "Connection refused. Next try now (attempt 2)"),
    "dead": (12, None, "Connection refused. Failed after 12 attempts"),
    "dead at once": (1, None, "Connection refused. Failed after 1 attempt"),
}


@pytest.mark.parametrize(("attempts", "next_at", "line"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_an_attempt_is_said_in_one_line(attempts, next_at, line):
    zone = ZoneInfo("America/Denver")
    assert describe_attempt(CASES["refused"][0], attempts, next_at, NOON, zone) == line
