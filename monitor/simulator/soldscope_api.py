"""
Answer requests to the SoldScope API.

Decides status, body and headers of an honest answer. What `faults` make of it
is decided in `misbehave`; sending it is left to `server`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from monitor.simulator.answer import json_answer, write_instant
from monitor.simulator.soldscope_research import START_PATH, Research, error_answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.simulator.answer import Answer
    from monitor.simulator.soldscope import Quota, SoldScope, Token

LIMIT_HEADER = "X-API-RateLimit-Limit"
REMAINING_HEADER = "X-API-RateLimit-Remaining"
RESET_HEADER = "X-API-RateLimit-Reset"


class ResetForm(StrEnum):
    """
    The forms in which services write the date of the next reset.
    """

    DATE = "date"
    RFC3339 = "rfc3339"
    EPOCH = "epoch"
    HTTP_DATE = "http_date"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class Request:
    """
    What the API looks at in a request, apart from its token.

    Args:
        path: Below the API's base URL, without a leading slash.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


UNAUTHORIZED = replace(
    error_answer(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "The token is missing, unknown or revoked.",
        {"WWW-Authenticate": "Bearer"},
    ),
    is_of_account=False,
)


def bearer_value(authorization: str) -> str | None:
    """
    Return the token in an `Authorization` header, if it is one of the form `Bearer …`.
    """
    scheme, _, value = authorization.strip().partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


def quota_headers(quota: Quota, form: ResetForm, now: datetime) -> dict[str, str]:
    """
    Return the three headers that every answer to a known account carries.
    """
    return {
        LIMIT_HEADER: str(quota.limit),
        REMAINING_HEADER: str(quota.remaining),
        RESET_HEADER: write_reset(quota.resets_at, form, now),
    }


def write_reset(resets_at: datetime, form: ResetForm, now: datetime) -> str:
    """
    Write the instant of the next reset.
    """
    match form:
        case ResetForm.DATE:
            return resets_at.date().isoformat()
        case ResetForm.RFC3339:
            return write_instant(resets_at)
        case ResetForm.EPOCH:
            return str(int(resets_at.timestamp()))
        case ResetForm.HTTP_DATE:
            return format_datetime(resets_at, usegmt=True)
        case ResetForm.DELTA:
            return str(int((resets_at - now).total_seconds()))


def answer_request(soldscope: SoldScope, token: Token, request: Request, now: datetime) -> Answer:
    """
    Answer a request that carried a live token.
    """
    allowed = "POST" if request.path == START_PATH else "GET"
    if request.method != allowed:
        message = f"The simulated endpoint knows {allowed} only."
        status = HTTPStatus.METHOD_NOT_ALLOWED
        return error_answer(status, "method_not_allowed", message, {"Allow": allowed})
    match request.path:
        case "auth/check":
            return _auth_check(soldscope, token)
        case "account":
            return _account_info(soldscope, token, now)
        case path:
            return Research(soldscope, token.account_id, now).answer(
                path, request.query, request.body
            )


def _auth_check(soldscope: SoldScope, token: Token) -> Answer:
    account = soldscope.account(token.account_id)
    body = {"id": account.id, "name": account.name, "email": account.email, "plan": account.plan}
    return json_answer(HTTPStatus.OK, {**body, "token": {"name": token.name}})


def _account_info(soldscope: SoldScope, token: Token, now: datetime) -> Answer:
    account = soldscope.account(token.account_id)
    quota = soldscope.quota(account.id, now)
    body = {
        "id": account.id,
        "name": account.name,
        "email": account.email,
        "plan": account.plan,
        "quota": {
            "limit": quota.limit,
            "used": quota.used,
            "remaining": quota.remaining,
            "resetsOn": quota.resets_at.date().isoformat(),
        },
    }
    return json_answer(HTTPStatus.OK, body)
