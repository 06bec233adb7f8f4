"""
Judge quotas: how much is left, when a period ended, what must be told.

Decides levels, steps and period changes for one connection. Which of several
connections on one account tells them is left to `account`, reading headers to
`monitor.check`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.judge.alerts import SEVERITY_OF, AlertDue, AlertKind
from monitor.judge.outcome import Outcome, OutcomeClass, QuotaReading

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.rules import Rules

EXHAUSTED_STEP = 0
"""The step below all of `quota_low_percent`: nothing left."""

SAME_RESET_WITHIN = timedelta(minutes=1)
"""Resets told as seconds from now differ a little from answer to answer."""

NOTHING_READ = QuotaReading()


class Level(StrEnum):
    """
    How a quota stands; None is used where that is unknown.
    """

    OK = "ok"
    LOW = "low"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True)
class Quota:
    """
    What is known of one connection's quota.

    Args:
        shown: The latest answer, unknown parts left unknown.
        known: The latest readable value of each part; periods are judged by it.
        seen_at: When *shown* was read.
        longest_reset_s: The longest time to a reset ever seen, in seconds.
        is_payment_required: A 402 came and no answer with a quota since.
        told_step: The lowest step told in this period, 0 for exhausted.
        told_limit: A new limit that another connection of the same account
            has already told, before this connection saw it.
    """

    shown: QuotaReading = NOTHING_READ
    known: QuotaReading = NOTHING_READ
    seen_at: datetime | None = None
    longest_reset_s: int | None = None
    is_payment_required: bool = False
    told_step: int | None = None
    told_limit: int | None = None

    @property
    def is_known(self) -> bool:
        """
        Tell whether there is anything to show.
        """
        return self.is_payment_required or not self.shown.is_empty

    def level(self, rules: Rules) -> Level | None:
        """
        Return the level; None where it is unknown, decides nothing, or the limit is 0.
        """
        if not self.decides(rules):
            return None
        step = self.step(rules)
        if step == EXHAUSTED_STEP:
            return Level.EXHAUSTED
        if step is not None:
            return Level.LOW
        return Level.OK if self.shown.limit and self.shown.remaining is not None else None

    def step(self, rules: Rules) -> int | None:
        """
        Return the lowest step reached, or None above all steps or where unknown.
        """
        limit, remaining = self.shown.limit, self.shown.remaining
        if self.is_payment_required:
            return EXHAUSTED_STEP
        if remaining is None or limit == 0:
            return None
        if remaining == 0:
            return EXHAUSTED_STEP
        if limit is None:
            return None
        reached = [step for step in rules.quota_low_percent if remaining * 100 <= limit * step]
        return min(reached, default=None)

    def decides(self, rules: Rules) -> bool:
        """
        Tell whether the period is long enough to warn about.

        Unknown counts as long.
        """
        length = self.known.window_s or self.longest_reset_s
        return length is None or timedelta(seconds=length) >= rules.quota_min_window

    def shares_period_with(self, other: Quota) -> bool:
        """
        Tell whether both show the same limit and the same reset.
        """
        return self.known.limit == other.known.limit and _is_same_instant(
            self.known.resets_at, other.known.resets_at
        )


@dataclass(frozen=True, slots=True)
class QuotaVerdict:
    """
    What is known of a quota from now on, and what that makes due.

    An answer tells at most two things: that the limit changed, and that a step
    is reached all the same.
    """

    quota: Quota
    alerts: tuple[AlertDue, ...] = ()


def judge_quota(previous: Quota, outcome: Outcome, rules: Rules, now: datetime) -> QuotaVerdict:
    """
    Judge what *outcome* said about the quota.

    Only answers that came from behind the credential count: a success, a 402,
    a throttled answer. Anything else leaves the quota as it was.
    """
    reading = outcome.quota or NOTHING_READ
    match outcome.reason.outcome_class:
        case OutcomeClass.SUCCESS if not outcome.is_payment_required:
            quota = _take_reading(previous, reading, now)
        case OutcomeClass.SUCCESS:
            quota = _take_payment_required(previous, reading, now)
        case OutcomeClass.THROTTLED if not reading.is_empty:
            quota = _take_reading(previous, reading, now)
        case _:
            return QuotaVerdict(previous)
    if not quota.decides(rules):
        return QuotaVerdict(replace(quota, told_step=None, told_limit=None))
    return _tell(previous, quota, rules, now)


def _take_reading(previous: Quota, reading: QuotaReading, now: datetime) -> Quota:
    if reading.is_empty:
        return replace(previous, shown=reading)
    known = QuotaReading(
        limit=previous.known.limit if reading.limit is None else reading.limit,
        remaining=previous.known.remaining if reading.remaining is None else reading.remaining,
        resets_at=reading.resets_at or previous.known.resets_at,
        window_s=reading.window_s or previous.known.window_s,
    )
    return replace(
        previous,
        shown=reading,
        known=known,
        seen_at=now,
        longest_reset_s=_longest_reset(previous, reading, now),
        is_payment_required=False,
    )


def _take_payment_required(previous: Quota, reading: QuotaReading, now: datetime) -> Quota:
    quota = previous if reading.is_empty else _take_reading(previous, reading, now)
    return replace(quota, is_payment_required=True, seen_at=now)


def _longest_reset(previous: Quota, reading: QuotaReading, now: datetime) -> int | None:
    if reading.resets_at is None or reading.resets_at <= now:
        return previous.longest_reset_s
    seconds = int((reading.resets_at - now).total_seconds())
    return max(seconds, previous.longest_reset_s or 0)


def _tell(previous: Quota, quota: Quota, rules: Rules, now: datetime) -> QuotaVerdict:
    alerts: list[AlertDue] = []
    before, after = previous.known, quota.known
    step = quota.step(rules)
    # While a step is still reached, the 402 has told it already.
    is_402_over = previous.is_payment_required and not quota.is_payment_required and step is None
    if before.limit is not None and before.limit != after.limit:
        if previous.told_limit != after.limit:
            alerts.append(_alert(AlertKind.LIMIT_CHANGED, quota, limit_before=before.limit))
        quota = replace(quota, told_step=None, told_limit=None)
    elif _is_new_period(before, after, now) or is_402_over:
        if previous.told_step is not None and quota.level(rules) is Level.OK:
            alerts.append(_alert(AlertKind.QUOTA_RESTORED, quota))
        quota = replace(quota, told_step=None)
    if step is not None and (quota.told_step is None or step < quota.told_step):
        kind = AlertKind.QUOTA_EXHAUSTED if step == EXHAUSTED_STEP else AlertKind.QUOTA_LOW
        quota = replace(quota, told_step=step)
        alerts.append(_alert(kind, quota, step=step))
    return QuotaVerdict(quota, tuple(alerts))


def _is_new_period(before: QuotaReading, after: QuotaReading, now: datetime) -> bool:
    if before.resets_at and before.resets_at <= now and after.resets_at:
        if after.resets_at > before.resets_at:
            return True
    return is_refilled(before, after)


def is_refilled(before: QuotaReading, after: QuotaReading) -> bool:
    """
    Tell whether more is left than noise explains: more than a tenth of the limit.
    """
    if before.remaining is None or after.remaining is None or after.limit is None:
        return False
    return (after.remaining - before.remaining) * 10 > after.limit


def _alert(kind: AlertKind, quota: Quota, **facts: int) -> AlertDue:
    resets_at = quota.known.resets_at
    return AlertDue(
        kind,
        SEVERITY_OF[kind],
        {
            "limit": quota.known.limit,
            "remaining": 0 if quota.is_payment_required else quota.known.remaining,
            "resets_at": resets_at and resets_at.isoformat(),
            **facts,
        },
    )


def _is_same_instant(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME_RESET_WITHIN
