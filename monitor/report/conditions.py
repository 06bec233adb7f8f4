"""Read the conditions that keep alerts from being sent, and describe them.

The one place of these words: pages, `status`, `doctor` and the monitor page share them. Which
conditions there are is decided in `monitor.judge.conditions`.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from monitor.judge.conditions import ConditionFacts, ConditionKind, find_conditions
from monitor.judge.suppression import Scope
from monitor.notify.failures import name_failure
from monitor.notify.times import format_date, format_moment, format_span, read_instant
from monitor.store.outbox import list_failing_channels
from monitor.store.suppression import count_muted, list_active_silences
from monitor.store.watermarks import RELOAD_FAILED, find_watermark

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

    from monitor.judge.conditions import Condition, FailingChannel
    from monitor.report.status import ConnectionJson
    from monitor.store.engine import Transaction

MOST_NAMED = 3

MUTED, ACKNOWLEDGED = "muted", "acknowledged"

NO_CHANNEL = "no notification channel: connwatch cannot alert anyone"


def read_conditions(
    tx: Transaction, channels: Sequence[str], reload_failed_at: datetime | None, now: datetime
) -> list[Condition]:
    """Return the conditions that keep alerts from being sent *now*.

    Args:
        channels: The names of those that are configured.
        reload_failed_at: When the latest reading of the file failed; None if it did not.
    """
    silences = list_active_silences(tx, now)
    is_muted = any(one.scope is Scope.ALL and one.is_on(now) for one in silences)
    facts = ConditionFacts(
        channels,
        silences,
        list_failing_channels(tx),
        count_muted(tx) if is_muted else 0,
        reload_failed_at,
    )
    return find_conditions(facts, now)


def find_failed_reload(tx: Transaction) -> datetime | None:
    """Return when the daemon's latest reading of the file failed, if it did."""
    return find_watermark(tx, RELOAD_FAILED)


def describe_condition(condition: Condition, now: datetime, zone: tzinfo = UTC) -> str:
    """Return the sentence for a condition."""
    match condition.kind:
        case ConditionKind.NO_CHANNEL:
            return f"{NO_CHANNEL[0].upper()}{NO_CHANNEL[1:]}."
        case ConditionKind.MUTED_ALL:
            return _describe_mute(condition, now, zone)
        case ConditionKind.CHANNEL_FAILED:
            return _describe_channels(condition.failing, now, zone)
        case ConditionKind.RELOAD_FAILED:
            at = format_moment(condition.since or now, now, zone)
            return (
                f"The configuration was not reloaded at {at}: it has errors, and the former"
                " settings are in force."
            )


def advise_condition(condition: Condition) -> str:
    """Return what to do about it, for a terminal."""
    match condition.kind:
        case ConditionKind.NO_CHANNEL:
            return "add a [[channels]] table to the configuration"
        case ConditionKind.MUTED_ALL:
            return "; ".join(f"connwatch silence end {number}" for number in condition.silences)
        case ConditionKind.CHANNEL_FAILED:
            return "fix its URL, then: connwatch alerts test"
        case ConditionKind.RELOAD_FAILED:
            return "connwatch config check, then reload again"


def _describe_mute(condition: Condition, now: datetime, zone: tzinfo = UTC) -> str:
    until = format_moment(condition.until or now, now, zone)
    reason = f" ({condition.reason})" if condition.reason else ""
    held = f", {condition.n_held:,} held back" if condition.n_held else ""
    return f"All alerts are muted until {until}{reason}{held}."


def _describe_channels(failing: Sequence[FailingChannel], now: datetime, zone: tzinfo = UTC) -> str:
    if len(failing) == 1:
        return f"Channel {failing[0].name}: {describe_failure(failing[0], now, zone)}."
    names = ", ".join(one.name for one in failing[:MOST_NAMED])
    more = f" and {len(failing) - MOST_NAMED} more" if len(failing) > MOST_NAMED else ""
    return f"{len(failing)} channels are failing: {names}{more}."


def describe_failure(failing: FailingChannel, now: datetime, zone: tzinfo = UTC) -> str:
    """Return since when a channel fails, why, and when it is tried again."""
    span = format_span(now - failing.since)
    why = f": {name_failure(failing.error)}" if failing.error else ""
    if failing.next_attempt_at is None:
        return f"failing for {span}{why}"
    if failing.next_attempt_at <= now:
        return f"failing for {span}{why}; trying again now"
    return f"failing for {span}{why}; next try {format_moment(failing.next_attempt_at, now, zone)}"


def find_end_of_mute(conditions: Sequence[Condition]) -> datetime | None:
    """Return until when everything is muted; None if it is not."""
    return next((one.until for one in conditions if one.kind is ConditionKind.MUTED_ALL), None)


def describe_muting(
    each: ConnectionJson, now: datetime, zone: tzinfo = UTC, all_until: datetime | None = None
) -> list[tuple[str, str]]:
    """Return what keeps people from being alerted of one connection, or reminded.

    That is pairs of `muted` or `acknowledged` and the words for it.

    Args:
        all_until: When a mute of everything ends, which is said once for all: a connection's
            own is worth a word if it lasts longer.
    """
    found = []
    muted_until = read_instant(each["muted_until"])
    if muted_until is not None and (all_until is None or muted_until > all_until):
        found.append((MUTED, f"muted until {format_moment(muted_until, now, zone)}"))
    given = each["acknowledged"]
    if given is not None:
        until = read_instant(given["until"])
        length = "" if until is None else f" until {format_date(until, now)}"
        note = f": {given['note']}" if given["note"] else ""
        found.append((ACKNOWLEDGED, f"acknowledged{length}{note}"))
    return found
