"""
Check a store of Amazon's Selling Partner API: one authorization, one region.

Decides what is asked and in which order: the refresh token is exchanged afresh,
so that a revocation shows, then the Sellers API is asked once. No other path is
ever called. What answers mean is decided in `amazon_lwa`, `amazon_sellers`,
`amazon_refusals` and `amazon_regions`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING

from monitor.check.amazon_answer import is_sendable
from monitor.check.amazon_lwa import Credentials, Lwa
from monitor.check.amazon_regions import OtherRegions
from monitor.check.amazon_sellers import ask_sellers, lists_marketplaces, read_sellers
from monitor.check.deadline import Deadline
from monitor.check.http import Failure
from monitor.clock import utc_now
from monitor.config.secret import SecretUnavailable
from monitor.judge.outcome import Outcome, OutcomeClass, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from monitor.check.amazon_refusals import Complaint, Doubt
    from monitor.check.amazon_sellers import Expected
    from monitor.check.grants import Grants
    from monitor.check.held import TokenSource
    from monitor.config.secret import Secret

MAX_EXCHANGES = 3
FIRST_WAIT = timedelta(seconds=65)
"""The bucket gets one call back in 62.5 s, and no answer says so."""

LONGEST_WAIT = timedelta(hours=1)
UNASKED = "Amazon was not asked:"
UNSENDABLE = (
    "cannot be sent: it is empty or holds spaces, line breaks or letters outside ASCII."
    " Copy it again from where it was issued."
)


@dataclass(frozen=True, slots=True)
class App:
    """
    The application on whose behalf a store is checked.

    Args:
        token_address: Where refresh tokens are exchanged.
        token_host: Host and port of that, as outages are grouped by.
    """

    token_address: str
    token_host: str
    client_id: str
    client_secret: Secret


@dataclass(frozen=True, slots=True)
class Past:
    """
    That the Sellers API let a store in once, as the database remembers it.

    Args:
        fingerprint: Of the refresh token that was used last; None where that was not kept.
    """

    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """
    What is checked of one connection.

    Args:
        address: The region's API, without a slash at the end.
        host: Host and port of that, as outages are grouped by.
        expected: None stops after the exchange of the token.
        other_regions: Where else an unexplained refusal is looked into; empty
            where the address is not Amazon's own.
        past: None where it was never let in, as far as is known.
    """

    region: str
    address: str
    host: str
    refresh_token: TokenSource
    expected: Expected | None
    other_regions: Mapping[str, str]
    past: Past | None = None


@dataclass(slots=True)
class _Visit:
    """
    What one check has used up so far.
    """

    deadline: Deadline
    n_exchanges: int = 0
    credentials: Credentials | None = None
    is_token_issued: bool = False


class AmazonChecker:
    """
    Check one store.

    Args:
        grants: Shared by all checkers.
        timeout: For the check as a whole.
        fingerprint: Tells one refresh token from another without revealing either.
    """

    def __init__(
        self,
        store: Store,
        app: App,
        client: httpx.AsyncClient,
        grants: Grants,
        timeout: timedelta,
        fingerprint: Callable[[str], str] | None = None,
    ) -> None:
        self._store = store
        self._app = app
        self._client = client
        self._lwa = Lwa(app.token_address, app.token_host, client, grants)
        self._timeout = timeout
        self._fingerprint = fingerprint
        self._others = OtherRegions(store.region, store.other_regions, client)
        self._known_token = ""
        self._has_worked = False
        self._n_throttled = 0

    async def check(self) -> Outcome:
        """
        Ask whether the authorization works.

        A refusal counts only if no newer secret is at hand.
        """
        started = perf_counter()
        visit = _Visit(Deadline(self._timeout))
        outcome = await self._reconsider(await self._ask(visit), visit)
        if visit.credentials is None:
            return outcome
        outcome = self._space_out(outcome)
        return replace(
            outcome,
            latency_ms=(perf_counter() - started) * 1000,
            fingerprint=self._fingerprint and self._fingerprint(visit.credentials.refresh_token),
            is_token_issued=visit.is_token_issued,
        )

    async def _ask(self, visit: _Visit) -> Outcome:
        """
        Exchange the refresh token and use what it brings, again with a fresh one if in doubt.
        """
        credentials = self._read_credentials()
        if isinstance(credentials, Outcome):
            return credentials
        visit.credentials = credentials
        seen: set[Complaint] = set()
        doubt: Doubt | None = None
        while visit.n_exchanges < MAX_EXCHANGES:
            visit.n_exchanges += 1
            token = await self._lwa.exchange(credentials, visit.deadline)
            visit.is_token_issued = isinstance(token, str)
            if isinstance(token, Outcome):
                return token
            if self._store.expected is None:
                return Outcome(Reason.OK, http_status=HTTPStatus.OK.value)
            granted = replace(credentials, access_token=token)
            reading = await self._use(granted, self._store.expected, visit.deadline)
            if isinstance(reading, Outcome):
                return reading
            doubt = reading
            if doubt.complaint in seen:
                return doubt.outcome
            seen.add(doubt.complaint)
        return self._give_up(doubt)

    def _give_up(self, doubt: Doubt | None) -> Outcome:
        seen = doubt.outcome if doubt else Outcome(Reason.UNEXPECTED_RESPONSE)
        return replace(
            seen,
            reason=Reason.UNEXPECTED_RESPONSE,
            detail=(
                f"{self._store.host} let none of {MAX_EXCHANGES} fresh access tokens in, and gave"
                " different reasons. Nothing follows from that; the next check asks again."
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
        heard = await ask_sellers(self._client, store.address, store.host, credentials, deadline)
        if isinstance(heard, Failure):
            return Outcome(heard.reason, heard.detail, failed_host=store.host)
        reading = read_sellers(heard, expected)
        if lists_marketplaces(heard):
            self._has_worked = True
            self._others.forget()
        if isinstance(reading, Outcome) and reading.is_unexplained:
            return await self._others.explain(
                reading, credentials, deadline, has_worked=self._has_worked
            )
        return reading

    def _worked_with(self, credentials: Credentials) -> bool:
        """
        Tell whether the store let this authorization in before the checker was made.
        """
        past, tell_apart = self._store.past, self._fingerprint
        if past is None:
            return False
        if past.fingerprint is None or tell_apart is None:
            return True
        return tell_apart(credentials.refresh_token) == past.fingerprint

    async def _reconsider(self, outcome: Outcome, visit: _Visit) -> Outcome:
        """
        Read the secret that a refusal is about once more, and try a newer one.

        Where both were replaced, the refusal of the client secret hides that of
        the refresh token: what a newer one meets is looked at likewise.
        """
        is_refused = outcome.reason.outcome_class is OutcomeClass.REFUSAL
        if visit.credentials is None or not is_refused:
            return outcome
        secret: TokenSource = self._app.client_secret
        if outcome.reason.is_of_application:
            name = "client secret"
            sent = visit.credentials.client_secret
        else:
            name, secret = "refresh token", self._store.refresh_token
            sent = visit.credentials.refresh_token
        try:
            # Connections may share a secret: another's refresh shows only in its value.
            has_newer = secret.refresh() or secret.reveal() != sent
        except SecretUnavailable as error:
            detail = f"{outcome.detail} The {name} could not be read again: {error}."
            return replace(outcome, detail=detail)
        # It ends: a visit exchanges tokens so many times and then gives up.
        return await self._reconsider(await self._ask(visit), visit) if has_newer else outcome

    def _read_credentials(self) -> Credentials | Outcome:
        values = []
        for name, secret in (
            ("client secret", self._app.client_secret),
            ("refresh token", self._store.refresh_token),
        ):
            try:
                value = secret.reveal()
            except SecretUnavailable as error:
                return Outcome(Reason.PROTOCOL, f"{UNASKED} the {name} cannot be read: {error}.")
            if not is_sendable(value):
                return Outcome(Reason.PROTOCOL, f"{UNASKED} the {name} {UNSENDABLE}")
            values.append(value)
        return Credentials(self._app.client_id, *values)

    def _space_out(self, outcome: Outcome) -> Outcome:
        """
        Put off the next check where Amazon wants a pause and does not say how long.
        """
        if outcome.reason is not Reason.THROTTLED:
            if outcome.reason.is_conclusive:
                self._n_throttled = 0
            return outcome
        wait = min(FIRST_WAIT * 2 ** min(self._n_throttled, 10), LONGEST_WAIT)
        self._n_throttled += 1
        return replace(outcome, retry_at=outcome.retry_at or utc_now() + wait)
