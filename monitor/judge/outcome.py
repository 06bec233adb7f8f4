"""Name what a check can see and what it means, and describe what is known between two checks.

Decides which reasons exist and to which class each belongs. How a provider arrives at a reason is
left to `monitor.providers`. `Standing` is a value: `verdict.judge` takes one and returns the next,
by the settings in `Rules`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

from monitor.judge.text import LONGEST, tidy

if TYPE_CHECKING:
    from datetime import date


class State(StrEnum):
    """The state of a connection."""

    PENDING = "pending"
    ACTIVE = "active"
    ERROR = "error"
    EXPIRED = "expired"
    PAUSED = "paused"


class Reason(StrEnum):
    """Why a connection is in its state, or how one check ended."""

    OK = "ok"
    NOT_CHECKED = "not_checked"

    THROTTLED = "throttled"

    AUTHORIZATION_EXPIRED = "authorization_expired"
    TOKEN_REJECTED = "token_rejected"  # noqa: S105 - a reason, not a password
    AUTHORIZATION_REVOKED = "authorization_revoked"
    CLIENT_REJECTED = "client_rejected"
    CLIENT_SECRET_EXPIRED = "client_secret_expired"  # noqa: S105 - a reason, not a password
    MARKETPLACE_MISMATCH = "marketplace_mismatch"
    REGION_MISMATCH = "region_mismatch"
    PERMISSION_DENIED = "permission_denied"
    ACCOUNT_SUSPENDED = "account_suspended"

    SERVER_ERROR = "server_error"
    UNEXPECTED_RESPONSE = "unexpected_response"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"

    @property
    def outcome_class(self) -> OutcomeClass:
        """Return the class of an outcome that has this reason."""
        return _CLASS_OF.get(self, OutcomeClass.INCONCLUSIVE)

    @property
    def is_of_application(self) -> bool:
        """Tell whether it is the fault of an application, and so of all its connections."""
        return self in {Reason.CLIENT_REJECTED, Reason.CLIENT_SECRET_EXPIRED}

    @property
    def is_conclusive(self) -> bool:
        """Tell whether the provider said yes or no."""
        return self.outcome_class in {OutcomeClass.SUCCESS, OutcomeClass.REFUSAL}


_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def name_day(at: date) -> str:
    """Return the day of *at* for a detail: "Nov 30, 2026", with its year, for it is kept."""
    # Not strftime, whose months depend on the locale.
    return f"{_MONTHS[at.month - 1]} {at.day}, {at.year}"


NOT_SAID_WHY = "it was revoked or mistyped"
"""What a detail says of a rejected token where the service gives no cause, and no end is known."""


class OutcomeClass(Enum):
    """The three classes of the contract, and throttling, which counts in no row."""

    SUCCESS = "success"
    REFUSAL = "refusal"
    INCONCLUSIVE = "inconclusive"
    THROTTLED = "throttled"


_CLASS_OF = {
    Reason.OK: OutcomeClass.SUCCESS,
    Reason.AUTHORIZATION_EXPIRED: OutcomeClass.REFUSAL,
    Reason.TOKEN_REJECTED: OutcomeClass.REFUSAL,
    Reason.AUTHORIZATION_REVOKED: OutcomeClass.REFUSAL,
    Reason.CLIENT_REJECTED: OutcomeClass.REFUSAL,
    Reason.CLIENT_SECRET_EXPIRED: OutcomeClass.REFUSAL,
    Reason.MARKETPLACE_MISMATCH: OutcomeClass.REFUSAL,
    Reason.REGION_MISMATCH: OutcomeClass.REFUSAL,
    Reason.PERMISSION_DENIED: OutcomeClass.REFUSAL,
    Reason.ACCOUNT_SUSPENDED: OutcomeClass.REFUSAL,
    Reason.THROTTLED: OutcomeClass.THROTTLED,
}


class QuotaUnit(StrEnum):
    """What a quota counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    POINTS = "points"
    BYTES = "bytes"
    CONCURRENT = "concurrent"
    PERCENT = "percent"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class QuotaReading:
    """What one answer said about a quota; None where it said nothing readable.

    Args:
        limit: Units per period.
        remaining: Units left in this period.
        resets_at: When the period ends.
        window_s: The period's length in seconds where the service states it.
        name: Which of several windows it is, as the service calls it; empty
            where there is but one.
        unit: What is counted.
    """

    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None
    window_s: int | None = None
    name: str = ""
    unit: QuotaUnit = QuotaUnit.REQUESTS

    @property
    def is_empty(self) -> bool:
        """Tell whether the answer said nothing at all about a quota."""
        return self.limit is None and self.remaining is None and self.resets_at is None

    @property
    def share_left(self) -> float | None:
        """Return what part of the limit is left; None where that is unknown."""
        if self.remaining == 0:
            return 0.0
        return self.remaining / self.limit if self.remaining is not None and self.limit else None


