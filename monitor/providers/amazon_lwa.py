"""Exchange a refresh token, or the code of a consent page, at Login with Amazon (LWA).

Decides what an answer of the token endpoint means: the error that it names counts, not the status.
LWA says neither why a grant is gone nor which of id and secret is wrong, so the texts do not
pretend to know. `AmazonAnswer` is what all readings of Amazon's answers share: an inconclusive
outcome names the host, and no secret is quoted.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from monitor.config.secret import SecretUnavailable
from monitor.judge.outcome import Outcome, OutcomeClass, Reason
from monitor.providers import answers as bodies
from monitor.providers.answers import MAX_TOKEN, REDIRECTS, SERVER_ERRORS
from monitor.providers.base import is_sendable, make_ready
from monitor.providers.fetcher import MAX_BODY, Deadline, Failure, fetch_before
from monitor.providers.headers import read_retry_at
from monitor.providers.masking import MASK, MAX_READ, clean
from monitor.providers.quota_headers import read_quota_headers
from monitor.providers.transport import REPEATABLE

if TYPE_CHECKING:
    from datetime import timedelta

    import httpx

    from monitor.config.connections import Application
    from monitor.providers.base import GrantLocks
    from monitor.providers.fetcher import Answer


MAX_REQUEST_ID = 64

# A server may repeat a part of a secret, in which the secret is not to be found.
_SHAPES = re.compile(
    r"(?:\bAt(?:za|zr|c)(?:\||%7C)|\bamzn1\.oa2-cs\.)[^\s\"'<>,;&]+", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class AmazonAnswer:
    """An answer, who gave it, and what must not be repeated of it.

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
        return bodies.name_status(self.answer)

    def read_json(self) -> Any:
        """Return the JSON value that was answered, or None."""
        return bodies.parse_json(self.answer.body)

    def clean(self, text: str, length: int = bodies.MAX_MESSAGE) -> str:
        """Return *text* so that it can be shown."""
        whole = clean(text, self.secrets, MAX_READ * len(MASK))
        return clean(_SHAPES.sub(MASK, whole), self.secrets, length)

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
    def is_throttled(self) -> bool:
        """Tell whether there were too many requests."""
        if self.answer.status == HTTPStatus.FORBIDDEN:
            quota = read_quota_headers(self.answer.headers, self.answer.received_at)
            return bodies.asks_for_pause(self.answer, quota.windows) or bodies.says_rate_limited(
                self.answer.body
            )
        return self.answer.status == HTTPStatus.TOO_MANY_REQUESTS

    def conclude_pause(self) -> Outcome:
        """Return the outcome of too many requests, with the time that was asked for."""
        outcome = self.conclude(
            Reason.THROTTLED,
            f"{self.host} is limiting requests ({self.status})."
            " The authorization is not in doubt; the next check waits.",
        )
        return replace(
            outcome, retry_at=read_retry_at(self.answer.headers, self.answer.received_at)
        )

    def conclude_failure(self) -> Outcome:
        """Return the outcome of a fault on Amazon's side."""
        return self.conclude(
            Reason.SERVER_ERROR,
            f"{self.host} failed on Amazon's side ({self.status})."
            " There is nothing to do here unless it lasts.",
        )


FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
_REVOKED = (
    Reason.AUTHORIZATION_REVOKED,
    "Amazon rejected the refresh token ({error}).",
)
_CLIENT_REJECTED = (
    Reason.CLIENT_REJECTED,
    "Amazon rejected the app's client ID or client secret ({error}).",
)
_CLIENT_UNAUTHORIZED = (
    Reason.CLIENT_REJECTED,
    (
        "Amazon rejected refresh tokens from this client ({error}): `client_id` may be another"
        " app's or no LWA client ID, or the app is not enabled."
    ),
)
_DENIED = (
    Reason.PERMISSION_DENIED,
    "Amazon denies the app access to this account ({error}).",
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
    """What one check sends; there is no access token before the others are exchanged for one."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_token: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be in no text."""
        return self.client_secret, self.refresh_token, self.access_token


async def exchange(
    app: Application,
    credentials: Credentials,
    client: httpx.AsyncClient,
    grants: GrantLocks,
    deadline: Deadline,
) -> str | Outcome:
    """Return a new access token, or why there is none; one exchange per grant runs at a time."""
    fields = {
        "grant_type": "refresh_token",
        "refresh_token": credentials.refresh_token,
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
    }
    request = _build_request(client, app.token_address, fields)
    # The refresh token is not rotated by use (reference 1.2).
    request.extensions[REPEATABLE] = True
    turn = grants.turn(app.token_address, credentials.client_id, credentials.refresh_token)
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(deadline.left.total_seconds()):
                await stack.enter_async_context(turn)
        except TimeoutError:
            fetched: Answer | Failure = deadline.explain(app.token_host)
        else:
            fetched = await fetch_before(deadline, client, request)
    if isinstance(fetched, Failure):
        return Outcome(fetched.reason, fetched.detail, failed_host=app.token_host)
    return read_exchange(AmazonAnswer(fetched, app.token_host, credentials.secrets))


def _build_request(
    client: httpx.AsyncClient, address: str, fields: dict[str, str]
) -> httpx.Request:
    content = urlencode(fields).encode("ascii")
    return client.build_request("POST", address, content=content, headers=FORM)


def read_exchange(heard: AmazonAnswer) -> str | Outcome:
    """Return the access token that was answered, or what the answer means instead."""
    if heard.is_throttled:
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
    return _sendable(value.get("access_token")) if heard.answer.status == HTTPStatus.OK else None


def _sendable(token: object) -> str | None:
    if isinstance(token, str) and is_sendable(token) and len(token) <= MAX_TOKEN:
        return token
    return None


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


INVALID_GRANT = (
    "Amazon does not take the code of the consent page any more: it works once, and for five"
    " minutes only."
)


class CodeRefused(Exception):  # noqa: N818 - it says what happened to the code
    """Raised when a code brought no refresh token; the text says why, for people."""


async def redeem_code(
    client: httpx.AsyncClient, app: Application, code: str, within: timedelta
) -> str:
    """Return the refresh token that *code*, of the consent page, stands for.

    A code works once and for five minutes, so that it is never sent twice.

    Raises:
        CodeRefused: Amazon does not give one.
    """
    await make_ready(app.client_secret)
    try:
        client_secret = app.client_secret.reveal()
    except SecretUnavailable as error:
        raise CodeRefused(f"The client secret cannot be read: {error}.") from None
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": app.client_id,
        "client_secret": client_secret,
    }
    if app.redirect_url is not None:
        fields["redirect_uri"] = app.redirect_url
    request = _build_request(client, app.token_address, fields)
    fetched = await fetch_before(Deadline(within), client, request)
    if isinstance(fetched, Failure):
        raise CodeRefused(fetched.detail)
    heard = AmazonAnswer(fetched, app.token_host, (client_secret, code))
    value = heard.read_json()
    if isinstance(value, dict) and value.get("error") == "invalid_grant":
        raise CodeRefused(INVALID_GRANT)
    read = read_exchange(heard)
    if isinstance(read, Outcome):
        raise CodeRefused(read.detail)
    token = _sendable(value.get("refresh_token"))
    if token is None:
        raise CodeRefused(f"{heard.host} answered without a refresh token.")
    return token
