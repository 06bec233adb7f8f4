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
from typing import TYPE_CHECKING, Any

from monitor.simulator.answer import Answer, json_answer, write_instant
from monitor.simulator.errors import QuotaUsedUpError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.simulator.soldscope import Quota, Search, SoldScope, Token

LIMIT_HEADER = "X-API-RateLimit-Limit"
REMAINING_HEADER = "X-API-RateLimit-Remaining"
RESET_HEADER = "X-API-RateLimit-Reset"

PAGE_SIZE = 20
PRODUCTS_PER_SEARCH = 50
LAST_PAGE = -(-PRODUCTS_PER_SEARCH // PAGE_SIZE)
MAX_QUERY = 200
MAX_DIGITS = 12


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


def error_answer(
    status: int, error: str, message: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """
    Return the API's form of an error.
    """
    return json_answer(status, {"error": error, "message": message}, headers)


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
    if request.method != "GET":
        message = "The simulated endpoints know GET only."
        status = HTTPStatus.METHOD_NOT_ALLOWED
        return error_answer(status, "method_not_allowed", message, {"Allow": "GET"})
    match request.path:
        case "auth/check":
            return _auth_check(soldscope, token)
        case "account":
            return _account_info(soldscope, token, now)
        case "product-research/searches":
            return _past_searches(soldscope, token)
        case "product-research/products":
            return _products(soldscope, token, request.query, now)
        case _:
            return error_answer(HTTPStatus.NOT_FOUND, "not_found", "There is no such endpoint.")


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


def _past_searches(soldscope: SoldScope, token: Token) -> Answer:
    searches = [
        {"id": search.id, "query": search.query, "createdAt": write_instant(search.created_at)}
        for search in reversed(soldscope.account(token.account_id).searches)
    ]
    return json_answer(HTTPStatus.OK, {"searches": searches})


def _products(
    soldscope: SoldScope, token: Token, query: Mapping[str, str], now: datetime
) -> Answer:
    """
    Run a search, which is metered, or read a page of one that ran before.
    """
    numbers: dict[str, int] = {}
    for name in ("page", "searchId"):
        if name in query:
            number = _positive(query[name])
            if number is None:
                message = f"{name}: a whole number from 1."
                return error_answer(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", message)
            numbers[name] = number
    try:
        if "searchId" in numbers:
            search = soldscope.past_search(token.account_id, numbers["searchId"])
        else:
            search = soldscope.run_search(token.account_id, query.get("query", "")[:MAX_QUERY], now)
    except UnknownNameError as error:
        return error_answer(HTTPStatus.NOT_FOUND, "not_found", f"There is {error}.")
    except QuotaUsedUpError:
        message = "Your monthly quota is used up. It resets with the next billing cycle."
        return error_answer(HTTPStatus.PAYMENT_REQUIRED, "quota_exhausted", message)
    return json_answer(HTTPStatus.OK, _page_of(search, numbers.get("page", 1)))


def _positive(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        return None
    return int(text) or None


def _page_of(search: Search, page: int) -> dict[str, Any]:
    first = (page - 1) * PAGE_SIZE
    numbers = range(first, min(first + PAGE_SIZE, PRODUCTS_PER_SEARCH))
    products = [
        {"asin": f"B0{search.id % 10_000:04}{number:04}", "title": f"Simulated product {number}"}
        for number in numbers
    ]
    return {"searchId": search.id, "page": page, "pages": LAST_PAGE, "products": products}