@dataclass(frozen=True, slots=True)
class Marketplace:
    """One marketplace of an Amazon account, as a check saw it.

    Args:
        country: The country code, as the configuration writes it.
        id: Amazon's marketplace id, by which marketplaces are compared.
        is_participating: The account sells there, or may.
        has_suspended_listings: Its listings there are inactive; no fault of the credential.
        is_configured: The connection is meant to cover it.
    """

    country: str
    id: str
    is_participating: bool
    has_suspended_listings: bool
    is_configured: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check saw. A failed check is an outcome, never an exception.

    Args:
        reason: How the check ended.
        detail: One sentence for people; empty on success. Never a secret.
        latency_ms: From the request to the end of its answer.
        http_status: The answer's status, if there was an answer.
        account: Whose credential it is, as the service names it.
        quota: What the answer said about the quota, if it came that far; of several
            windows the tightest. Which of them decides is judged.
        is_payment_required: The answer was 402, or said that no credit is left: alive, but used up.
        retry_at: The earliest instant at which the service wants to be asked again.
        is_countdown: Nobody was asked, and nobody can be: the clock decides.
        marketplaces: What the account sells in; None where that was not asked or not answered.
        failed_host: Host and port that gave no conclusive answer, or an unexplained no.
        is_unexplained: A 403 without details: a lost permission, or trouble at the service.
        fingerprint: Tells one refresh token from another without revealing either.
        request_id: What the service's support asks for.
        is_taken_over: Nobody was asked: it is the verdict on the connection's application.
        is_token_issued: An access token was given out; what went wrong came after that.
        windows: Every quota window that the answer told of, *quota* among them. Empty
            where there is but one.
        token_ends_at: When the token itself ends, as the service or the token says.
        is_token_end_unclear: An end was told of, in words that nobody could read.
        unreadable_ends: Where such words stand and what they are, in one sentence each.
        unreadable_quota: The headers of a quota that cannot be read.
        advice: What the person who set the connection up should know although all is well.
    """

    reason: Reason
    detail: str = ""
    latency_ms: float | None = None
    http_status: int | None = None
    account: str | None = None
    quota: QuotaReading | None = None
    is_payment_required: bool = False
    retry_at: datetime | None = None
    is_countdown: bool = False
    marketplaces: tuple[Marketplace, ...] | None = None
    failed_host: str | None = None
    is_unexplained: bool = False
    fingerprint: str | None = None
    request_id: str | None = None
    is_taken_over: bool = False
    is_token_issued: bool = False
    windows: tuple[QuotaReading, ...] = ()
    token_ends_at: datetime | None = None
    is_token_end_unclear: bool = False
    unreadable_ends: tuple[str, ...] = ()
    unreadable_quota: tuple[str, ...] = ()
    advice: str = ""

    def tidied(self) -> Outcome:
        """Return the outcome as it can be kept, whatever a service or a plug-in put into it."""
        texts: dict[str, Any] = {
            name: tidy(text)
            for name in ("detail", "account", "failed_host", "request_id")
            if (text := getattr(self, name)) and not _is_tidy(text)
        }
        numbers: dict[str, Any] = {}
        if not _is_within(self.latency_ms, 0, LONGEST_LATENCY_MS):
            numbers["latency_ms"] = None
        if not _is_within(self.token_ends_at, FIRST_YEAR, LAST_YEAR):
            # What lasts until the year 9999 does not end.
            numbers["token_ends_at"] = None
        quota = None if self.quota is None else _tidy_window(self.quota)
        windows = tuple(map(_tidy_window, self.windows))
        if not texts and not numbers and quota is self.quota:
            if all(one is other for one, other in zip(windows, self.windows, strict=True)):
                return self
        return replace(self, **texts, **numbers, quota=quota, windows=windows)


LONGEST_LATENCY_MS = 86_400_000.0
"""A day: no check takes longer, and no number is none."""

FIRST_YEAR, LAST_YEAR = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""What is counted from an instant between them is one that every database takes."""

