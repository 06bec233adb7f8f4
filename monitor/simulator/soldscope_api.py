"""Answer requests to the SoldScope API.

Decides status, body and headers of an honest answer. Three calls are metered: a new product
search, and a new search by keyword or by products; all others are free. What `faults` make of an
answer is decided in `misbehave`; sending it is left to `server`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from monitor.simulator.base import (
    QuotaUsedUpError,
    SimulatedAnswer,
    SimulatorError,
    UnknownNameError,
    json_answer,
    write_instant,
)
from monitor.simulator.soldscope import SearchStatus, children_of, is_node, read_asins, read_keyword

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.simulator.soldscope import (
        AccountQuota,
        Category,
        LongSearch,
        Search,
        SoldScope,
        SoldscopeToken,
    )


PAGE_SIZE = 20
PRODUCTS_PER_SEARCH = 50
LAST_PAGE = -(-PRODUCTS_PER_SEARCH // PAGE_SIZE)
VARIATIONS_PER_PRODUCT = 3
MAX_QUERY = 200
MAX_DIGITS = 12

NODE_FILTER = "filters[categories][]"

START_PATH = "keyword-research/searches"
"""The one path that takes a POST: it starts a search that goes on for a while."""


def error_answer(
    status: int, error: str, message: str, headers: Mapping[str, str] | None = None
) -> SimulatedAnswer:
    """Return the API's form of an error."""
    return json_answer(status, {"error": error, "message": message}, headers)


