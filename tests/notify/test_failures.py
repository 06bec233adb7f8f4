"""
`monitor.notify.failures`: the plain words for what a channel's library said.
"""

from __future__ import annotations

import pytest

from monitor.notify.failures import name_failure

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
    "secret": ("the URL of channel ops cannot be read: no file", "its URL cannot be read"),
    "no URL": ("no Apprise URL, it has no ://; see", "its URL cannot be used"),
    "taken out": ("channel x is not in the configuration any more: to", "it was removed from the"),
    "anything else": ("JSON: it gave no reason", "message not delivered"),
    "nothing": ("", "message not delivered"),
}


@pytest.mark.parametrize(("error", "words"), CASES.values(), ids=CASES)
def test_a_failure_has_plain_words(error, words):
    assert name_failure(error).startswith(words)
    assert "Pool" not in name_failure(error)
