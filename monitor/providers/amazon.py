"""Check a store of Amazon's Selling Partner API: one authorization, one region.

The refresh token is exchanged afresh, so that a revocation shows; then the Sellers API is called
once. No other path is ever called. A refusal without a reason is looked into: the same access token
is tried in the other regions, and where none lets it in, the cause is named from what is known.
What answers mean is decided in `amazon_lwa` and `amazon_sellers`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.clock import utc_now
from monitor.config.secret import MalformedSecret, SecretUnavailable
from monitor.judge.outcome import Outcome, OutcomeClass, Reason
from monitor.providers.amazon_lwa import Credentials, exchange
from monitor.providers.amazon_sellers import (
    Expected,
    lists_marketplaces,
    quote_reason,
    read_sellers,
    request_sellers,
)
from monitor.providers.base import is_sendable, make_ready, renew
from monitor.providers.fetcher import Deadline, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from monitor.config.connections import Application
    from monitor.providers.amazon_sellers import Complaint, Doubt
    from monitor.providers.base import GrantLocks, RefreshableSecret


_WORKED = "It worked before: a permission was removed or changed, or the account was deactivated."
_NEVER_WORKED = (
    "connwatch has never seen this authorization work: the app lacks a role that the Sellers API"
    " needs, or a role was added after the seller authorized it"
)
_NOBODY = ". No other region accepts it either."
_NOT_CALLED = ", or `region` is not the one that the seller authorized."


class OtherRegions:
    """The regions that a store does not belong to, and what they said.

    Args:
        region: The one it should belong to.
        addresses: The others; empty where none may be asked.
    """

    def __init__(
        self, region: str, addresses: Mapping[str, str], client: httpx.AsyncClient
    ) -> None:
        self._region = region
        self._addresses = addresses
        self._client = client
        self._have_answered = False
        self._opened: str | None = None

    def forget(self) -> None:
        """Ask again at the next refusal without a reason."""
        self._have_answered, self._opened = False, None

    async def explain(
        self, refusal: Outcome, credentials: Credentials, deadline: Deadline, *, has_worked: bool
    ) -> Outcome:
        """Return the refusal with what is behind it.

        The other regions are asked once; one that gave no clear answer is asked
        again the next time.

        Args:
            has_worked: The same authorization was let in before.
        """
        if self._addresses and not self._have_answered:
            await self._try(credentials, deadline)
        if self._opened is not None:
            return replace(
                refusal,
                reason=Reason.REGION_MISMATCH,
                detail=self._name_region(self._opened),
                failed_host=None,
                is_unexplained=False,
            )
        if has_worked:
            why = _WORKED
        else:
            why = _NEVER_WORKED + (_NOBODY if self._have_answered else _NOT_CALLED)
        return replace(refusal, detail=f"{refusal.detail} {why}")

    async def _try(self, credentials: Credentials, deadline: Deadline) -> None:
        answers = await asyncio.gather(
            *(self._opens(address, credentials, deadline) for address in self._addresses.values())
        )
        opened = [region for region, opens in zip(self._addresses, answers, strict=True) if opens]
        self._opened = opened[0] if opened else None
        self._have_answered = bool(opened) or None not in answers

    async def _opens(
        self, address: str, credentials: Credentials, deadline: Deadline
    ) -> bool | None:
        """Tell whether the token opens an account there; None if that remains unknown."""
        heard = await request_sellers(self._client, address, credentials, deadline)
        if isinstance(heard, Failure):
            return None
        if lists_marketplaces(heard):
            return True
        reading = read_sellers(heard, Expected(None))
        has_refused = isinstance(reading, Outcome) and reading.reason.is_conclusive
        return False if has_refused else None

    def _name_region(self, opened: str) -> str:
        return (
            f'The authorization belongs to the region "{opened}", not to "{self._region}": its'
            f' token works only there. Set region = "{opened}" for this connection, with'
            " marketplaces of that region, or let the seller authorize the application in the"
            f' Seller Central of "{self._region}".'
        )


MAX_EXCHANGES = 3
FIRST_WAIT = timedelta(seconds=65)
"""The bucket gets one call back in 62.5 s, and no answer says so."""

LONGEST_WAIT = timedelta(hours=1)
NOT_CALLED = "Amazon was not called:"
UNSENDABLE = (
    "cannot be sent: it is empty or holds spaces, line breaks or letters outside ASCII."
    " Copy it again from where it was issued."
)


@dataclass(frozen=True, slots=True)
class LastSuccess:
    """That the API let a store in once, with the fingerprint of the last refresh token if known."""

    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """What is checked of one connection.

    Args:
        address: The region's API, without a slash at the end.
        expected: None stops after the exchange of the token.
        other_regions: Where else an unexplained refusal is looked into; empty
            where the address is not Amazon's own.
        past: None where it was never let in, as far as is known.
    """

    region: str
    address: str
    refresh_token: RefreshableSecret
    expected: Expected | None
    other_regions: Mapping[str, str]
    past: LastSuccess | None = None

    @property
    def host(self) -> str:
        """Host and port of *address*, as outages are grouped by."""
        return urlsplit(self.address).netloc


@dataclass(slots=True)
class _CheckBudget:
    """What one check has used up so far."""

    deadline: Deadline
    n_exchanges: int = 0
    credentials: Credentials | None = None
    is_token_issued: bool = False


class AmazonChecker:
    """Check one store.

    Args:
        grants: Shared by all checkers.
        timeout: For the check as a whole.
        fingerprint: Tells one refresh token from another without revealing either.
    """

    def __init__(
        self,
        store: Store,
        app: Application,
        client: httpx.AsyncClient,
        grants: GrantLocks,
        timeout: timedelta,
        fingerprint: Callable[[str], str] | None = None,
    ) -> None:
        self._store = store
        self._app = app
        self._client = client
        self._grants = grants
        self._timeout = timeout
        self._fingerprint = fingerprint
        self._others = OtherRegions(store.region, store.other_regions, client)
        self._known_token = ""
        self._has_worked = False
        self._n_throttled = 0

    async def check(self) -> Outcome:
        """Check whether the authorization works; a refusal counts if no newer secret is at hand."""
        await make_ready(self._app.client_secret, self._store.refresh_token)
        started = perf_counter()
        budget = _CheckBudget(Deadline(self._timeout))
        outcome = await self._reconsider(await self._check_once(budget), budget)
        if budget.credentials is None:
            return outcome
        outcome = self._space_out(outcome)
        return replace(
            outcome,
            latency_ms=(perf_counter() - started) * 1000,
            fingerprint=self._fingerprint and self._fingerprint(budget.credentials.refresh_token),
            is_token_issued=budget.is_token_issued,
        )

    async def _check_once(self, budget: _CheckBudget) -> Outcome:
        """Exchange the refresh token and use what it brings, again with a fresh one if in doubt."""
        credentials = self._read_credentials()
        if isinstance(credentials, Outcome):
            return credentials
        budget.credentials = credentials
        seen: set[Complaint] = set()
        doubt: Doubt | None = None
        while budget.n_exchanges < MAX_EXCHANGES:
            budget.n_exchanges += 1
            token = await exchange(
                self._app, credentials, self._client, self._grants, budget.deadline
            )
            budget.is_token_issued = isinstance(token, str)
            if isinstance(token, Outcome):
                return token
            if self._store.expected is None:
                return Outcome(Reason.OK, http_status=HTTPStatus.OK.value)
            granted = replace(credentials, access_token=token)
            reading = await self._use(granted, self._store.expected, budget.deadline)
            if isinstance(reading, Outcome):
                return reading
            doubt = reading
            if doubt.complaint in seen:
                return doubt.outcome
            seen.add(doubt.complaint)
        return self._conclude_undecided(doubt)

    def _conclude_undecided(self, doubt: Doubt | None) -> Outcome:
        seen = doubt.outcome if doubt else Outcome(Reason.UNEXPECTED_RESPONSE)
        return replace(
            seen,
            reason=Reason.UNEXPECTED_RESPONSE,
            detail=(
                f"{self._store.host} rejected {MAX_EXCHANGES} fresh access tokens, each for a"
                " different reason. This says nothing about the authorization; the next check"
                " tries again."
            ),
            failed_host=self._store.host,
        )

    async def _use(
        self, credentials: Credentials, expected: Expected, deadline: Deadline
    ) -> Outcome | Doubt:
        if credentials.refresh_token != self._known_token:
            self._has_worked = not self._known_token and self._worked_with(credentials)
            self._known_token = credentials.refresh_token
            self._others.forget()
        store = self._store
        heard = await request_sellers(self._client, store.address, credentials, deadline)
        if isinstance(heard, Failure):
            return Outcome(heard.reason, heard.detail, failed_host=store.host)
        reading = read_sellers(heard, expected)
        if lists_marketplaces(heard):
            self._has_worked = True
            self._others.forget()
        if isinstance(reading, Outcome) and reading.is_unexplained:
            explained = await self._others.explain(
                reading, credentials, deadline, has_worked=self._has_worked
            )
            if explained.reason is Reason.REGION_MISMATCH:
                return explained
            return replace(explained, detail=explained.detail + quote_reason(heard))
        return reading

    def _worked_with(self, credentials: Credentials) -> bool:
        """Tell whether the store let this authorization in before the checker was made."""
        past, tell_apart = self._store.past, self._fingerprint
        if past is None:
            return False
        if past.fingerprint is None or tell_apart is None:
            return True
        return tell_apart(credentials.refresh_token) == past.fingerprint

    async def _reconsider(self, outcome: Outcome, budget: _CheckBudget) -> Outcome:
        """Read the secret that a refusal is about once more, and try a newer one.

        Where both were replaced, the refusal of the client secret hides that of
        the refresh token: what a newer one meets is looked at likewise.
        """
        is_refused = outcome.reason.outcome_class is OutcomeClass.REFUSAL
        if budget.credentials is None or not is_refused:
            return outcome
        secret: RefreshableSecret = self._app.client_secret
        if outcome.reason.is_of_application:
            name = "client secret"
            sent = budget.credentials.client_secret
        else:
            name, secret = "refresh token", self._store.refresh_token
            sent = budget.credentials.refresh_token
        left = budget.deadline.left
        try:
            # Connections may share a secret: another's refresh shows only in its value.
            has_newer = await renew(secret) or secret.reveal() != sent
        except SecretUnavailable as error:
            detail = f"{outcome.detail} The {name} could not be read again: {error}."
            return replace(outcome, detail=detail)
        # What a command took is not the service's doing.
        budget.deadline.resume(left)
        # It ends: a check exchanges tokens so many times and no more.
        return (
            await self._reconsider(await self._check_once(budget), budget) if has_newer else outcome
        )

    def _read_credentials(self) -> Credentials | Outcome:
        values = []
        for name, secret in (
            ("client secret", self._app.client_secret),
            ("refresh token", self._store.refresh_token),
        ):
            try:
                value = secret.reveal()
            except MalformedSecret as error:
                detail = f"{NOT_CALLED} the {name} cannot be used: {error.explain()}."
                return Outcome(Reason.PROTOCOL, detail)
            except SecretUnavailable as error:
                return Outcome(Reason.PROTOCOL, f"{NOT_CALLED} the {name} cannot be read: {error}.")
            if not is_sendable(value):
                return Outcome(Reason.PROTOCOL, f"{NOT_CALLED} the {name} {UNSENDABLE}")
            values.append(value)
        return Credentials(self._app.client_id, *values)

    def _space_out(self, outcome: Outcome) -> Outcome:
        """Put off the next check where Amazon wants a pause and does not say how long."""
        if outcome.reason is not Reason.THROTTLED:
            if outcome.reason.is_conclusive:
                self._n_throttled = 0
            return outcome
        wait = min(FIRST_WAIT * 2 ** min(self._n_throttled, 10), LONGEST_WAIT)
        self._n_throttled += 1
        return replace(outcome, retry_at=outcome.retry_at or utc_now() + wait)
