"""Check a SoldScope token and read past searches, without ever spending the quota.

Decides what is called, and what an answer says about searches; what an answer means for the token
is decided in `answers`, what its headers say of the quota in `headers`. Nothing in here can start a
search: it sends GET, and only to `FREE_PATHS`. How often to look at a search is left to the caller.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from monitor.config.secret import MalformedSecret
from monitor.judge.outcome import OutcomeClass
from monitor.providers.answers import (
    BAD_REQUESTS,
    name_status,
    parse_json,
    read_outcome,
    server_message,
)
from monitor.providers.base import (
    Prepared,
    Requester,
    UnreadableFields,
    UnsendableError,
    is_sendable,
    make_ready,
)
from monitor.providers.fetcher import Answer, Failure, fetch
from monitor.providers.headers import read_pause, read_soldscope_quota
from monitor.providers.masking import clean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from monitor.config.connections import SoldscopeConnection
    from monitor.judge.outcome import Outcome


CHECK_PATH = "/auth/check"
SEARCHES_PATH = "/product-research/searches"
FREE_PATHS = (CHECK_PATH, SEARCHES_PATH, "/keyword-research/searches/{id}/progress")
"""
All that may ever be called: the FAQ says that authentication and what was saved before are not
metered, and that progress may be asked for every few seconds.
"""

SEARCH_ID = re.compile("[0-9A-Za-z_-]{1,64}", re.ASCII)
"""What can stand for `{id}`: nothing that would make another path of it."""

_FREE = re.compile(
    "|".join(re.escape(path).replace(r"\{id\}", SEARCH_ID.pattern) for path in FREE_PATHS), re.ASCII
)

UNSENDABLE = (
    "The token cannot be sent: it is empty or holds spaces, line breaks or letters outside ASCII."
    " Copy it again from where it was created."
)
RENEWAL = "Create a new one under API Access in your SoldScope account."


class SoldscopeChecker:
    """Check one SoldScope connection; ValueError means settings that cannot work."""

    def __init__(
        self, connection: SoldscopeConnection, client: httpx.AsyncClient, timeout: timedelta
    ) -> None:
        free_url(connection.called_url, CHECK_PATH)
        read_auth(connection.auth)
        self._connection = connection
        self._client = client
        self._requester = Requester((connection.token,), client, timeout)
        self._unreadable = UnreadableFields(connection.name)
        self._unreadable_pause = UnreadableFields(connection.name, "pause.unreadable")

    async def check(self) -> Outcome:
        """Check whether the token works; a refusal counts only if no newer token is at hand."""
        return await self._requester.request(self._prepare, self._read)

    def _prepare(self) -> Prepared:
        return _prepare(self._connection, CHECK_PATH, self._client)

    def _read(self, answer: Answer, prepared: Prepared) -> Outcome:
        quota, unreadable = read_soldscope_quota(answer.headers, answer.received_at)
        self._unreadable.log(answer, unreadable, prepared.token)
        _, unreadable_pauses = read_pause(answer.headers, answer.received_at)
        self._unreadable_pause.log(answer, unreadable_pauses, prepared.token)
        outcome = read_outcome(answer, quota, prepared.token, "")
        return replace(outcome, unreadable_quota=tuple(unreadable))


def _prepare(connection: SoldscopeConnection, path: str, client: httpx.AsyncClient) -> Prepared:
    """Return the request for a path that costs nothing; raise UnsendableError for odd tokens."""
    url = free_url(connection.called_url, path)
    header, prefix = read_auth(connection.auth)
    token = connection.token.reveal()
    if not is_sendable(token):
        raise UnsendableError(UNSENDABLE)
    return Prepared(
        client.build_request("GET", url, headers={header: prefix + token}), (token,), token
    )


@lru_cache(maxsize=64)  # thousands of connections share an address
def free_url(base_url: str, path: str) -> httpx.URL:
    """Return the address of a path that costs nothing; refuse any other."""
    if not _FREE.fullmatch(path):
        raise ValueError(f"{path} is not known to be free of charge: only {', '.join(FREE_PATHS)}")
    base = httpx.URL(base_url)
    if base.query or base.fragment or base.userinfo or not base.host:
        raise ValueError("base_url: expected scheme, host and path only")
    return httpx.URL(base_url.rstrip("/") + path)


def read_auth(auth: str) -> tuple[str, str]:
    """Return the header that carries the token, and what stands before it there."""
    if auth == "bearer":
        return "Authorization", "Bearer "
    kind, _, name = auth.partition(":")
    if kind != "header" or not name:
        # Not repeated: this is where people paste the token itself.
        raise ValueError("auth: expected bearer or header:NAME")
    return name, ""


COMPLETED, FAILED = 2, 13
"""The numbers of `searchStatus` after which nothing changes any more."""

MAX_TEXT = 200
FOR_A_MOMENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
"""The statuses from 400 to 499 after which asking again may help, beside a plea for a pause."""

LIST_PLACES = ("searches", "data", "items", "results")
TEXT_FIELDS = ("query", "keyword", "name", "title")
PROGRESS_FIELDS = ("progress", "percent", "percentage")


@dataclass(frozen=True, slots=True)
class PastSearch:
    """A search that was made before; *created_at* is as the service writes it."""

    id: str
    text: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search has come: the service's `searchStatus`, and the percent if it says so."""

    status: int
    percent: float | None

    @property
    def is_over(self) -> bool:
        """Tell whether nothing will change any more."""
        return self.status in {COMPLETED, FAILED}

    @property
    def is_completed(self) -> bool:
        """Tell whether there are results to fetch."""
        return self.status == COMPLETED


