"""
Answer calls to a regional host of the Selling Partner API.

Decides which paths there are, which access tokens are let in and how a refusal
looks. The Sellers API itself is in `amazon_sellers`, the new client secrets are
in `amazon_rotation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from monitor.simulator.amazon_faults import AmazonFault
from monitor.simulator.amazon_stores import StoreState
from monitor.simulator.amazon_tokens import ACCESS_TOKEN_LIFE
from monitor.simulator.answer import json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.simulator.amazon import Amazon
    from monitor.simulator.amazon_marketplaces import Region
    from monitor.simulator.amazon_tokens import AccessToken
    from monitor.simulator.answer import Answer
    from monitor.simulator.fault_values import Value

TOKEN_HEADER = "x-amz-access-token"  # noqa: S105 - the name of a header
RATE_HEADER = "x-amzn-RateLimit-Limit"
ERROR_HEADER = "x-amzn-ErrorType"

DENIED = "Access to requested resource is denied."
MISSING = "Access token is missing in the request header."
EXPIRED = "The access token you provided has expired."
REFUSED = "The access token you provided is revoked, malformed or invalid."
SECRET_EXPIRED = "The LWA secret token you provided has expired."  # noqa: S105 - a text


@dataclass(frozen=True, slots=True)
class SpCall:
    """
    What a regional host looks at in a call.

    Args:
        region: Whose host was called.
        path: Without a leading slash.
        token: The value of the token header.
        has_body: A body or its length came along.
    """

    region: Region
    method: str
    path: str
    token: str | None = None
    has_body: bool = False


class SpError(Exception):
    """
    A call that is refused, with the answer that says so.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


def sp_error(status: int, code: str, message: str, details: str | None = None) -> Answer:
    """
    Return the API's envelope of an error; None leaves `details` out.
    """
    error = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    headers = {ERROR_HEADER: "AccessDeniedException"} if status == HTTPStatus.FORBIDDEN else {}
    return json_answer(status, {"errors": [error]}, headers)


def denied(details: str) -> Answer:
    """
    Return a refusal of the token or of what it may do.
    """
    return sp_error(HTTPStatus.FORBIDDEN, "Unauthorized", DENIED, details)


def not_routed() -> Answer:
    """
    Return what a path or method that is not known gets.
    """
    return sp_error(HTTPStatus.FORBIDDEN, "MissingAuthenticationToken", DENIED)


def throttled() -> Answer:
    """
    Return what an empty bucket answers: no word about when it fills up.
    """
    message = "You exceeded your quota for the requested resource."
    return sp_error(HTTPStatus.TOO_MANY_REQUESTS, "QuotaExceeded", message, "")


def find_token(
    amazon: Amazon, call: SpCall, faults: Mapping[AmazonFault, Value], now: datetime
) -> AccessToken:
    """
    Return what the call's token stands for, or refuse it.

    Raises `SpError`.
    """
    if not call.token:
        raise SpError(denied(MISSING))
    token = amazon.access_tokens.find(call.token)
    if token is None or token.is_spoiled:
        raise SpError(denied(REFUSED))
    life = ACCESS_TOKEN_LIFE.total_seconds()
    early = faults.get(AmazonFault.EARLY_TOKEN_DEATH)
    if (now - token.issued_at).total_seconds() >= (life if early is None else float(early)):
        raise SpError(denied(EXPIRED))
    if token.is_of_expired_secret:
        raise SpError(denied(SECRET_EXPIRED))
    if token.grant is not None and amazon.policy.revoking_ends_access_tokens:
        if amazon.state_of(token.grant, now) is not StoreState.LIVE:
            raise SpError(denied(REFUSED))
    return token
