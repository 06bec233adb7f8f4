"""Decide what is known of a connection's quota, and what a response means for it.

Decides levels, steps, which of several windows speaks for the connection, which period a response
belongs to, and which alerts are due. Each window keeps its own memory, and the one that decides
speaks for all: what was announced of one window is not announced again of another, unless that is
worse. Reading headers is left to `monitor.providers`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.outcome import Outcome, OutcomeClass, QuotaReading

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from monitor.judge.outcome import Rules


EXHAUSTED_STEP = 0
"""The step below all of `quota_low_percent`: nothing left."""

SAME_RESET_WITHIN = timedelta(minutes=1)
"""Resets told as seconds from now differ a little from answer to answer."""

FORGOTTEN_AFTER = timedelta(days=1)
"""A window that answers have ceased to tell of, and of which nobody said when it is reset."""

MOST_OTHERS = 20
"""A service that calls its windows something else each time must not fill the memory."""

NOTHING_READ = QuotaReading()


class Level(StrEnum):
    """How a quota stands; None is used where that is unknown."""

    OK = "ok"
    LOW = "low"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True)
class Quota:
    """What is known of one connection's quota: of the window that decides, and of its others.

    Args:
        shown: The latest answer, unknown parts left unknown.
        known: The latest readable value of each part; periods are judged by it.
        seen_at: When *shown* was read.
        longest_reset_s: The longest time to a reset ever seen, in seconds.
        is_payment_required: A 402 came and no answer with a quota since.
        told_step: The lowest step told in this period, 0 for exhausted.
        told_limit: A new limit that another connection of the same account
            has already told, before this connection saw it.
        others: The windows that do not decide, each with a memory of its own;
            they have no others, and a 402 is never theirs.
    """

    shown: QuotaReading = NOTHING_READ
    known: QuotaReading = NOTHING_READ
    seen_at: datetime | None = None
    longest_reset_s: int | None = None
    is_payment_required: bool = False
    told_step: int | None = None
    told_limit: int | None = None
    others: tuple[Quota, ...] = ()

    @property
    def windows(self) -> tuple[Quota, ...]:
        """Return all windows, each by itself; the first one decides."""
        return (self.alone(), *self.others)

    def alone(self) -> Quota:
        """Return the window that decides as if there were no others."""
        return replace(self, others=()) if self.others else self

    def of_window(self, name: str) -> Quota | None:
        """Return the window of that name by itself, if it is known."""
        return next((each for each in self.windows if each.known.name == name), None)

    def with_window(self, window: Quota) -> Quota:
        """Return the same with *window* in the place of the one that has its name."""
        if window.known.name == self.known.name:
            return replace(window, others=self.others)
        others = (window if each.known.name == window.known.name else each for each in self.others)
        return replace(self, others=tuple(others))

    @property
    def is_known(self) -> bool:
        """Tell whether there is anything to show."""
        return self.is_payment_required or not self.shown.is_empty

    def level(self, rules: Rules) -> Level | None:
        """Return the level; None where it is unknown, decides nothing, or the limit is 0."""
        if not self.decides(rules):
            return None
        step = self.step(rules)
        if step == EXHAUSTED_STEP:
            return Level.EXHAUSTED
        if step is not None:
            return Level.LOW
        return Level.OK if self.shown.limit and self.shown.remaining is not None else None

    def step(self, rules: Rules) -> int | None:
        """Return the lowest step reached, or None above all steps or where unknown."""
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
        """Tell whether there may be something to warn about.

        A 402 is the whole account's, however short the window that was seen.
        """
        return self.is_payment_required or self.is_long(rules)

    def is_long(self, rules: Rules) -> bool:
        """Tell whether the period is long enough to warn about.

        Unknown counts as long.
        """
        length = self.known.window_s or self.longest_reset_s
        return length is None or timedelta(seconds=length) >= rules.quota_min_window

    def tightness(self, rules: Rules) -> tuple[bool, bool, float]:
        """Return a rank by which the window that decides comes first."""
        share = self.shown.share_left
        return share is None, not self.is_long(rules), share or 0.0

    def shares_period_with(self, other: Quota) -> bool:
        """Tell whether both show the same window with the same limit and the same reset."""
        mine, others = self.known, other.known
        return (mine.name, mine.limit) == (others.name, others.limit) and is_same_reset(
            mine.resets_at, others.resets_at
        )


def take_readings(
    previous: Quota, readings: Iterable[QuotaReading], rules: Rules, now: datetime
) -> Quota:
    """Take in all windows of an answer; the tightest one that is worth a warning decides.

    Windows are told apart by name. One that is missing in an answer is remembered
    until it must have been reset.
    """
    known = {each.known.name: each for each in previous.windows if not each.known.is_empty}
    taken: dict[str, Quota] = {}
    for reading in readings:
        if not reading.is_empty and reading.name not in taken:
            base = known.pop(reading.name, _UNSEEN)
            taken[reading.name] = _take_reading(base, reading, now)
    if not taken:
        return replace(previous, shown=NOTHING_READ)
    first = next(iter(taken.values()))
    if len(taken) > 1:
        first = min(taken.values(), key=lambda each: each.tightness(rules))
    elif not known and not previous.known.is_empty:
        return first
    others = [each for each in taken.values() if each is not first]
    missing = sorted(known.values(), key=lambda each: each.seen_at or now, reverse=True)
    others += [_unpaid(each) for each in missing if not _is_over(each, now)]
    if previous.known.is_empty:
        # A 402 came before any headers: what it told is true of the window that is seen now.
        first = replace(first, told_step=previous.told_step, told_limit=previous.told_limit)
    return replace(first, others=tuple(sorted(others[:MOST_OTHERS], key=_name_of)))


def take_payment_required(
    previous: Quota, readings: Iterable[QuotaReading], rules: Rules, now: datetime
) -> Quota:
    """Take in a 402, which may tell of windows as well."""
    told = [reading for reading in readings if not reading.is_empty]
    quota = take_readings(previous, told, rules, now) if told else previous
    if not quota.is_long(rules):
        # Whatever a minute brings back, what was not paid for is not among it.
        quota = replace(quota, shown=replace(quota.shown, resets_at=None))
    return replace(quota, is_payment_required=True, seen_at=now)


_UNSEEN = Quota()


def _name_of(window: Quota) -> str:
    return window.known.name


def _unpaid(window: Quota) -> Quota:
    return replace(window, is_payment_required=False) if window.is_payment_required else window


def _is_over(window: Quota, now: datetime) -> bool:
    if window.known.resets_at is not None:
        return window.known.resets_at <= now
    return window.seen_at is None or now - window.seen_at >= FORGOTTEN_AFTER


def _take_reading(previous: Quota, reading: QuotaReading, now: datetime) -> Quota:
    before = previous.known
    known = QuotaReading(
        limit=before.limit if reading.limit is None else reading.limit,
        remaining=before.remaining if reading.remaining is None else reading.remaining,
        resets_at=reading.resets_at or before.resets_at,
        window_s=reading.window_s or before.window_s,
        name=reading.name,
        unit=reading.unit,
    )
    # Written out: `replace` takes longer, and this is done for every answer.
    return Quota(
        shown=reading,
        known=known,
        seen_at=now,
        longest_reset_s=_longest_reset(previous, reading, now),
        told_step=previous.told_step,
        told_limit=previous.told_limit,
    )


def _longest_reset(previous: Quota, reading: QuotaReading, now: datetime) -> int | None:
    if reading.resets_at is None or reading.resets_at <= now:
        return previous.longest_reset_s
    seconds = int((reading.resets_at - now).total_seconds())
    return max(seconds, previous.longest_reset_s or 0)


def window_facts(window: QuotaReading) -> dict[str, str]:
    """Return what an alert says of which window it is about; nothing where there is but one."""
    return {"window": window.name, "unit": window.unit.value} if window.name else {}


def is_refilled(before: QuotaReading, after: QuotaReading) -> bool:
    """Tell whether more is left than noise explains: more than a tenth of the limit."""
    if before.remaining is None or after.remaining is None or after.limit is None:
        return False
    return (after.remaining - before.remaining) * 10 > after.limit


def is_same_reset(one: datetime | None, other: datetime | None) -> bool:
    """Tell whether both are the same reset, told at different moments."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME_RESET_WITHIN


