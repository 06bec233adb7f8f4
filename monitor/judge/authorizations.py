"""Decide what time alone changes about an authorization, and what a check or a date says of it.

An `AuthorizationClock` is a value: the functions here take one and return the next; only the store
keeps them. Whoever spoke last is right, the file or a command; the file speaks only when the date
in it is another one than before. When a token itself expires, its service says with each response.
Judging responses is left to `verdict`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertDue, AlertKind, severity_of
from monitor.judge.outcome import Outcome, OutcomeClass, Reason, State, name_day

if TYPE_CHECKING:
    from collections.abc import Iterable


DEFAULT_VALID_DAYS = 365
"""Amazon ends an authorization after a year (reference 4.1)."""


class ClockSource(StrEnum):
    """Who says when a clock ends."""

    DECLARED = "declared"
    OBSERVED = "observed"


DAY = timedelta(days=1)


def start_of(day: date) -> datetime:
    """Return the instant that *day* means in UTC: its own time, else the day's start."""
    if isinstance(day, datetime):
        return day.astimezone(UTC)
    return datetime.combine(day, time(), UTC)


def days_left(ends_at: datetime, now: datetime) -> int:
    """Return the whole days left, rounded down; 0 on the last day and negative after it."""
    return (ends_at - now) // DAY


def is_expiring_soon(ends_at: datetime, steps: Iterable[int], now: datetime) -> bool:
    """Tell whether *now* lies between the largest step before the end and the end."""
    return ends_at - max(steps, default=0) * DAY <= now < ends_at


THE_END = 0
"""The step after the last one: nothing is left, and a check must tell what that means."""

FLAG_STATES = frozenset({State.ACTIVE, State.ERROR, State.PENDING})
"""The states in which an end that comes near is worth a flag and an alert."""


@dataclass(frozen=True, slots=True)
class AuthorizationClock:
    """What is known of one authorization, and what was told of it.

    Args:
        authorized_at: When it was granted, as last said by anybody; None for unknown.
        ends_at: When it ends; None for unknown, or for no limit.
        file_authorized_at: The date last seen in the file: only a different one is news.
        told_step: The most urgent step that was passed; `THE_END` after the end.
        is_renewal_pending: A renewal was recorded, and no check has confirmed it yet.
        is_renewal_unrecorded: It works past its end, and nobody said since when.
        fingerprint: Tells which refresh token was used last.
        renewal_fingerprint: The same, when the latest renewal was recorded.
        token_ends_at: When the token itself ends, as the service says: it is
            believed rather than *ends_at*.
    """

    authorized_at: datetime | None = None
    ends_at: datetime | None = None
    source: ClockSource = ClockSource.DECLARED
    file_authorized_at: datetime | None = None
    told_step: int | None = None
    is_renewal_pending: bool = False
    is_renewal_unrecorded: bool = False
    fingerprint: str | None = None
    renewal_fingerprint: str | None = None
    token_ends_at: datetime | None = None

    @property
    def known_end(self) -> datetime | None:
        """Return the end to count to; None once it has proved wrong."""
        if self.token_ends_at is not None:
            return self.token_ends_at
        return None if self.is_renewal_unrecorded else self.ends_at

    def is_over(self, now: datetime) -> bool:
        """Tell whether the known end has passed."""
        return self.known_end is not None and self.known_end <= now

    def steps(self, configured: Iterable[int]) -> tuple[int, ...]:
        """Return the steps that this authorization has, the largest first.

        One that lasts a week does not begin with a warning of a month.
        """
        end = self.token_ends_at or self.ends_at
        if end is None:
            return ()
        # How long a token has lived already, its service does not say.
        life = end - self.authorized_at if self.authorized_at else timedelta.max
        return tuple(sorted({step for step in configured if step * DAY < life}, reverse=True))

    def is_expiring_soon(self, configured: Iterable[int], now: datetime) -> bool:
        """Tell whether *now* lies between the first step and the end."""
        steps = self.steps(configured)
        end = self.known_end
        return bool(steps) and end is not None and is_expiring_soon(end, steps, now)


