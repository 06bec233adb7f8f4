"""
Exchange the code of a consent page for a refresh token, at Login with Amazon.

Decides what an answer to that means for the person who has just confirmed. A
code works once and for five minutes, so that it is never sent twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from monitor.check.amazon_answer import Heard, is_sendable
from monitor.check.amazon_lwa import FORM, MAX_TOKEN, read_exchange
from monitor.check.deadline import Deadline, fetch_before
from monitor.check.http import Failure
from monitor.config.secret import SecretUnavailable
from monitor.judge.outcome import Outcome

if TYPE_CHECKING:
    from datetime import timedelta

    import httpx

    from monitor.check.amazon import App

INVALID_GRANT = (
    "Amazon does not take the code of the consent page any more: it works once, and for five"
    " minutes only."
)


class CodeRefused(Exception):  # noqa: N818 - it says what happened to the code
    """
    Raised when a code brought no refresh token; the text says why, for people.
    """


async def redeem_code(
    client: httpx.AsyncClient,
    app: App,
    code: str,
    redirect_url: str | None,
    within: timedelta,
) -> str:
    """
    Return the refresh token that *code* stands for.

    Raises:
        CodeRefused: Amazon does not give one.
    """
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
    if redirect_url is not None:
        fields["redirect_uri"] = redirect_url
    request = client.build_request(
        "POST", app.token_address, content=urlencode(fields).encode("ascii"), headers=FORM
    )
    fetched = await fetch_before(Deadline(within), client, request)
    if isinstance(fetched, Failure):
        raise CodeRefused(fetched.detail)
    return _find_token(Heard(fetched, app.token_host, (client_secret, code)))


def _find_token(heard: Heard) -> str:
    value = heard.read_json()
    if isinstance(value, dict) and value.get("error") == "invalid_grant":
        raise CodeRefused(INVALID_GRANT)
    read = read_exchange(heard)
    if isinstance(read, Outcome):
        raise CodeRefused(read.detail)
    token = value.get("refresh_token")
    if not isinstance(token, str) or not is_sendable(token) or len(token) > MAX_TOKEN:
        raise CodeRefused(f"{heard.host} answered without a refresh token.")
    return token