@dataclass(frozen=True, slots=True)
class QuotaVerdict:
    """What is known of a quota from now on, and what that makes due.

    An answer tells at most two things: that the limit changed, and that a step
    is reached all the same.
    """

    quota: Quota
    alerts: tuple[AlertDue, ...] = ()


def judge_quota(previous: Quota, outcome: Outcome, rules: Rules, now: datetime) -> QuotaVerdict:
    """Judge what *outcome* said about the quota.

    Only answers that came from behind the credential count: a success, a 402,
    a throttled answer. Anything else leaves the quota as it was.
    """
    readings = _readings_of(outcome)
    match outcome.reason.outcome_class:
        case OutcomeClass.SUCCESS if not outcome.is_payment_required:
            quota = take_readings(previous, readings, rules, now)
        case OutcomeClass.SUCCESS:
            quota = take_payment_required(previous, readings, rules, now)
        case OutcomeClass.THROTTLED if any(not reading.is_empty for reading in readings):
            quota = take_readings(previous, readings, rules, now)
        case _:
            return QuotaVerdict(previous)
    return _find_alerts(previous, quota, rules, now)


def _readings_of(outcome: Outcome) -> Sequence[QuotaReading]:
    if outcome.windows:
        return outcome.windows
    return () if outcome.quota is None else (outcome.quota,)