def next_step_at(clock: AuthorizationClock, configured: Iterable[int]) -> datetime | None:
    """Return the instant of the next step that was not passed yet, the end being the last one."""
    end = clock.known_end
    steps = _unannounced_steps(clock, configured)
    return end - steps[0] * DAY if end is not None and steps else None


def _unannounced_steps(clock: AuthorizationClock, configured: Iterable[int]) -> list[int]:
    if clock.known_end is None:
        return []
    steps = (*clock.steps(configured), THE_END)
    return [step for step in steps if clock.told_step is None or step < clock.told_step]


def _reached(clock: AuthorizationClock, configured: Iterable[int], now: datetime) -> int | None:
    """Return the most urgent step that *now* has reached and nobody was told of."""
    end = clock.known_end
    if end is None:
        return None
    reached = [step for step in _unannounced_steps(clock, configured) if end - step * DAY <= now]
    return min(reached, default=None)


@dataclass(frozen=True, slots=True)
class PassedSteps:
    """What time alone has changed.

    Args:
        is_check_due: The end has passed: a check must tell what that means.
    """

    clock: AuthorizationClock
    alerts: tuple[AlertDue, ...] = ()
    is_check_due: bool = False


def pass_steps(
    clock: AuthorizationClock, state: State, configured: Iterable[int], now: datetime
) -> PassedSteps:
    """Return what is due because *now* has come: after an absence only the most urgent."""
    configured = tuple(configured)
    step = _reached(clock, configured, now)
    if step is None:
        return PassedSteps(clock)
    if step == THE_END:
        return PassedSteps(replace(clock, told_step=THE_END), is_check_due=True)
    if state not in FLAG_STATES:
        return PassedSteps(clock)
    kind, is_last = AlertKind.EXPIRING_SOON, step == clock.steps(configured)[-1]
    severity = severity_of(kind, is_last_step=is_last)
    alert = AlertDue(kind, severity, {"step": step} | _facts(clock))
    return PassedSteps(replace(clock, told_step=step), (alert,))


def count_down(clock: AuthorizationClock, outcome: Outcome, now: datetime) -> Outcome:
    """Return what the clock says where nobody can be asked, and *outcome* otherwise."""
    if not outcome.is_countdown or clock.ends_at is None or now < clock.ends_at:
        return outcome
    detail = f"The authorization expired on {name_day(clock.ends_at)}."
    return replace(outcome, reason=Reason.AUTHORIZATION_EXPIRED, detail=detail)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a check says about the clock."""

    clock: AuthorizationClock
    alerts: tuple[AlertDue, ...] = ()


def confirm(clock: AuthorizationClock, outcome: Outcome, now: datetime) -> Confirmation:
    """Let a success confirm a renewal, or show one that nobody recorded."""
    if outcome.fingerprint is not None and outcome.fingerprint != clock.fingerprint:
        clock = replace(clock, fingerprint=outcome.fingerprint)
    if outcome.reason.outcome_class is not OutcomeClass.SUCCESS:
        return Confirmation(clock)
    clock = _withdraw_end(clock, now)
    # Of a token's own end the service speaks, and nobody has to: see `observe_token_end`.
    if clock.token_ends_at is None and clock.is_over(sent_at(outcome, now)):
        kept = replace(clock, is_renewal_pending=False, is_renewal_unrecorded=True)
        return Confirmation(kept, (_alert(AlertKind.RENEWAL_UNRECORDED, clock),))
    if clock.is_renewal_pending:
        kept = replace(clock, is_renewal_pending=False)
        return Confirmation(kept, (_alert(AlertKind.RENEWED, kept),))
    return Confirmation(clock)


_OLD_GRANT = "A renewal brings a new refresh token"
_OLD_GRANT_END = "Replace it."
_FORMER_END = "Put the new one where `refresh_token` points."
"""What it ended with before: such details are still stored."""

OLD_TOKEN_IN_USE = (
    _OLD_GRANT
    + "; the one configured is still the one from before the renewal of {day}. "
    + _OLD_GRANT_END
)


def name_old_token(clock: AuthorizationClock, outcome: Outcome) -> Outcome:
    """Say of a refusal that the token from before a recorded renewal is still in use.

    It stands first: what Amazon said is worth less than what was concluded.
    """
    if outcome.reason not in {Reason.AUTHORIZATION_REVOKED, Reason.AUTHORIZATION_EXPIRED}:
        return outcome
    is_old = outcome.fingerprint is not None and outcome.fingerprint == clock.renewal_fingerprint
    if not is_old or not clock.is_renewal_pending or clock.authorized_at is None:
        return outcome
    concluded = OLD_TOKEN_IN_USE.format(day=name_day(clock.authorized_at))
    return replace(outcome, detail=f"{concluded} {outcome.detail}".rstrip())


def says_old_token(detail: str) -> bool:
    """Tell whether a detail is of a token from before a renewal: see `name_old_token`."""
    return detail.startswith(_OLD_GRANT)


def drop_old_token(detail: str) -> str:
    """Return what a detail says beside that, for those who say it in their own words."""
    if not says_old_token(detail):
        return detail
    end = _FORMER_END if _FORMER_END in detail else _OLD_GRANT_END
    return detail.partition(end)[2].strip()


def _withdraw_end(clock: AuthorizationClock, now: datetime) -> AuthorizationClock:
    """Let an end come again that had come only because the machine's clock was wrong."""
    end = clock.token_ends_at or clock.ends_at
    if clock.told_step != THE_END or end is None or end <= now:
        return clock
    return replace(clock, told_step=last_passed(end, now), is_renewal_unrecorded=False)


