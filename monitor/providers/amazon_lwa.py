"""
Exchange a refresh token for an access token at Login with Amazon (LWA).

Decides what an answer of its token endpoint means: the error it names counts,
not the status. LWA says neither why a grant is gone nor which of id and secret
is wrong, so the texts do not pretend to know. When to ask again is left to
`amazon`.

Carry an answer of one of Amazon's hosts to where it is read.

Decides what all readings of Amazon's answers share: which outcome names the
host, when an answer asks for a pause, and that no secret is quoted. What an
answer means is left to `amazon_lwa` and `amazon_sellers`.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from monitor.judge.outcome import Outcome, OutcomeClass, Reason
from monitor.providers import answers as bodies
from monitor.providers.fetch import MAX_BODY, Failure, fetch_before
from monitor.providers.headers import parse_retry_after, read_server_date
from monitor.providers.transport import REPEATABLE

if TYPE_CHECKING:
    import httpx

    from monitor.providers.base import GrantLocks
    from monitor.providers.fetch import Answer, Deadline


SERVER_ERRORS = range(500, 600)
REDIRECTS = range(300, 400)
MAX_REQUEST_ID = 64

# A server may repeat a part of a secret, in which the secret is not to be found.
_SHAPES = re.compile(
    r"(?:\bAt(?:za|zr|c)(?:\||%7C)|\bamzn1\.oa2-cs\.)[^\s\"'<>,;&]+", re.IGNORECASE
)


def is_sendable(value: str) -> bool:
    """Tell whether *value* can travel in a header and a form as it is."""
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


@dataclass(frozen=True, slots=True)
class AmazonAnswer:
    """
    An answer, who gave it, and what must not be repeated of it.

    Args:
        host: Host and port, as outages are grouped by.
        secrets: All that was sent.
    """

    answer: Answer
    host: str
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def status(self) -> str:
        """The status, with its usual name."""
        try:
            return f"{self.answer.status} {HTTPStatus(self.answer.status).phrase}"
        except ValueError:
            return str(self.answer.status)

    def read_json(self) -> Any:
        """Return the JSON value that was answered, or None."""
        return bodies.parse_json(self.answer.body)

    def clean(self, text: str, length: int = bodies.MAX_MESSAGE) -> str:
        """Return *text* so that it can be shown."""
        whole = bodies.clean(text, self.secrets, len(text) * len(bodies.MASK) + 1)
        return bodies.clean(_SHAPES.sub(bodies.MASK, whole), self.secrets, length)

    def quote(self, text: object) -> str:
        """Return a sentence that quotes *text*; nothing if it is no text."""
        words = self.clean(text) if isinstance(text, str) else ""
        return f' Amazon says: "{words}"' if words else ""

    def describe(self) -> str:
        """Say in a few words what came instead of what was expected."""
        value = self.read_json()
        if isinstance(value, dict) and value and not any(map(value.get, bodies.ERROR_PLACES)):
            return "JSON of another shape"
        if self.answer.is_oversize:
            return f"more than {MAX_BODY // 1024} KiB"
        content_type = self.answer.headers.get("content-type", "")
        return self.clean(bodies.describe(self.answer.body, content_type, self.secrets))

    def conclude(self, reason: Reason, detail: str = "") -> Outcome:
        """Return an outcome; one that is inconclusive names the host."""
        is_inconclusive = reason.outcome_class is OutcomeClass.INCONCLUSIVE
        request_id = self.clean(self.answer.headers.get("x-amzn-requestid", ""), MAX_REQUEST_ID)
        return Outcome(
            reason,
            detail,
            http_status=self.answer.status,
            failed_host=self.host if is_inconclusive else None,
            request_id=request_id or None,
        )

    @property
    def asks_for_pause(self) -> bool:
        """Tell whether there were too many requests."""
        if self.answer.status == HTTPStatus.FORBIDDEN:
            return "retry-after" in self.answer.headers or bodies.says_rate_limited(
                self.answer.body
            )
        return self.answer.status == HTTPStatus.TOO_MANY_REQUESTS

    def conclude_pause(self) -> Outcome:
        """Return the outcome of too many requests, with the time that was asked for."""
        outcome = self.conclude(
            Reason.THROTTLED,
            f"{self.host} asks for a pause ({self.status}): too many requests."
            " The authorization is not in doubt; the next check waits.",
        )
        retry_after = self.answer.headers.get("retry-after")
        if retry_after is None:
            return outcome
        received_at = self.answer.received_at
        date = read_server_date(self.answer.headers, received_at)
        return replace(outcome, retry_at=parse_retry_after(retry_after, received_at, date))

    def conclude_failure(self) -> Outcome:
        """Return the outcome of a fault on Amazon's side."""
        return self.conclude(
            Reason.SERVER_ERROR,
            f"{self.host} failed on Amazon's side ({self.status})."
            " There is nothing to do here unless it lasts.",
        )


FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
MAX_TOKEN = 16 * 1024
"""Amazon names 2,048 bytes; what is longer than this fits into no header."""

