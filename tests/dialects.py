"""
Speak as well-known APIs do, on loopback: their paths, headers, bodies and refusals.

What a token is called decides what becomes of it, so that one server serves
every case: see `Fate`.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NOW = datetime.now(UTC).replace(microsecond=0)
RESETS_AT = NOW + timedelta(minutes=30)
ENDS_AT = (NOW + timedelta(days=12)).replace(hour=0, minute=0, second=0)


class Fate(StrEnum):
    """
    What becomes of a token that is called so.
    """

    GOOD = "good"
    LOW = "low"
    THROTTLED = "throttled"
    ENDING = "ending"
    UNSCOPED = "unscoped"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Asked:
    """
    One request, header names in lower case.
    """

    method: str
    path: str
    headers: Mapping[str, str]

    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Reply:
    """
    One answer.
    """

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


def github(asked: Asked) -> Reply:
    if (asked.method, asked.path) != ("GET", "/rate_limit"):
        return Reply(404, {"message": "Not Found", "documentation_url": "https://docs/rate-limits"})
    fate = asked.bearer()
    if fate not in set(Fate) - {Fate.EXPIRED}:
        return Reply(401, {"message": "Bad credentials", "status": "401"})
    left = {Fate.LOW: 3, Fate.THROTTLED: 0}.get(Fate(fate), 4987)
    headers = {
        "X-RateLimit-Limit": "5000",
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Used": str(5000 - left),
        "X-RateLimit-Reset": str(int(RESETS_AT.timestamp())),
        "X-RateLimit-Resource": "core",
        "X-OAuth-Scopes": "repo",
    }
    if fate == Fate.ENDING:
        headers["github-authentication-token-expiration"] = f"{ENDS_AT:%Y-%m-%d %H:%M:%S} UTC"
    if fate == Fate.THROTTLED:
        return Reply(403, {"message": "API rate limit exceeded for user ID 7."}, headers)
    if fate == Fate.UNSCOPED:
        return Reply(403, {"message": "Resource not accessible by personal access token"}, headers)
    return Reply(200, {"resources": {}, "rate": {"limit": 5000, "remaining": left}}, headers)


def gitlab(asked: Asked) -> Reply:
    if (asked.method, asked.path) != ("GET", "/api/v4/personal_access_tokens/self"):
        return Reply(404, {"error": "404 Not Found"})
    fate = asked.headers.get("private-token", "")
    if fate == Fate.EXPIRED:
        words = "Token is expired. You can either do re-authorization or token refresh."
        return Reply(401, {"error": "invalid_token", "error_description": words})
    if fate not in set(Fate):
        return Reply(401, {"message": "401 Unauthorized"})
    if fate == Fate.UNSCOPED:
        words = "The request requires higher privileges than provided by the access token."
        return Reply(
            403, {"error": "insufficient_scope", "error_description": words, "scope": "api"}
        )
    observed = 598 if fate == Fate.LOW else 1
    headers = {
        "RateLimit-Limit": "600",
        "RateLimit-Observed": str(observed),
        "RateLimit-Remaining": str(600 - observed),
        "RateLimit-Reset": str(int(RESETS_AT.timestamp())),
        "RateLimit-ResetTime": format_datetime(RESETS_AT, usegmt=True),
    }
    if fate == Fate.THROTTLED:
        return Reply(429, "Retry later\n", headers | {"Retry-After": "60"})
    ends = f"{ENDS_AT:%Y-%m-%d}" if fate == Fate.ENDING else None
    body = {"id": 7, "name": "ci", "revoked": False, "active": True, "expires_at": ends}
    return Reply(200, body, headers)


def openai(asked: Asked) -> Reply:
    if (asked.method, asked.path) != ("GET", "/v1/models"):
        return Reply(404, {"error": {"message": "Invalid URL", "code": None}})
    fate = asked.bearer()
    if fate not in set(Fate) - {Fate.EXPIRED}:
        error = {
            "message": f"Incorrect API key provided: {fate}.",
            "type": "invalid_request_error",
            "code": "invalid_api_key",
        }
        return Reply(401, {"error": error})
    if fate == Fate.UNSCOPED:
        error = {"message": "Missing scopes: api.model.read", "code": "missing_scope"}
        return Reply(401, {"error": error})
    left = {Fate.LOW: 1, Fate.THROTTLED: 0}.get(Fate(fate), 59)
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": str(left),
        "x-ratelimit-reset-requests": "6m0s",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "12ms",
    }
    if fate == Fate.THROTTLED:
        error = {"message": "Rate limit reached for requests", "code": "rate_limit_exceeded"}
        return Reply(429, {"error": error}, headers | {"retry-after": "20"})
    return Reply(200, {"object": "list", "data": [{"id": "gpt", "object": "model"}]}, headers)


def anthropic(asked: Asked) -> Reply:
    def refuse(status: int, kind: str, message: str) -> Reply:
        return Reply(status, {"type": "error", "error": {"type": kind, "message": message}})

    if (asked.method, asked.path.partition("?")[0]) != ("GET", "/v1/models"):
        return refuse(404, "not_found_error", "Not found")
    if "anthropic-version" not in asked.headers:
        return refuse(400, "invalid_request_error", "anthropic-version: header is required")
    fate = asked.headers.get("x-api-key", "")
    if fate not in set(Fate) - {Fate.EXPIRED}:
        return refuse(401, "authentication_error", "invalid x-api-key")
    if fate == Fate.UNSCOPED:
        return refuse(403, "permission_error", "Your API key may not use this resource.")
    left = {Fate.LOW: 2, Fate.THROTTLED: 0}.get(Fate(fate), 49)
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": str(left),
        "anthropic-ratelimit-requests-reset": f"{RESETS_AT:%Y-%m-%dT%H:%M:%SZ}",
        "anthropic-ratelimit-tokens-limit": "80000",
        "anthropic-ratelimit-tokens-remaining": "80000",
        "anthropic-ratelimit-tokens-reset": f"{RESETS_AT:%Y-%m-%dT%H:%M:%SZ}",
    }
    if fate == Fate.THROTTLED:
        reply = refuse(429, "rate_limit_error", "This would exceed your rate limit.")
        return Reply(429, reply.body, headers | {"retry-after": "17"})
    return Reply(200, {"data": [{"id": "claude", "type": "model"}], "has_more": True}, headers)


def shopify(asked: Asked) -> Reply:
    if asked.method != "GET" or not asked.path.endswith("/shop.json"):
        return Reply(404, {"errors": "Not Found"})
    fate = asked.headers.get("x-shopify-access-token", "")
    if fate not in set(Fate) - {Fate.EXPIRED}:
        words = "[API] Invalid API key or access token (unrecognized login or wrong password)"
        return Reply(401, {"errors": words})
    if fate == Fate.UNSCOPED:
        return Reply(403, {"errors": "This action requires merchant approval for read_x scope."})
    used = {Fate.LOW: 39, Fate.THROTTLED: 40}.get(Fate(fate), 1)
    headers = {"X-Shopify-Shop-Api-Call-Limit": f"{used}/40"}
    if fate == Fate.THROTTLED:
        words = "Exceeded 2 calls per second for api client. Reduce request rates to resume."
        return Reply(429, {"errors": words}, headers | {"Retry-After": "2.0"})
    return Reply(200, {"shop": {"id": 7, "name": "Acme"}}, headers)


SLACK_TYPES = {
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
}


def slack(asked: Asked) -> Reply:
    if (asked.method, asked.path) != ("POST", "/api/auth.test"):
        return Reply(200, {"ok": False, "error": "unknown_method"})
    if asked.headers.get("content-type", "text/plain") not in SLACK_TYPES:
        return Reply(200, {"ok": False, "error": "invalid_post_type"})
    fate = asked.bearer()
    words = {Fate.EXPIRED: "token_expired", Fate.UNSCOPED: "missing_scope", "": "not_authed"}
    if fate in words:
        return Reply(200, {"ok": False, "error": words[fate]})
    if fate == Fate.THROTTLED:
        return Reply(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "30"})
    if fate not in set(Fate):
        return Reply(200, {"ok": False, "error": "token_revoked"})
    return Reply(200, {"ok": True, "team": "Acme", "user": "connwatch", "user_id": "U7"})


DIALECTS: dict[str, Callable[[Asked], Reply]] = {
    "anthropic": anthropic,
    "github": github,
    "gitlab": gitlab,
    "openai": openai,
    "shopify": shopify,
    "slack": slack,
}

PATHS = {
    "anthropic": "/v1/models?limit=1",
    "github": "/rate_limit",
    "gitlab": "/api/v4/personal_access_tokens/self",
    "openai": "/v1/models",
    "shopify": "/admin/api/2026-10/shop.json",
    "slack": "/api/auth.test",
}


class Speaker:
    """
    A server that speaks one dialect, and remembers what it was asked.
    """

    def __init__(self, name: str, speak: Callable[[Asked], Reply]) -> None:
        self.asked: list[Asked] = []
        self._path = PATHS.get(name, "/")
        speaker = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                self.rfile.read(length)
                headers = {name.lower(): text for name, text in self.headers.items()}
                asked = Asked(self.command, self.path, headers)
                speaker.asked.append(asked)
                reply = speak(asked)
                is_text = isinstance(reply.body, str)
                payload = (reply.body if is_text else json.dumps(reply.body)).encode()
                kind = "text/plain" if is_text else "application/json; charset=utf-8"
                fields = {"Content-Type": kind, "Content-Length": str(len(payload))}
                self.send_response(reply.status)
                for field_name, text in (fields | dict(reply.headers)).items():
                    self.send_header(field_name, text)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(payload)

            do_GET = do_POST = do_HEAD = do_OPTIONS = answer  # noqa: N815 - their names are given

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def url(self) -> str:
        """
        The address that the preset asks, moved to this machine.
        """
        return self.root + self._path


@contextmanager
def speaking(name: str, speak: Callable[[Asked], Reply] | None = None) -> Iterator[Speaker]:
    """
    Serve the dialect called *name*, or whatever *speak* says.
    """
    speaker = Speaker(name, speak or DIALECTS[name])
    thread = Thread(target=speaker.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield speaker
    finally:
        speaker.server.shutdown()
        speaker.server.server_close()
        thread.join()
