"""Keep SoldScope's books: accounts, tokens, plans, quota, billing cycles, searches.

Decides who is let in, what a call costs, when a quota resets, how far a search has come and what
it finds. No I/O and no clock: `now` is handed in. How an answer looks is left to `soldscope_api`.
"""

from __future__ import annotations

import calendar
import itertools
import re
import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

from monitor.simulator.base import (
    QuotaUsedUpError,
    SimulatorError,
    UnknownNameError,
    checked_name,
    digest,
    find_known,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


MONTHS = 12
LAST_CYCLE_DAY = 31


@dataclass(frozen=True, slots=True)
class BillingCycle:
    """One month of an account, from its own day to the same day of the next month.

    Args:
        ends_at: The start of the next cycle, which is when quotas reset.
    """

    starts_at: datetime
    ends_at: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.starts_at <= instant < self.ends_at


def billing_cycle(cycle_day: int, now: datetime) -> BillingCycle:
    """Return the cycle around *now* of an account whose cycles start on *cycle_day*.

    In a month that is too short the cycle starts on its last day; the day comes
    back in the next month that has it.
    """
    month = now.year * MONTHS + now.month - 1
    starts_at = _cycle_start(month, cycle_day)
    if now < starts_at:
        return BillingCycle(_cycle_start(month - 1, cycle_day), starts_at)
    return BillingCycle(starts_at, _cycle_start(month + 1, cycle_day))


def _cycle_start(month: int, cycle_day: int) -> datetime:
    """Return the cycle's start in *month*, counted in months since the year 0."""
    year, month_index = divmod(month, MONTHS)
    days_in_month = calendar.monthrange(year, month_index + 1)[1]
    return datetime(year, month_index + 1, min(cycle_day, days_in_month), tzinfo=UTC)


FEWEST_ASINS, MOST_ASINS = 2, 10
MAX_KEYWORD = 200

FINDS_NOTHING = frozenset({"nothing", "B000000000"})
"""The keyword, and the product, that searches find nothing for."""

VARIATIONS_KEPT = timedelta(hours=1)

_ASIN = re.compile(r"[A-Z0-9]{10}", re.ASCII)


class SearchStatus(IntEnum):
    """How far a search has come, by SoldScope's numbers."""

    STARTED = 0
    RUNNING = 1
    COMPLETED = 2
    FAILED = 13


@dataclass(frozen=True, slots=True)
class LongSearch:
    """A search that goes on after it was answered.

    Args:
        subject: The keyword, or the ASINs.
        takes: How long it runs.
    """

    id: int
    subject: tuple[str, ...]
    created_at: datetime
    takes: timedelta

    def progress(self, now: datetime) -> int:
        """Return how much is done, in percent."""
        if now >= self.created_at + self.takes:
            return 100
        return int((now - self.created_at) / self.takes * 100)

    def status(self, now: datetime) -> SearchStatus:
        """Return how far it has come."""
        progress = self.progress(now)
        if progress < 100:  # noqa: PLR2004 - percent
            return SearchStatus.RUNNING if progress else SearchStatus.STARTED
        is_vain = set(self.subject) <= FINDS_NOTHING
        return SearchStatus.FAILED if is_vain else SearchStatus.COMPLETED


def read_keyword(keyword: str) -> tuple[str, ...]:
    """Return what a keyword search is about, or refuse it."""
    keyword = keyword.strip()
    if not keyword or len(keyword) > MAX_KEYWORD:
        raise SimulatorError(f"keyword: 1 to {MAX_KEYWORD} characters")
    return (keyword,)


def read_asins(asins: Sequence[str]) -> tuple[str, ...]:
    """Return what a search by products is about, or refuse it."""
    if not FEWEST_ASINS <= len(asins) <= MOST_ASINS:
        message = f"asins: {FEWEST_ASINS} to {MOST_ASINS} of them, got {len(asins)}"
        raise SimulatorError(message)
    if not all(_ASIN.fullmatch(asin) for asin in asins):
        raise SimulatorError("asins: each has ten capital letters and digits")
    return tuple(asins)


@dataclass(frozen=True, slots=True)
class Category:
    """A category of products.

    Args:
        id: SoldScope's number, which only the path of its children takes.
        node_id: Amazon's number, which only filters take.
    """

    id: int
    node_id: int
    name: str
    parent_id: int | None = None


CATEGORIES = (
    Category(1, 1055398, "Home & Kitchen"),
    Category(2, 3375251, "Sports & Outdoors"),
    Category(3, 1063498, "Kitchen & Dining", 1),
    Category(4, 1063306, "Furniture", 1),
    Category(5, 289814, "Cookware", 3),
    Category(6, 3407731, "Exercise & Fitness", 2),
)


def children_of(category_id: int | None) -> list[Category]:
    """Return the categories right below one, or the topmost; refuse an unknown id."""
    if category_id is not None and all(each.id != category_id for each in CATEGORIES):
        raise UnknownNameError(f"no category with the id {category_id}")
    return [each for each in CATEGORIES if each.parent_id == category_id]


def is_node(node_id: str) -> bool:
    """Tell whether Amazon knows a category by this number."""
    return any(str(each.node_id) == node_id for each in CATEGORIES)


KEPT_SEARCHES = 100
"""Past searches kept per account and kind, so that a long run does not grow."""


@dataclass(frozen=True, slots=True)
class Search:
    """A finished product search. Reading it again costs nothing."""

    id: int
    query: str
    created_at: datetime


@dataclass(slots=True)
class Account:
    """One customer of SoldScope.

    Args:
        cycle_day: The day of the month on which billing cycles start.
        used: Metered calls made in *cycle*.
        variations_until: Until when the variations of a search are at hand.
    """

    id: str
    name: str
    email: str
    plan: str
    cycle_day: int
    used: int = 0
    cycle: BillingCycle | None = None
    searches: deque[Search] = field(default_factory=lambda: deque(maxlen=KEPT_SEARCHES))
    long_searches: deque[LongSearch] = field(default_factory=lambda: deque(maxlen=KEPT_SEARCHES))
    variations_until: dict[int, datetime] = field(default_factory=dict)

    def past_search(self, search_id: int) -> Search:
        """Return one of the account's own past searches, free of charge."""
        return _find(self.searches, search_id)

    def long_search(self, search_id: int) -> LongSearch:
        """Return one of its own searches by keyword or by products."""
        return _find(self.long_searches, search_id)

    def replay(self, search_id: int, now: datetime) -> Search:
        """Return a past search, and have its variations at hand again."""
        search = self.past_search(search_id)
        fresh = {number: at for number, at in self.variations_until.items() if at > now}
        self.variations_until = fresh | {search_id: now + VARIATIONS_KEPT}
        return search

    def has_variations(self, search_id: int, now: datetime) -> bool:
        """Tell whether the variations of a search are at hand."""
        until = self.variations_until.get(search_id)
        return until is not None and now < until


_SearchT = TypeVar("_SearchT", Search, LongSearch)


def _find(searches: Iterable[_SearchT], search_id: int) -> _SearchT:
    for search in searches:
        if search.id == search_id:
            return search
    raise UnknownNameError(f"no search {search_id}; it may be older than the last {KEPT_SEARCHES}")


TOKEN_PREFIX = "ss_live_"  # noqa: S105 - what tokens start with, not a token
SEARCH_TAKES = timedelta(seconds=20)
"""How long a search by keyword or by products runs, unless a test wants otherwise."""

PLANS = {"free": 0, "trial": 100, "starter": 1_000, "business": 10_000, "agency": 100_000}
"""Metered calls per billing cycle."""


@dataclass(slots=True)
class SoldscopeToken:
    """What is remembered of a token: enough to recognise it, not to use it."""

    id: str
    account_id: str
    name: str
    last_four: str
    created_at: datetime
    revoked_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Tell whether the token still opens anything."""
        return self.revoked_at is None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token together with its value, which is never to be had again."""

    token: SoldscopeToken
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccountQuota:
    """Where an account stands in its billing cycle."""

    limit: int
    used: int
    resets_at: datetime

    @property
    def remaining(self) -> int:
        """Return what is left; 0 after a move to a plan smaller than what was used."""
        return max(0, self.limit - self.used)


class SoldScope:
    """All accounts of the simulated service."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._tokens: dict[str, SoldscopeToken] = {}
        self._token_of_digest: dict[bytes, SoldscopeToken] = {}
        self._token_ids = itertools.count(1)
        self._search_ids = itertools.count(1)
        self.search_takes = SEARCH_TAKES

    def add_account(
        self, account_id: str, name: str, email: str, *, plan: str = "business", cycle_day: int = 1
    ) -> Account:
        """Open an account."""
        if account_id in self._accounts:
            raise SimulatorError(f"there is already an account {account_id!r}")
        if not 1 <= cycle_day <= LAST_CYCLE_DAY:
            raise SimulatorError(f"cycle_day: a day of the month, 1 to 31, got {cycle_day}")
        find_known("plan", plan, PLANS)
        account = self._accounts[account_id] = Account(account_id, name, email, plan, cycle_day)
        return account

    @property
    def accounts(self) -> Iterable[Account]:
        """All accounts, oldest first."""
        return self._accounts.values()

    def account(self, account_id: str) -> Account:
        """Return the account, or refuse an unknown id."""
        return find_known("account", account_id, self._accounts)

    def create_token(self, account_id: str, name: str, now: datetime) -> IssuedToken:
        """Make a token. Its value is in the answer and nowhere else."""
        self.account(account_id)
        name = checked_name("name", name)
        value = TOKEN_PREFIX + secrets.token_hex(16)
        token = SoldscopeToken(f"tok_{next(self._token_ids)}", account_id, name, value[-4:], now)
        self._tokens[token.id] = token
        self._token_of_digest[digest(value)] = token
        return IssuedToken(token, value)

    def tokens(self, account_id: str) -> list[SoldscopeToken]:
        """Return the account's tokens, revoked ones too, oldest first."""
        return [token for token in self._tokens.values() if token.account_id == account_id]

    def token(self, token_id: str) -> SoldscopeToken:
        """Return the token with this id, or refuse an unknown one."""
        try:
            return self._tokens[token_id]
        except KeyError:
            raise UnknownNameError(f"no token with the id {token_id[:40]!r}") from None

    def revoke_token(self, token_id: str, now: datetime) -> SoldscopeToken:
        """End a token at once. Revoking it again changes nothing."""
        token = self.token(token_id)
        if token.revoked_at is None:
            token.revoked_at = now
        return token

    def restore_token(self, token_id: str) -> SoldscopeToken:
        """Take a revocation back, which the real service cannot: for those who try things out."""
        token = self.token(token_id)
        token.revoked_at = None
        return token

    def authenticate(self, value: str) -> SoldscopeToken | None:
        """Return the live token that has this value."""
        token = self._token_of_digest.get(digest(value))
        return token if token is not None and token.is_live else None

    def quota(self, account_id: str, now: datetime) -> AccountQuota:
        """Return where the account stands."""
        account = self.account(account_id)
        cycle = _current_cycle(account, now)
        return AccountQuota(PLANS[account.plan], account.used, cycle.ends_at)

    def spend(self, account_id: str, n: int, now: datetime) -> int:
        """Use up to *n* metered calls and return how many there were.

        Calls beyond the limit would be answered 402 and cost nothing.
        """
        if n < 1:
            raise SimulatorError(f"n: at least 1, got {n}")
        spent = min(n, self.quota(account_id, now).remaining)
        self.account(account_id).used += spent
        return spent

    def upgrade(self, account_id: str, plan: str) -> Account:
        """Move the account to another plan, smaller ones included.

        It applies at once; what was used in this cycle stays used.
        """
        account = self.account(account_id)
        find_known("plan", plan, PLANS)
        account.plan = plan
        return account

    def run_search(self, account_id: str, query: str, now: datetime) -> Search:
        """Run a new search: the metered call."""
        account = self._spend_one(account_id, now)
        account.searches.append(Search(next(self._search_ids), query, now))
        return account.replay(account.searches[-1].id, now)

    def start_search(self, account_id: str, subject: tuple[str, ...], now: datetime) -> LongSearch:
        """Start a search by keyword or by products: metered as well."""
        account = self._spend_one(account_id, now)
        search = LongSearch(next(self._search_ids), subject, now, self.search_takes)
        account.long_searches.append(search)
        return search

    def _spend_one(self, account_id: str, now: datetime) -> Account:
        if not self.spend(account_id, 1, now):
            raise QuotaUsedUpError("the quota of this billing cycle is used up")
        return self.account(account_id)


def _current_cycle(account: Account, now: datetime) -> BillingCycle:
    """Return the cycle around *now*; what was used in any other one is forgotten."""
    if account.cycle is None or now not in account.cycle:
        account.cycle = billing_cycle(account.cycle_day, now)
        account.used = 0
    return account.cycle
