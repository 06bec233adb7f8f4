"""
Send the channels that ask for it a summary of how their connections stand.

When one is due is decided in `judge.digest`, how it reads in `alert`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.clocks import FLAG_STATES
from monitor.judge.outcome import State
from monitor.judge.quota import Level
from monitor.judge.route import covers
from monitor.store import digests
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from monitor.judge.connections import Watched
    from monitor.judge.route import ChannelRoute
    from monitor.plan import Plan
    from monitor.store.digests import Glance
    from monitor.store.engine import Transaction

WORKING = (State.ACTIVE, State.PENDING)
"""What is broken otherwise is counted as that, whatever its quota."""

NEXT_TO_END = 5
"""How many connections a summary names that end next."""


def is_any_due(tx: Transaction, plan: Plan, now: datetime) -> bool:
    """
    Tell whether a channel is due a summary, or seen for the first time.
    """
    asking = [channel for channel in plan.channels if channel.digest is not None]
    if not asking:
        return False
    made = digests.list_made(tx)
    return any(one.name not in made or _is_due(one, made[one.name], now) for one in asking)


def make_due(tx: Transaction, plan: Plan, now: datetime) -> list[tuple[str, AlertDue]]:
    """
    Store the summaries that are due *now*; return each with its channel's name.

    A channel that is seen for the first time has its first one the next time:
    nothing was checked yet that it could be told of.
    """
    made = digests.list_made(tx)
    asking = [channel for channel in plan.channels if channel.digest is not None]
    new = [channel for channel in asking if channel.name not in made]
    due = [
        _Summary(channel)
        for channel in asking
        if channel.name in made and _is_due(channel, made[channel.name], now)
    ]
    told = []
    if due:
        _fill(due, plan, digests.glance_at_all(tx), now)
    for one in due:
        alert = AlertDue.of(AlertKind.DIGEST, **one.facts())
        tell(tx, alert, {}, plan, now, only={one.channel.name})
        told.append((one.channel.name, alert))
    for channel in (*new, *(one.channel for one in due)):
        digests.note_made(tx, channel.name, now)
    return told


def _is_due(channel: ChannelRoute, last_at: datetime, now: datetime) -> bool:
    return channel.digest is not None and channel.digest.is_due(last_at, now)


@dataclass(slots=True)
class _Summary:
    """
    How the connections of one channel stand, as far as they were counted.
    """

    channel: ChannelRoute
    counts: Counter[State] = field(default_factory=Counter)
    n_exhausted: int = 0
    n_expiring_soon: int = 0
    ends: list[tuple[datetime, str]] = field(default_factory=list)

    def count(self, one: Glance, watched: Watched, now: datetime) -> None:
        """
        Count one connection.
        """
        self.counts[one.state] += 1
        if one.state in WORKING and one.quota is not None:
            self.n_exhausted += one.quota.level(watched.rules) is Level.EXHAUSTED
        end = one.clock.known_end
        if one.state in FLAG_STATES and end is not None and end > now:
            self.ends.append((end, one.name))
            steps = watched.rules.expiring_soon_days
            self.n_expiring_soon += one.clock.is_expiring_soon(steps, now)

    def facts(self) -> dict[str, Any]:
        """
        Return what the text of the summary is made of.
        """
        return {
            **{f"n_{state.value}": self.counts[state] for state in State},
            "n_exhausted": self.n_exhausted,
            "n_expiring_soon": self.n_expiring_soon,
            "next_to_end": [
                {"name": name, "ends_at": end.isoformat()}
                for end, name in nsmallest(NEXT_TO_END, self.ends)
            ],
        }


def _fill(
    summaries: Sequence[_Summary], plan: Plan, glances: Iterable[Glance], now: datetime
) -> None:
    """
    Look at every connection once, however many channels ask.
    """
    for one in glances:
        watched = plan.watched.get(one.name)
        if watched is None:
            continue
        for summary in summaries:
            if covers(summary.channel, watched.subject):
                summary.count(one, watched, now)
