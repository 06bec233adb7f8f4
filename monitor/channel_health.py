"""
Tell the other channels of one that takes no messages, and when it does again.

Decides when a channel counts as failing, and who hears of it. Who of them
wants to is decided in `judge.route`, how often a message is tried in `alert`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.route import route
from monitor.store import channel_states
from monitor.telling import tell

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from monitor.plan import Plan
    from monitor.store.engine import Transaction


def note_failure(tx: Transaction, channel: str, now: datetime) -> None:
    """
    Keep since when *channel* fails.
    """
    if channel_states.find_failing(tx, channel) is None:
        channel_states.begin_failing(tx, channel, now)


def note_death(tx: Transaction, channel: str, error: str, plan: Plan, now: datetime) -> None:
    """
    Tell the other channels, once, that *channel* did not take a message that was given up.

    One that was taken out of the file is no channel that fails.
    """
    if all(one.name != channel for one in plan.channels):
        return
    note_failure(tx, channel, now)
    failing = channel_states.find_failing(tx, channel)
    if failing is None or failing.is_told:
        return
    facts = {"channel": channel, "error": error, "since": failing.since.isoformat()}
    if _tell_others(tx, channel, AlertKind.CHANNEL_FAILED, facts, plan, now):
        channel_states.mark_told(tx, channel)


def note_success(tx: Transaction, channel: str, plan: Plan, now: datetime) -> None:
    """
    Tell the other channels that *channel* takes messages again, if they heard of the contrary.
    """
    failing = channel_states.find_failing(tx, channel)
    if failing is None:
        return
    channel_states.end_failing(tx, channel)
    if failing.is_told:
        facts = {"channel": channel, "since": failing.since.isoformat()}
        _tell_others(tx, channel, AlertKind.CHANNEL_RESTORED, facts, plan, now)


def _tell_others(
    tx: Transaction,
    channel: str,
    kind: AlertKind,
    facts: dict[str, Any],
    plan: Plan,
    now: datetime,
) -> bool:
    """
    Tell every channel that works and wants to hear of it; return whether there is any.
    """
    deaf = {channel, *channel_states.list_told(tx)}
    others = [one for one in plan.channels if one.name not in deaf]
    alert = AlertDue.of(kind, **facts)
    told = route(alert, [], others)
    if told:
        tell(tx, alert, {}, plan, now, only=told)
    return bool(told)