class SearchFailureKind(StrEnum):
    """What stands in the way of an answer."""

    REFUSED = "refused"
    USED_UP = "used_up"
    NO_SUCH_SEARCH = "no_such_search"
    REQUEST_REFUSED = "request_refused"
    """The token is not what is wrong, and the same request gets the same answer again."""
    HICCUP = "hiccup"
    """It may be over in a moment: the network, the service's own side, a plea for a pause."""


@dataclass(frozen=True, slots=True)
class SearchFailure:
    """Why there is no answer, in words for people, and when the service may be called again."""

    kind: SearchFailureKind
    detail: str
    retry_at: datetime | None = None


class SearchReader:
    """Read the searches of one SoldScope connection."""

    def __init__(
        self, connection: SoldscopeConnection, client: httpx.AsyncClient, timeout: timedelta
    ) -> None:
        self._connection = connection
        self._client = client
        self._timeout = timeout

    async def list_past(self) -> list[PastSearch] | SearchFailure:
        """Return the past searches, as the service orders them, or raise SecretUnavailable."""
        answer, token = await self._fetch(SEARCHES_PATH)
        if isinstance(answer, SearchFailure):
            return answer
        found = read_past(answer, token)
        return _surprise(answer, "a list of searches") if found is None else found

    async def read_progress(self, search_id: str) -> Progress | SearchFailure:
        """Return how far the search with this id has come.

        Raises:
            SecretUnavailable: The token cannot be read.
            ValueError: No search can have this id.
        """
        answer, _ = await self._fetch(f"/keyword-research/searches/{search_id}/progress")
        if isinstance(answer, SearchFailure):
            return answer
        return read_progress(answer) or _surprise(answer, "the progress of a search")

    async def _fetch(self, path: str) -> tuple[Answer | SearchFailure, str]:
        """Return an answer with status 200, or why there is none, and the token that was sent."""
        await make_ready(self._connection.token)
        try:
            prepared = _prepare(self._connection, path, self._client)
        except UnsendableError as error:
            return SearchFailure(SearchFailureKind.REFUSED, str(error)), ""
        except MalformedSecret as error:
            detail = f"The token cannot be used: {error.explain()}."
            return SearchFailure(SearchFailureKind.REFUSED, detail), ""
        token = prepared.token
        match await fetch(self._client, prepared.request, self._timeout):
            case Failure(_, detail):
                return SearchFailure(SearchFailureKind.HICCUP, detail), token
            case answer if answer.status == HTTPStatus.OK:
                return answer, token
            case answer:
                return _read_search_failure(answer, token), token


def _read_search_failure(answer: Answer, token: str) -> SearchFailure:
    quota, _ = read_soldscope_quota(answer.headers, answer.received_at)
    outcome = read_outcome(answer, quota, token, RENEWAL)
    if outcome.is_payment_required:
        detail = (
            f"The quota of this billing cycle is used up ({answer.status}): asking again will not"
            " help."
        )
        return SearchFailure(SearchFailureKind.USED_UP, detail)
    if answer.status == HTTPStatus.NOT_FOUND:
        detail = "There is no such search (404): it may be another account's, or too old."
        return SearchFailure(SearchFailureKind.NO_SUCH_SEARCH, detail)
    if outcome.reason.outcome_class is OutcomeClass.REFUSAL:
        return SearchFailure(SearchFailureKind.REFUSED, outcome.detail)
    if (
        answer.status in BAD_REQUESTS
        and answer.status not in FOR_A_MOMENT
        # A page in the API's place is not about the search.
        and answer.status != HTTPStatus.FORBIDDEN
        and outcome.reason.outcome_class is not OutcomeClass.THROTTLED
    ):
        detail = f"The API rejected this request ({name_status(answer)}). Check the id."
        words = server_message(answer, token)
        return SearchFailure(SearchFailureKind.REQUEST_REFUSED, detail + words)
    return SearchFailure(SearchFailureKind.HICCUP, outcome.detail, outcome.retry_at)


def _surprise(answer: Answer, expected: str) -> SearchFailure:
    # A maintenance page comes with 200 as well, and goes.
    size = "more than can be read" if answer.is_oversize else "something else"
    detail = f"The response (200) is not the API's: expected {expected}, got {size}."
    return SearchFailure(SearchFailureKind.HICCUP, detail)


def read_past(answer: Answer, token: str) -> list[PastSearch] | None:
    """Return the searches that *answer* lists; None if it holds no list."""
    value = parse_json(answer.body)
    if isinstance(value, dict):
        value = next((value[name] for name in LIST_PLACES if name in value), None)
    return list(_read_entries(value, token)) if isinstance(value, list) else None


def _read_entries(entries: list[Any], token: str) -> Iterator[PastSearch]:
    for each in entries:
        number = each.get("id") if isinstance(each, dict) else None
        # True is an int to Python, and no id.
        if not isinstance(number, str | int) or isinstance(number, bool):
            continue
        texts = (each[name] for name in TEXT_FIELDS if isinstance(each.get(name), str))
        at = each.get("createdAt", each.get("created_at"))
        yield PastSearch(
            clean(str(number), token, MAX_TEXT),
            clean(next(texts, ""), token, MAX_TEXT),
            clean(at, token, MAX_TEXT) if isinstance(at, str) else "",
        )


def read_progress(answer: Answer) -> Progress | None:
    """Return how far the search with this id has come; raise SecretUnavailable or ValueError."""
    value = parse_json(answer.body)
    inner = value.get("data") if isinstance(value, dict) else None
    for place in (value, inner):
        if not isinstance(place, dict):
            continue
        status = place.get("searchStatus")
        if isinstance(status, int) and not isinstance(status, bool):
            return Progress(status, _read_percent(place))
    return None


def _read_percent(place: dict[str, Any]) -> float | None:
    for name in PROGRESS_FIELDS:
        value = place.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100:  # noqa: PLR2004 - percent
            return float(value)
    return None