class Research:
    """The research endpoints, asked by one account at one instant."""

    def __init__(self, soldscope: SoldScope, account_id: str, now: datetime) -> None:
        self._soldscope = soldscope
        self._account = soldscope.account(account_id)
        self._now = now

    def answer(self, path: str, query: Mapping[str, str], body: bytes) -> SimulatedAnswer:
        """Answer a request; one path starts a search, all others find something."""
        try:
            return self._start(body) if path == START_PATH else self._find(path, query)
        except UnknownNameError as error:
            return error_answer(HTTPStatus.NOT_FOUND, "not_found", f"There is {error}.")
        except QuotaUsedUpError:
            message = "Your monthly quota is used up. It resets with the next billing cycle."
            return error_answer(HTTPStatus.PAYMENT_REQUIRED, "quota_exhausted", message)
        except SimulatorError as error:
            return error_answer(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", f"{error}.")

    def _find(self, path: str, query: Mapping[str, str]) -> SimulatedAnswer:  # noqa: PLR0911 - a route a line
        match path.split("/"):
            case ["product-research", "searches"]:
                return self._past_searches()
            case ["product-research", "products"]:
                return self._products(query)
            case ["product-research", "products", asin, "variations"]:
                return self._variations(asin, query)
            case ["product-research", "categories"]:
                return _categories(children_of(None))
            case ["product-research", "categories", number, "children"]:
                return _categories(children_of(_whole("id", number)))
            case ["keyword-research", "searches", number]:
                return self._results(_whole("id", number))
            case ["keyword-research", "searches", number, "progress"]:
                return self._progress(_whole("id", number))
            case _:
                return error_answer(HTTPStatus.NOT_FOUND, "not_found", "There is no such endpoint.")

    def _past_searches(self) -> SimulatedAnswer:
        searches = [
            {"id": search.id, "query": search.query, "createdAt": write_instant(search.created_at)}
            for search in reversed(self._account.searches)
        ]
        return json_answer(HTTPStatus.OK, {"searches": searches})

    def _products(self, query: Mapping[str, str]) -> SimulatedAnswer:
        """Run a search, which is metered, or read a page of one that ran before."""
        page = _whole("page", query.get("page", "1"))
        if NODE_FILTER in query and not is_node(query[NODE_FILTER]):
            raise SimulatorError(f"{NODE_FILTER}: a nodeId of Amazon's, not an id of SoldScope's")
        if "searchId" in query:
            number = _whole("searchId", query["searchId"])
            search = self._account.replay(number, self._now)
        else:
            text = query.get("query", "")[:MAX_QUERY]
            search = self._soldscope.run_search(self._account.id, text, self._now)
        return json_answer(HTTPStatus.OK, _page_of(search, page))

    def _variations(self, asin: str, query: Mapping[str, str]) -> SimulatedAnswer:
        number = _whole("searchId", query.get("searchId", ""))
        search = self._account.past_search(number)
        if not self._account.has_variations(number, self._now):
            message = "no variations at hand any more; replay the search to have them again"
            raise UnknownNameError(message)
        found = {
            each["asin"] for page in range(1, LAST_PAGE + 1) for each in _products(search, page)
        }
        if asin not in found:
            raise UnknownNameError(f"no product {asin[:40]!r} in search {number}")
        variations = [
            {"asin": f"{asin[:-1]}{letter}", "title": f"Variation {letter}"}
            for letter in "ABC"[:VARIATIONS_PER_PRODUCT]
        ]
        return json_answer(HTTPStatus.OK, {"asin": asin, "variations": variations})

    def _start(self, body: bytes) -> SimulatedAnswer:
        search = self._soldscope.start_search(self._account.id, _read_subject(body), self._now)
        return json_answer(HTTPStatus.OK, {"id": search.id, "status": SearchStatus.STARTED})

    def _progress(self, number: int) -> SimulatedAnswer:
        search = self._account.long_search(number)
        return json_answer(HTTPStatus.OK, describe_search(search, self._now))

    def _results(self, number: int) -> SimulatedAnswer:
        search = self._account.long_search(number)
        status = search.status(self._now)
        if status not in {SearchStatus.COMPLETED, SearchStatus.FAILED}:
            message = "The search still runs: ask for its progress."
            return error_answer(HTTPStatus.CONFLICT, "still_running", message)
        keywords = [] if status is SearchStatus.FAILED else _keywords(search)
        return json_answer(HTTPStatus.OK, {"id": search.id, "keywords": keywords})


def describe_search(search: LongSearch, now: datetime) -> dict[str, Any]:
    """Return how far a search has come."""
    return {"id": search.id, "searchStatus": search.status(now), "progress": search.progress(now)}


def _read_subject(body: bytes) -> tuple[str, ...]:
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    match fields:
        case {"keyword": str() as keyword, **rest} if not rest:
            return read_keyword(keyword)
        case {"asins": list() as asins, **rest} if not rest:
            return read_asins([str(asin) for asin in asins])
        case _:
            raise SimulatorError('send {"keyword": "…"} or {"asins": ["…", "…"]} as JSON')


def _whole(name: str, text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS and int(text):
        return int(text)
    raise SimulatorError(f"{name}: a whole number from 1")


def _categories(categories: list[Category]) -> SimulatedAnswer:
    listed = [{"id": each.id, "nodeId": each.node_id, "name": each.name} for each in categories]
    return json_answer(HTTPStatus.OK, {"categories": listed})


def _keywords(search: LongSearch) -> list[dict[str, Any]]:
    return [
        {"keyword": f"{subject.lower()} {number}", "volume": 1000 - number}
        for subject in search.subject
        for number in range(1, 6)
    ]


def _products(search: Search, page: int) -> list[dict[str, str]]:
    first = (page - 1) * PAGE_SIZE
    numbers = range(first, min(first + PAGE_SIZE, PRODUCTS_PER_SEARCH))
    return [
        {"asin": f"B0{search.id % 10_000:04}{number:04}", "title": f"Simulated product {number}"}
        for number in numbers
    ]


def _page_of(search: Search, page: int) -> dict[str, Any]:
    products = _products(search, page)
    return {"searchId": search.id, "page": page, "pages": LAST_PAGE, "products": products}


LIMIT_HEADER = "X-API-RateLimit-Limit"
REMAINING_HEADER = "X-API-RateLimit-Remaining"
RESET_HEADER = "X-API-RateLimit-Reset"


class ResetForm(StrEnum):
    """The forms in which services write the date of the next reset."""

    DATE = "date"
    RFC3339 = "rfc3339"
    EPOCH = "epoch"
    HTTP_DATE = "http_date"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class Request:
    """What the API looks at in a request, apart from its token.

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
    """Return the token in an `Authorization` header, if it is one of the form `Bearer …`."""
    scheme, _, value = authorization.strip().partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


def quota_headers(quota: AccountQuota, form: ResetForm, now: datetime) -> dict[str, str]:
    """Return the three headers that every answer to a known account carries."""
    return {
        LIMIT_HEADER: str(quota.limit),
        REMAINING_HEADER: str(quota.remaining),
        RESET_HEADER: write_reset(quota.resets_at, form, now),
    }


def write_reset(resets_at: datetime, form: ResetForm, now: datetime) -> str:
    """Write the instant of the next reset."""
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


def answer_request(
    soldscope: SoldScope, token: SoldscopeToken, request: Request, now: datetime
) -> SimulatedAnswer:
    """Answer a request that carried a live token."""
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


def _auth_check(soldscope: SoldScope, token: SoldscopeToken) -> SimulatedAnswer:
    account = soldscope.account(token.account_id)
    body = {"id": account.id, "name": account.name, "email": account.email, "plan": account.plan}
    return json_answer(HTTPStatus.OK, {**body, "token": {"name": token.name}})


def _account_info(soldscope: SoldScope, token: SoldscopeToken, now: datetime) -> SimulatedAnswer:
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
