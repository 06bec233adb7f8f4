"""
Keep SoldScope's books: accounts, tokens, plans, quota, past searches.

Decides who may ask, what a call costs and when a quota resets. No I/O and no
clock: `now` is handed in. How an answer looks is left to `soldscope_api`.
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.simulator.base import checked_name, digest
from monitor.simulator.billing import LAST_CYCLE_DAY, billing_cycle
from monitor.simulator.errors import QuotaUsedUpError, SimulatorError, UnknownNameError
from monitor.simulator.soldscope_account import Account, Search
from monitor.simulator.soldscope_searches import LongSearch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from monitor.simulator.billing import BillingCycle

TOKEN_PREFIX = "ss_live_"  # noqa: S105 - what tokens start with, not a token
SEARCH_TAKES = timedelta(seconds=20)
"""How long a search by keyword or by products runs, unless a test wants otherwise."""

PLANS = {"free": 0, "trial": 100, "starter": 1_000, "business": 10_000, "agency": 100_000}
"""Metered calls per billing cycle."""


@dataclass(slots=True)
class Token:
    """
    What is remembered of a token: enough to recognise it, not to use it.
    """

    id: str
    account_id: str
    name: str
    last_four: str
    created_at: datetime
    revoked_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """
        Tell whether the token still opens anything.
        """
        return self.revoked_at is None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """
    A new token together with its value, which is never to be had again.
    """

    token: Token
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Quota:
    """
    Where an account stands in its billing cycle.
    """

    limit: int
    used: int
    resets_at: datetime

    @property
    def remaining(self) -> int:
        """
        Return what is left; 0 after a move to a plan smaller than what was used.
        """
        return max(0, self.limit - self.used)


class SoldScope:
    """
    All accounts of the simulated service.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._tokens: dict[str, Token] = {}
        self._token_of_digest: dict[bytes, Token] = {}
        self._token_ids = itertools.count(1)
        self._search_ids = itertools.count(1)
        self.search_takes = SEARCH_TAKES

    def add_account(
        self, account_id: str, name: str, email: str, *, plan: str = "business", cycle_day: int = 1
    ) -> Account:
        """
        Open an account.
        """
        if account_id in self._accounts:
            raise SimulatorError(f"there is already an account {account_id!r}")
        if not 1 <= cycle_day <= LAST_CYCLE_DAY:
            raise SimulatorError(f"cycle_day: a day of the month, 1 to 31, got {cycle_day}")
        account = Account(account_id, name, email, _known_plan(plan), cycle_day)
        self._accounts[account_id] = account
        return account

    @property
    def accounts(self) -> Iterable[Account]:
        """
        All accounts, oldest first.
        """
        return self._accounts.values()

    def account(self, account_id: str) -> Account:
        """
        Return the account, or refuse an unknown id.
        """
        try:
            return self._accounts[account_id]
        except KeyError:
            raise UnknownNameError.among("account", account_id, self._accounts) from None

    def create_token(self, account_id: str, name: str, now: datetime) -> IssuedToken:
        """
        Make a token. Its value is in the answer and nowhere else.
        """
        self.account(account_id)
        name = checked_name("name", name)
        value = TOKEN_PREFIX + secrets.token_hex(16)
        token = Token(f"tok_{next(self._token_ids)}", account_id, name, value[-4:], now)
        self._tokens[token.id] = token
        self._token_of_digest[digest(value)] = token
        return IssuedToken(token, value)

    def tokens(self, account_id: str) -> list[Token]:
        """
        Return the account's tokens, revoked ones too, oldest first.
        """
        return [token for token in self._tokens.values() if token.account_id == account_id]

    def token(self, token_id: str) -> Token:
        """
        Return the token with this id, or refuse an unknown one.
        """
        try:
            return self._tokens[token_id]
        except KeyError:
            raise UnknownNameError(f"no token with the id {token_id[:40]!r}") from None

    def revoke_token(self, token_id: str, now: datetime) -> Token:
        """
        End a token at once. Revoking it again changes nothing.
        """
        token = self.token(token_id)
        if token.revoked_at is None:
            token.revoked_at = now
        return token

    def restore_token(self, token_id: str) -> Token:
        """
        Take a revocation back, which the real service cannot: for those who try things out.
        """
        token = self.token(token_id)
        token.revoked_at = None
        return token

    def authenticate(self, value: str) -> Token | None:
        """
        Return the live token that has this value.
        """
        token = self._token_of_digest.get(digest(value))
        return token if token is not None and token.is_live else None

    def quota(self, account_id: str, now: datetime) -> Quota:
        """
        Return where the account stands.
        """
        account = self.account(account_id)
        cycle = _current_cycle(account, now)
        return Quota(PLANS[account.plan], account.used, cycle.ends_at)

    def spend(self, account_id: str, n: int, now: datetime) -> int:
        """
        Use up to *n* metered calls and return how many there were.

        Calls beyond the limit would be answered 402 and cost nothing.
        """
        if n < 1:
            raise SimulatorError(f"n: at least 1, got {n}")
        spent = min(n, self.quota(account_id, now).remaining)
        self.account(account_id).used += spent
        return spent

    def upgrade(self, account_id: str, plan: str) -> Account:
        """
        Move the account to another plan, smaller ones included.

        It applies at once; what was used in this cycle stays used.
        """
        account = self.account(account_id)
        account.plan = _known_plan(plan)
        return account

    def run_search(self, account_id: str, query: str, now: datetime) -> Search:
        """
        Run a new search: the metered call.
        """
        if not self.spend(account_id, 1, now):
            raise QuotaUsedUpError("the quota of this billing cycle is used up")
        account = self.account(account_id)
        account.searches.append(Search(next(self._search_ids), query, now))
        return account.replay(account.searches[-1].id, now)

    def start_search(self, account_id: str, subject: tuple[str, ...], now: datetime) -> LongSearch:
        """
        Start a search by keyword or by products: metered as well.
        """
        if not self.spend(account_id, 1, now):
            raise QuotaUsedUpError("the quota of this billing cycle is used up")
        search = LongSearch(next(self._search_ids), subject, now, self.search_takes)
        self.account(account_id).long_searches.append(search)
        return search


def _known_plan(plan: str) -> str:
    if plan not in PLANS:
        raise UnknownNameError.among("plan", plan, PLANS)
    return plan


def _current_cycle(account: Account, now: datetime) -> BillingCycle:
    """
    Return the cycle around *now*; what was used in any other one is forgotten.
    """
    if account.cycle is None or now not in account.cycle:
        account.cycle = billing_cycle(account.cycle_day, now)
        account.used = 0
    return account.cycle
