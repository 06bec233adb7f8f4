"""
Read past searches of SoldScope, and how far one has come, without spending quota.

Decides what an answer says about searches; what one that is none means (a
refused token, a used-up quota, trouble on the way) is read as checks read it.
How often to ask, and when to give up, is left to the caller. Nothing in here can
start a search: it asks with GET, and only for `soldscope.FREE_PATHS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from monitor.check.body import clean, parse_json
from monitor.check.http import Answer, Failure, fetch
from monitor.check.quota import read_soldscope_quota
from monitor.check.soldscope import RENEWAL, UNSENDABLE, can_be_sent, free_url, read_auth
from monitor.check.token_api import BAD_REQUESTS, name_status, read_outcome, server_words
from monitor.judge.outcome import OutcomeClass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    import httpx

    from monitor.check.asking import Token
    from monitor.config.soldscope import SoldscopeConnection

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
    """
    A search that was made before.

    Args:
        created_at: As the service writes it.
    """

    id: str
    text: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a search has come.

    Args:
        status: The service's `searchStatus`.
        percent: None where the answer does not say.
    """

    status: int
    percent: float | None

    @property
    def is_over(self) -> bool:
        """
        Tell whether nothing will change any more.
        """
        return self.status in {COMPLETED, FAILED}

    @property
    def is_completed(self) -> bool:
        """
        Tell whether there are results to fetch.
        """
        return self.status == COMPLETED


class TroubleKind(StrEnum):
    """
    What stands in the way of an answer.
    """

    REFUSED = "refused"
    USED_UP = "used_up"
    NO_SUCH_SEARCH = "no_such_search"
    REQUEST_REFUSED = "request_refused"
    """The token is not what is wrong, and the same request gets the same answer again."""
    HICCUP = "hiccup"
    """It may be over in a moment: the network, the service's own side, a plea for a pause."""


@dataclass(frozen=True, slots=True)
class SearchTrouble:
    """
    Why there is no answer, in words for people.

    Args:
        retry_at: When the service wants to be asked again.
    """

    kind: TroubleKind
    detail: str
    retry_at: datetime | None = None


class SearchReader:
    """
    Ask about the searches of one SoldScope connection.
    """

    def __init__(
        self, connection: SoldscopeConnection, client: httpx.AsyncClient, timeout: timedelta
    ) -> None:
        self._base_url = connection.base_url
        self._token: Token = connection.token
        self._header, self._prefix = read_auth(connection.auth)
        self._client = client
        self._timeout = timeout

    async def list_past(self) -> list[PastSearch] | SearchTrouble:
        """
        Return the searches of the past, as the service orders them.

        Raises:
            SecretUnavailable: The token cannot be read.
        """
        answer, token = await self._ask("/product-research/searches")
        if isinstance(answer, SearchTrouble):
            return answer
        found = _find_list(answer)
        if found is None:
            return _surprise(answer, "a list of searches")
        return list(_read_past(found, token))

    async def read_progress(self, search_id: str) -> Progress | SearchTrouble:
        """
        Return how far the search with this id has come.

        Raises:
            SecretUnavailable: The token cannot be read.
            ValueError: No search can have this id.
        """
        answer, _ = await self._ask(f"/keyword-research/searches/{search_id}/progress")
        if isinstance(answer, SearchTrouble):
            return answer
        return _read_progress(answer) or _surprise(answer, "the progress of a search")

    async def _ask(self, path: str) -> tuple[Answer | SearchTrouble, str]:
        """
        Return an answer with status 200, or why there is none, and the token that was sent.
        """
        url = free_url(self._base_url, path)
        token = self._token.reveal()
        if not can_be_sent(token):
            return SearchTrouble(TroubleKind.REFUSED, UNSENDABLE), token
        headers = {self._header: self._prefix + token}
        request = self._client.build_request("GET", url, headers=headers)
        match await fetch(self._client, request, self._timeout):
            case Failure(_, detail):
                return SearchTrouble(TroubleKind.HICCUP, detail), token
            case answer if answer.status == HTTPStatus.OK:
                return answer, token
            case answer:
                return _read_trouble(answer, token), token


def _read_trouble(answer: Answer, token: str) -> SearchTrouble:
    quota, _ = read_soldscope_quota(answer.headers, answer.received_at)
    outcome = read_outcome(answer, quota, token, RENEWAL)
    if outcome.is_payment_required:
        detail = "The quota of this billing cycle is used up (402): asking again will not help."
        return SearchTrouble(TroubleKind.USED_UP, detail)
    if answer.status == HTTPStatus.NOT_FOUND:
        detail = "There is no such search (404): it may be another account's, or too old."
        return SearchTrouble(TroubleKind.NO_SUCH_SEARCH, detail)
    if outcome.reason.outcome_class is OutcomeClass.REFUSAL:
        return SearchTrouble(TroubleKind.REFUSED, outcome.detail)
    if (
        answer.status in BAD_REQUESTS
        and answer.status not in FOR_A_MOMENT
        and outcome.reason.outcome_class is not OutcomeClass.THROTTLED
    ):
        detail = f"The API refuses to answer this ({name_status(answer)}). Check the id."
        words = server_words(answer, token)
        return SearchTrouble(TroubleKind.REQUEST_REFUSED, detail + words)
    return SearchTrouble(TroubleKind.HICCUP, outcome.detail, outcome.retry_at)


def _surprise(answer: Answer, expected: str) -> SearchTrouble:
    # A maintenance page comes with 200 as well, and goes.
    size = "more than can be read" if answer.is_oversize else "something else"
    detail = f"The answer (200) is not the API's: expected {expected}, got {size}."
    return SearchTrouble(TroubleKind.HICCUP, detail)


def _find_list(answer: Answer) -> list[Any] | None:
    value = parse_json(answer.body)
    if isinstance(value, dict):
        value = next((value[name] for name in LIST_PLACES if name in value), None)
    return value if isinstance(value, list) else None


def _read_past(found: list[Any], token: str) -> Iterator[PastSearch]:
    for each in found:
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


def _read_progress(answer: Answer) -> Progress | None:
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
