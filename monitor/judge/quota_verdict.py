"""
Judge what an answer says of a quota: which period it belongs to, what must be told.

Each window keeps its own memory, and the one that decides speaks for all: what
people were told of one window they are not told again of another, unless that
is worse. Which of several connections on one account tells is left to `account`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.outcome import Outcome, OutcomeClass, QuotaReading
from monitor.judge.quota import (
    EXHAUSTED_STEP,
    Level,
    Quota,
    is_refilled,
    take_payment_required,
    take_readings,
    window_facts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.judge.rules import Rules


@dataclass(frozen=True, slots=True)
class QuotaVerdict:
    """
    What is known of a quota from now on, and what that makes due.

    An answer tells at most two things: that the limit changed, and that a step
    is reached all the same.
    """

    quota: Quota
    alerts: tuple[AlertDue, ...] = ()


_UNSEEN = Quota()


def judge_quota(previous: Quota, outcome: Outcome, rules: Rules, now: datetime) -> QuotaVerdict:
    """
    Judge what *outcome* said about the quota.

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
    return _tell(previous, quota, rules, now)


def _readings_of(outcome: Outcome) -> Sequence[QuotaReading]:
    if outcome.windows:
        return outcome.windows
    return () if outcome.quota is None else (outcome.quota,)


def _tell(previous: Quota, quota: Quota, rules: Rules, now: datetime) -> QuotaVerdict:
    quota, alerts = _tell_news(previous, quota, rules, now)
    step = _due_step(quota, rules)
    told = [each.told_step for each in quota.windows if each.told_step is not None]
    if step is not None and step < min(told, default=step + 1):
        kind = AlertKind.QUOTA_EXHAUSTED if step == EXHAUSTED_STEP else AlertKind.QUOTA_LOW
        quota = replace(quota, told_step=step)
        alerts.append(_alert(kind, quota, rules, step=step))
    return QuotaVerdict(quota, tuple(alerts))


def _due_step(quota: Quota, rules: Rules) -> int | None:
    return quota.step(rules) if quota.decides(rules) else None


def _tell_news(
    previous: Quota, quota: Quota, rules: Rules, now: datetime
) -> tuple[Quota, list[AlertDue]]:
    """
    Begin new periods and limits as untold; tell a new limit, or that all is well again.
    """
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
            _is_new_period(known.known, each.known, now)
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
        return quota, _tell_change(changes, rules)
    if is_402_over and not quota.decides(rules):
        # Of short windows nothing else was told; one that says what is left has seen its end.
        is_well = quota.shown.share_left is not None
    else:
        is_well = quota.level(rules) is Level.OK
    return quota, _tell_end(ended, quota, rules) if is_well else []


def _forget(window: Quota) -> Quota:
    if window.told_step is None and window.told_limit is None:
        return window
    return replace(window, told_step=None, told_limit=None)


def _tell_change(changes: Sequence[tuple[Quota, Quota]], rules: Rules) -> list[AlertDue]:
    """
    Tell one new limit, even if several have changed: it is one upgrade.
    """
    untold = [(old, new) for old, new in changes if old.told_limit != new.known.limit]
    return [
        _alert(AlertKind.LIMIT_CHANGED, new, rules, limit_before=old.known.limit or 0)
        for old, new in untold[:1]
    ]


def _tell_end(ended: Sequence[Quota], quota: Quota, rules: Rules) -> list[AlertDue]:
    """
    Tell that a quota is restored, once nothing that was told of any window is true.
    """
    if not ended or any(each.told_step is not None for each in quota.windows):
        return []
    return [_alert(AlertKind.QUOTA_RESTORED, quota.of_window(ended[0].known.name) or quota, rules)]


def _is_new_period(before: QuotaReading, after: QuotaReading, now: datetime) -> bool:
    if before.resets_at and before.resets_at <= now and after.resets_at:
        if after.resets_at > before.resets_at:
            return True
    return is_refilled(before, after)


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