def _find_alerts(previous: Quota, quota: Quota, rules: Rules, now: datetime) -> QuotaVerdict:
    quota, alerts = _find_new_alerts(previous, quota, rules, now)
    step = _due_step(quota, rules)
    told = [each.told_step for each in quota.windows if each.told_step is not None]
    if step is not None and step < min(told, default=step + 1):
        kind = AlertKind.QUOTA_EXHAUSTED if step == EXHAUSTED_STEP else AlertKind.QUOTA_LOW
        quota = replace(quota, told_step=step)
        alerts.append(_alert(kind, quota, rules, step=step))
    return QuotaVerdict(quota, tuple(alerts))


def _due_step(quota: Quota, rules: Rules) -> int | None:
    return quota.step(rules) if quota.decides(rules) else None


def _find_new_alerts(
    previous: Quota, quota: Quota, rules: Rules, now: datetime
) -> tuple[Quota, list[AlertDue]]:
    """Begin new periods and limits as untold; tell a new limit, or that all is well again."""
    is_402_over = previous.is_payment_required and not quota.is_payment_required
    # While a step is still reached, the 402 has told it already.
    is_402_over = is_402_over and _due_step(quota, rules) is None
    before = {each.known.name: each for each in previous.windows if not each.known.is_empty}
    windows: list[Quota] = []
    changes: list[tuple[Quota, Quota]] = []
    ended: list[Quota] = []
    for each in quota.windows:
        known = before.pop(each.known.name, _UNSEEN)
        if not each.is_long(rules):
            # Nothing is told of it but a 402, which outlasts its periods.
            if is_402_over and each.told_step is not None:
                ended.append(each)
            windows.append(each if quota.is_payment_required else _forget(each))
        elif known.known.limit is not None and known.known.limit != each.known.limit:
            changes.append((known, each))
            windows.append(_forget(each))
        elif each.told_step is not None and (
            has_reset(known.known.resets_at, each.known.resets_at, now)
            or is_refilled(known.known, each.known)
            or (is_402_over and each.step(rules) is None)
        ):
            ended.append(each)
            windows.append(replace(each, told_step=None))
        else:
            windows.append(each)
    # A window that is not told of any more was reset long ago.
    ended += [each for each in before.values() if each.told_step is not None]
    quota = replace(windows[0], others=tuple(windows[1:])) if windows[1:] else windows[0]
    if changes:
        return quota, _limit_alert(changes, rules)
    if is_402_over and not quota.decides(rules):
        # Of short windows nothing else was told; one that says what is left has seen its end.
        is_well = quota.shown.share_left is not None
    else:
        is_well = quota.level(rules) is Level.OK
    return quota, _restored_alert(ended, quota, rules) if is_well else []


def _forget(window: Quota) -> Quota:
    if window.told_step is None and window.told_limit is None:
        return window
    return replace(window, told_step=None, told_limit=None)


def _limit_alert(changes: Sequence[tuple[Quota, Quota]], rules: Rules) -> list[AlertDue]:
    """Tell one new limit, even if several have changed: it is one upgrade."""
    untold = [(old, new) for old, new in changes if old.told_limit != new.known.limit]
    return [
        _alert(AlertKind.LIMIT_CHANGED, new, rules, limit_before=old.known.limit or 0)
        for old, new in untold[:1]
    ]


def _restored_alert(ended: Sequence[Quota], quota: Quota, rules: Rules) -> list[AlertDue]:
    """Tell that a quota is restored, once nothing that was told of any window is true."""
    if not ended or any(each.told_step is not None for each in quota.windows):
        return []
    return [_alert(AlertKind.QUOTA_RESTORED, quota.of_window(ended[0].known.name) or quota, rules)]


def has_reset(before: datetime | None, after: datetime | None, now: datetime) -> bool:
    """Tell whether the reset known *before* has passed, and a later one is known since."""
    return bool(before and after and before <= now and after > before)


def _alert(kind: AlertKind, window: Quota, rules: Rules, **facts: int) -> AlertDue:
    known = window.known
    resets_at = known.resets_at if window.is_long(rules) else None
    return AlertDue.of(
        kind,
        limit=known.limit,
        remaining=0 if window.is_payment_required else known.remaining,
        resets_at=resets_at and resets_at.isoformat(),
        **window_facts(known),
        **facts,
    )
