"""
Exchange a refresh token for an access token at Login with Amazon (LWA).

Decides what an answer of its token endpoint means: the error it names counts,
not the status. LWA says neither why a grant is gone nor which of id and secret
is wrong, so the texts do not pretend to know. When to ask again is left to
`amazon`.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from monitor.check.amazon_answer import REDIRECTS, SERVER_ERRORS, Heard, is_sendable
from monitor.check.carry import REPEATABLE
from monitor.check.deadline import fetch_before
from monitor.check.http import Failure
from monitor.judge.outcome import Outcome, Reason

if TYPE_CHECKING:
    import httpx

    from monitor.check.deadline import Deadline
    from monitor.check.grants import Grants
    from monitor.check.http import Answer

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
        """
        What must be in no text.
        """
        return self.client_secret, self.refresh_token, self.access_token


class Lwa:
    """
    The token endpoint of Login with Amazon.

    Args:
        host: Host and port, as outages are grouped by.
        grants: Shared by all who exchange tokens.
    """

    def __init__(self, address: str, host: str, client: httpx.AsyncClient, grants: Grants) -> None:
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
        return read_exchange(Heard(fetched, self._host, credentials.secrets))

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


def read_exchange(heard: Heard) -> str | Outcome:
    """
    Return the access token that was answered, or what the answer means instead.
    """
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


def _find_token(heard: Heard, value: dict[str, Any]) -> str | None:
    token = value.get("access_token")
    if heard.answer.status != HTTPStatus.OK or not isinstance(token, str):
        return None
    return token if is_sendable(token) and len(token) <= MAX_TOKEN else None


def _conclude_surprise(heard: Heard, *words: object) -> Outcome:
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