LARGEST_COUNT = 2**53
LONGEST_WINDOW_S = 1_000_000_000
LONGEST_WINDOW = 60
"""What the column of its name holds."""


BOUNDS: dict[str, tuple[Any, Any]] = {
    "limit": (0, LARGEST_COUNT),
    "remaining": (0, LARGEST_COUNT),
    "resets_at": (FIRST_YEAR, LAST_YEAR),
    "window_s": (0, LONGEST_WINDOW_S),
}
"""Of a quota; what lies beyond is unknown."""


def _is_within(value: Any, least: Any, most: Any) -> bool:
    # Not so for what is no number at all.
    return value is None or least <= value <= most


def _is_tidy(text: str) -> bool:
    return len(text) <= LONGEST and text.isprintable()


def _tidy_window(window: QuotaReading) -> QuotaReading:
    changed: dict[str, Any] = {
        name: None
        for name, (least, most) in BOUNDS.items()
        if not _is_within(getattr(window, name), least, most)
    }
    if len(window.name) > LONGEST_WINDOW or not window.name.isprintable():
        changed["name"] = tidy(window.name, LONGEST_WINDOW)
    return replace(window, **changed) if changed else window


@dataclass(frozen=True, slots=True)
class Standing:
    """State, reason and rows of one connection.

    Args:
        state: Never `paused`: pausing lies over the state and does not replace it.
        since: When *state* began. A change of reason alone does not move it.
        last_reason: How the latest check ended, whatever the state made of it.
        successes: Successes in a row.
        refusals: Refusals in a row with one and the same reason.
        refusals_of_any_reason: Refusals since the last success, or since one
            reason was confirmed.
        failures: Inconclusive outcomes in a row, throttling aside.
        announced_state: The state that people were last told of, while it lasts.
        announced_reason: Its reason.
    """

    state: State
    reason: Reason
    detail: str
    since: datetime
    checked_at: datetime | None = None
    latency_ms: float | None = None
    last_reason: Reason | None = None
    successes: int = 0
    refusals: int = 0
    refusals_of_any_reason: int = 0
    failures: int = 0
    announced_state: State | None = None
    announced_reason: Reason | None = None

    @classmethod
    def unknown(cls, now: datetime) -> Standing:
        """Return the standing of a connection that was never checked."""
        return cls(State.PENDING, Reason.NOT_CHECKED, "", now)

    @property
    def in_a_row(self) -> int:
        """Return the length of the row that the latest check belongs to.

        Throttled checks belong to no row: 0.
        """
        if self.last_reason is None:
            return 0
        return {
            OutcomeClass.SUCCESS: self.successes,
            OutcomeClass.REFUSAL: self.refusals,
            OutcomeClass.INCONCLUSIVE: self.failures,
            OutcomeClass.THROTTLED: 0,
        }[self.last_reason.outcome_class]


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state or reason."""

    at: datetime
    from_state: State
    to_state: State
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of `[checks]` and `[alerts]` that change a verdict.

    Args:
        every: The connection's regular rhythm.
        recheck_after: How soon an unconfirmed refusal is checked again.
        alert_after_refusals: Refusals in a row that make an alert due.
        error_after_failures: Inconclusive outcomes in a row that make an error.
        quota_low_percent: Steps, in percent of the limit, at which to warn.
        quota_min_window: Quotas with shorter periods are shown and decide nothing.
        expiring_soon_days: Days before an authorization's end at which to warn.
    """

    every: timedelta = timedelta(minutes=5)
    recheck_after: timedelta = timedelta(seconds=30)
    alert_after_refusals: int = 2
    error_after_failures: int = 3
    quota_low_percent: tuple[int, ...] = (20, 10, 5)
    quota_min_window: timedelta = timedelta(hours=12)
    expiring_soon_days: tuple[int, ...] = (30, 14, 7, 3, 1)