def sent_at(outcome: Outcome, now: datetime) -> datetime:
    """Return when the request left: an answer tells nothing of what came after that."""
    return now - timedelta(milliseconds=outcome.latency_ms or 0)


def last_passed(ends_at: datetime, now: datetime) -> int:
    """Return the days left, rounded up: no step below it was reached yet."""
    return max(THE_END, -((now - ends_at) // DAY))


def _alert(kind: AlertKind, clock: AuthorizationClock) -> AlertDue:
    return AlertDue.of(kind, **_facts(clock))


def _facts(clock: AuthorizationClock) -> dict[str, str | bool | None]:
    end = clock.token_ends_at or clock.ends_at
    return {
        "authorized_at": clock.authorized_at.isoformat() if clock.authorized_at else None,
        "ends_at": end.isoformat() if end else None,
        "is_of_token": clock.token_ends_at is not None,
    }


@dataclass(frozen=True, slots=True)
class Declared:
    """What the configuration file says of an authorization.

    Args:
        authorized_at: When it was granted; None where the file has no date.
        valid_days: How long it lasts; 0 for no known limit.
    """

    authorized_at: datetime | None = None
    valid_days: int = DEFAULT_VALID_DAYS

    def ends_at(self, authorized_at: datetime) -> datetime | None:
        """Return the end of an authorization that was granted at *authorized_at*."""
        return authorized_at + self.valid_days * DAY if self.valid_days else None


LASTS_BY_NATURE = frozenset({"amazon", "countdown"})
"""The providers whose authorizations end after `valid_days`, whether or not a day is known."""


def needs_day(provider: str, clock: AuthorizationClock, declared: Declared) -> bool:
    """Tell whether a renewal must say its day, since no clock is there to start anew.

    A token of which nobody ever gave a day would get an end that its service does not know.
    """
    has_clock = provider in LASTS_BY_NATURE or clock.authorized_at is not None
    return not has_clock and bool(declared.valid_days)


class DateChange(Enum):
    """What a date that somebody gave means."""

    NONE = "none"
    FIRST = "first"
    RENEWAL = "renewal"
    CORRECTION = "correction"
    WITHDRAWAL = "withdrawal"


def declare_date(
    clock: AuthorizationClock, declared: Declared, now: datetime
) -> AuthorizationClock:
    """Return the clock after the file was read: only a date that is new there counts."""
    if declared.authorized_at != clock.file_authorized_at:
        seen = replace(clock, file_authorized_at=declared.authorized_at)
        clock, _ = set_date(seen, declared.authorized_at, declared, now, is_from_file=True)
    if clock.authorized_at is None:
        return clock
    return _keep_announced(
        replace(clock, ends_at=declared.ends_at(clock.authorized_at)), clock, now
    )


def set_date(
    clock: AuthorizationClock,
    authorized_at: datetime | None,
    declared: Declared,
    now: datetime,
    *,
    is_from_file: bool = False,
) -> tuple[AuthorizationClock, DateChange]:
    """Return the clock after somebody said when the authorization was granted.

    Args:
        is_from_file: A first date there is no news; a person who gives one has
            renewed.
    """
    if authorized_at == clock.authorized_at:
        return clock, DateChange.NONE
    if authorized_at is None:
        unknown = AuthorizationClock(
            file_authorized_at=clock.file_authorized_at, fingerprint=clock.fingerprint
        )
        return unknown, DateChange.WITHDRAWAL
    ends_at = declared.ends_at(authorized_at)
    moved = replace(
        clock, authorized_at=authorized_at, ends_at=ends_at, source=ClockSource.DECLARED
    )
    if clock.authorized_at is None and is_from_file:
        return replace(moved, told_step=None), DateChange.FIRST
    if clock.authorized_at is not None and authorized_at < clock.authorized_at:
        return _keep_announced(moved, clock, now), DateChange.CORRECTION
    return _await_renewal(moved), DateChange.RENEWAL


def renew(
    clock: AuthorizationClock, at: datetime, declared: Declared, now: datetime
) -> AuthorizationClock:
    """Return the clock after a new credential came: its days count from *at*, whatever was."""
    moved, _ = set_date(clock, at, declared, now)
    return _await_renewal(moved)


def _await_renewal(moved: AuthorizationClock) -> AuthorizationClock:
    """Return a clock that was set, until another credential than the present one is used."""
    return replace(
        moved,
        told_step=None,
        is_renewal_pending=True,
        is_renewal_unrecorded=False,
        renewal_fingerprint=moved.fingerprint,
    )


def _keep_announced(
    moved: AuthorizationClock, before: AuthorizationClock, now: datetime
) -> AuthorizationClock:
    """Forget the steps that a moved end has put back into the future."""
    if moved.ends_at == before.ends_at:
        return moved
    if moved.ends_at is None:
        return replace(moved, told_step=None, is_renewal_unrecorded=False)
    return replace(
        moved,
        told_step=_still_passed(before, moved.ends_at, now),
        is_renewal_unrecorded=moved.is_renewal_unrecorded and moved.ends_at <= now,
    )


def _still_passed(clock: AuthorizationClock, ends_at: datetime, now: datetime) -> int | None:
    return None if clock.told_step is None else max(clock.told_step, last_passed(ends_at, now))


SAME_END_WITHIN = timedelta(minutes=1)
"""Ends told as seconds from now differ a little from answer to answer."""

DOUBTFUL_WITHIN = timedelta(minutes=5)
"""
So near its end a token proves nothing by being let in: clocks differ, services are lenient, and
an end that equals the time of day is not read (`providers.answers`).
"""


def observe_token_end(
    clock: AuthorizationClock, outcome: Outcome, now: datetime
) -> AuthorizationClock:
    """Return the clock after an answer that may have said when the token ends.

    A later end means another token: what was told of the old one is over, and
    that is told. A success that speaks of no end means that there is none, and
    one that speaks of an end that has passed, that it is not the end. One that
    cannot be understood says nothing, least of all that the token is new.
    """
    if outcome.reason.outcome_class is not OutcomeClass.SUCCESS:
        return clock
    before, seen = clock.token_ends_at, outcome.token_ends_at
    is_same = before is not None and seen is not None and abs(seen - before) <= SAME_END_WITHIN
    if seen is not None and seen <= now:
        seen = None
    if before is None:
        return clock if seen is None else _with_end(clock, seen, now)
    if seen is not None:
        return clock if is_same else _with_end(clock, seen, now, is_renewed=seen > before)
    if abs(before - now) <= DOUBTFUL_WITHIN or (outcome.is_token_end_unclear and before > now):
        return clock
    return _with_end(clock, None, now, is_renewed=not is_same)


def _with_end(
    clock: AuthorizationClock, seen: datetime | None, now: datetime, *, is_renewed: bool = False
) -> AuthorizationClock:
    return replace(
        clock,
        token_ends_at=seen,
        told_step=None if seen is None else _still_passed(clock, seen, now),
        is_renewal_pending=clock.is_renewal_pending or is_renewed,
    )