_REVOKED = (
    Reason.AUTHORIZATION_REVOKED,
    (
        "Amazon refuses the refresh token ({error}): the seller revoked the authorization, it ran"
        " out, or the token is mistyped or belongs to another application. The seller must"
        " authorize the application again, and the new refresh token must be put in the old"
        " one's place."
    ),
)
_CLIENT_REJECTED = (
    Reason.CLIENT_REJECTED,
    (
        "Amazon refuses the application's client id or client secret ({error}): one of them is"
        " wrong, or the secret was rotated more than 7 days ago. The developer of the application"
        " must put the present ones into the configuration."
    ),
)
_CLIENT_UNAUTHORIZED = (
    Reason.CLIENT_REJECTED,
    (
        "Amazon does not let this client use refresh tokens ({error}): client_id may be another"
        " application's or no LWA client id, or the application is not enabled. The developer"
        " of the application must look into the Developer Console."
    ),
)
_DENIED = (
    Reason.PERMISSION_DENIED,
    (
        "Amazon denies the application access to this account ({error}). The developer of the"
        " application must look into the Developer Console, the seller under Manage Your Apps."
    ),
)
_FAILED = (
    Reason.SERVER_ERROR,
    (
        "Amazon could not exchange the refresh token ({error})."
        " There is nothing to do here unless it lasts."
    ),
)
_MEANINGS = {
    "invalid_grant": _REVOKED,
    "invalid_client": _CLIENT_REJECTED,
    "unauthorized_client": _CLIENT_UNAUTHORIZED,
    "access_denied": _DENIED,
    "server_error": _FAILED,
    "servererror": _FAILED,
    "temporarily_unavailable": _FAILED,
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    What one check sends.

    Args:
        access_token: What the others were exchanged for; empty before that.
    """

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_token: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be in no text."""
        return self.client_secret, self.refresh_token, self.access_token


class Lwa:
    """
    The token endpoint of Login with Amazon.

    Args:
        host: Host and port, as outages are grouped by.
        grants: Shared by all who exchange tokens.
    """

    def __init__(
        self, address: str, host: str, client: httpx.AsyncClient, grants: GrantLocks
    ) -> None:
        self._address = address
        self._host = host
        self._client = client
        self._grants = grants

    async def exchange(self, credentials: Credentials, deadline: Deadline) -> str | Outcome:
        """
        Return a new access token, or why there is none.

        One exchange per grant runs at a time; waiting for others counts in.
        """
        fetched = await self._fetch_in_turn(credentials, deadline)
        if isinstance(fetched, Failure):
            return Outcome(fetched.reason, fetched.detail, failed_host=self._host)
        return read_exchange(AmazonAnswer(fetched, self._host, credentials.secrets))

    async def _fetch_in_turn(
        self, credentials: Credentials, deadline: Deadline
    ) -> Answer | Failure:
        request = self._client.build_request(
            "POST",
            self._address,
            content=_write_form(credentials),
            headers=FORM,
            # The refresh token is not rotated by use (reference 1.2).
            extensions={REPEATABLE: True},
        )
        async with AsyncExitStack() as stack:
            turn = self._grants.turn(
                self._address, credentials.client_id, credentials.refresh_token
            )
            try:
                async with asyncio.timeout(deadline.left.total_seconds()):
                    await stack.enter_async_context(turn)
            except TimeoutError:
                return deadline.explain(self._host)
            return await fetch_before(deadline, self._client, request)


def _write_form(credentials: Credentials) -> bytes:
    return urlencode(
        {
            "grant_type": "refresh_token",
            "refresh_token": credentials.refresh_token,
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        }
    ).encode("ascii")


def read_exchange(heard: AmazonAnswer) -> str | Outcome:
    """Return the access token that was answered, or what the answer means instead."""
    if heard.asks_for_pause:
        return heard.conclude_pause()
    if heard.answer.status in SERVER_ERRORS:
        return heard.conclude_failure()
    value = heard.read_json()
    if heard.answer.status in REDIRECTS or not isinstance(value, dict):
        return _conclude_surprise(heard)
    error, description = value.get("error"), value.get("error_description")
    if not error:
        return _find_token(heard, value) or _conclude_surprise(heard)
    name = error.strip().lower() if isinstance(error, str) else ""
    if name not in _MEANINGS:
        return _conclude_surprise(heard, error, description)
    reason, text = _MEANINGS[name]
    return heard.conclude(reason, text.format(error=name) + heard.quote(description))


def _find_token(heard: AmazonAnswer, value: dict[str, Any]) -> str | None:
    token = value.get("access_token")
    if heard.answer.status != HTTPStatus.OK or not isinstance(token, str):
        return None
    return token if is_sendable(token) and len(token) <= MAX_TOKEN else None


def _conclude_surprise(heard: AmazonAnswer, *words: object) -> Outcome:
    if heard.answer.status in REDIRECTS:
        detail = (
            f"{heard.host} redirects ({heard.status}). Redirects are not followed, so that secrets"
            " stay where they belong: check token_url."
        )
    else:
        detail = (
            f"{heard.host} did not answer as Login with Amazon does ({heard.status}): expected"
            f" JSON with an access token, got {heard.describe()}."
            " This says nothing about the authorization; check token_url if it lasts."
        )
    said = ": ".join(word for word in words if isinstance(word, str))
    return heard.conclude(Reason.UNEXPECTED_RESPONSE, detail + heard.quote(said))
