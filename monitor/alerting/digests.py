"""Decide when summaries are due: of how connections are, and of what changed in an absence.

When a channel wants its digest is decided in `judge.routing`, how it reads in `notify.system`. How
long an absence must be to be worth a word, and whose first checks are waited for, is decided here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from monitor.alerting.dispatch import dispatch_alert
from monitor.clock import utc_now
from monitor.judge.alerts import CLOCK_KINDS, AlertDue, AlertKind
from monitor.judge.authorizations import FLAG_STATES
from monitor.judge.outcome import State
from monitor.judge.quota import Level
from monitor.judge.routing import covers
from monitor.store import incidents, reminders
from monitor.store.statements import in_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from monitor.config.plan import Plan
    from monitor.judge.connections import Watched
    from monitor.judge.routing import ChannelRoute
    from monitor.notify.delivery import Delivery
    from monitor.store.engine import StoreWorker, Transaction
    from monitor.store.reminders import DigestRow


WORKING = (State.ACTIVE, State.PENDING)
"""What is broken otherwise is counted as that, whatever its quota."""

NEXT_TO_END = 5
"""How many connections a summary names that end next."""


def is_any_digest_due(tx: Transaction, plan: Plan, now: datetime) -> bool:
    """Tell whether a channel is due a summary, or seen for the first time."""
    asking = [channel for channel in plan.channels if channel.digest is not None]
    if not asking:
        return False
    made = reminders.list_digest_times(tx)
    return any(one.name not in made or _is_due(one, made[one.name], now) for one in asking)


def dispatch_digests(tx: Transaction, plan: Plan, now: datetime) -> list[tuple[str, AlertDue]]:
    """Store the summaries that are due *now*; return each with its channel's name.

    A channel that is seen for the first time has its first one the next time:
    nothing was checked yet that it could be told of.
    """
    made = reminders.list_digest_times(tx)
    asking = [channel for channel in plan.channels if channel.digest is not None]
    new = [channel for channel in asking if channel.name not in made]
    due = [
        _Summary(channel)
        for channel in asking
        if channel.name in made and _is_due(channel, made[channel.name], now)
    ]
    told = []
    if due:
        _fill(tx, due, plan, reminders.list_digest_rows(tx), now)
    for one in due:
        alert = AlertDue.of(AlertKind.DIGEST, **one.facts())
        dispatch_alert(tx, alert, {}, plan, now, only={one.channel.name})
        told.append((one.channel.name, alert))
    for channel in (*new, *(one.channel for one in due)):
        reminders.note_digest(tx, channel.name, now)
    return told


def _is_due(channel: ChannelRoute, last_at: datetime, now: datetime) -> bool:
    return channel.digest is not None and channel.digest.is_due(last_at, now)


@dataclass(slots=True)
class _Summary:
    """How the connections of one channel stand, as far as they were counted."""

    channel: ChannelRoute
    counts: Counter[State] = field(default_factory=Counter)
    n_exhausted: int = 0
    n_expiring_soon: int = 0
    ends: list[tuple[datetime, str]] = field(default_factory=list)

    def count(self, one: DigestRow, watched: Watched, now: datetime) -> None:
        """Count one connection."""
        self.counts[one.state] += 1
        if one.state in WORKING and one.quota is not None:
            self.n_exhausted += one.quota.level(watched.rules) is Level.EXHAUSTED
        end = one.clock.known_end
        if one.state in FLAG_STATES and end is not None and end > now:
            self.ends.append((end, one.name))
            steps = watched.rules.expiring_soon_days
            self.n_expiring_soon += one.clock.is_expiring_soon(steps, now)

    def facts(self) -> dict[str, Any]:
        """Return what the text of the summary is made of."""
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
    tx: Transaction,
    summaries: Sequence[_Summary],
    plan: Plan,
    glances: Iterable[DigestRow],
    now: datetime,
) -> None:
    """Look at every connection once, however many channels ask."""
    for some in in_groups(glances):
        watched = plan.watched_of(tx, [one.name for one in some])
        for one in some:
            if one.name not in watched:
                continue
            for summary in summaries:
                if covers(summary.channel, watched[one.name].subject):
                    summary.count(one, watched[one.name], now)


ANNOUNCED_FROM = 3
"""An absence is told of if it lasted more than so many times the shortest `every`."""

WAIT_AT_MOST = timedelta(minutes=30)
"""Whoever has not been asked by then is not waited for."""

SPARE = timedelta(minutes=1)

MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Absence:
    """A time when nothing was watched.

    Args:
        since: The last check before it: what changed is counted from there.
        until: When the daemon ran again.
    """

    since: datetime
    until: datetime


def note_absence(tx: Transaction, plan: Plan, now: datetime) -> Absence | None:
    """Return the absence that ends *now*, if a channel wants to hear of it; ask before all else.

    It is kept until it is told: a daemon that dies before goes on with it. One
    absence after another, with no word between them, is a single one.
    """
    untold = incidents.find_unannounced_absence(tx)
    is_wanted = any(AlertKind.RESUMED in (channel.kinds or ()) for channel in plan.channels)
    if not is_wanted or not plan.intervals.longest:
        incidents.drop_unannounced_absence(tx)
        return None
    last_at = incidents.last_checked_at(tx)
    if last_at is not None and now - last_at > ANNOUNCED_FROM * plan.intervals.shortest:
        untold = (untold[0] if untold else last_at), now
        incidents.save_unannounced_absence(tx, *untold)
    return None if untold is None else Absence(*untold)


def is_all_checked(tx: Transaction, absence: Absence, plan: Plan, now: datetime) -> bool:
    """Tell whether all have been asked once since the absence, or long enough was waited."""
    if now >= absence.until + min(plan.intervals.longest, WAIT_AT_MOST) + SPARE:
        return True
    return not incidents.is_any_unchecked(tx, absence.until)


def dispatch_resumed(tx: Transaction, absence: Absence, plan: Plan, now: datetime) -> bool:
    """Dispatch what the first checks and the clocks brought to light; return False if nothing."""
    incidents.drop_unannounced_absence(tx)
    about: dict[int, str] = {}
    lines = []
    for number, (name, before, state) in incidents.changed_states(tx, absence.since).items():
        is_first_answer = before is State.PENDING and state is State.ACTIVE
        if state is not before and not is_first_answer:
            about[number] = name
            lines.append(f"{name}: {before} -> {state}")
    for number, name, kind in incidents.alerts_after(tx, absence.since, CLOCK_KINDS):
        about[number] = name
        lines.append(f"{name}: {kind}")
    if not lines:
        return False
    alert = AlertDue.of(
        AlertKind.RESUMED,
        since=absence.since.isoformat(),
        n_changed=len(lines),
        n_missed=_count_missed(tx, absence, plan),
        lines=lines[:MOST_LINES],
    )
    return dispatch_alert(tx, alert, about, plan, now) is not None


def _count_missed(tx: Transaction, absence: Absence, plan: Plan) -> int:
    """Return how many checks would have been made, by the rhythms of now."""
    length = absence.until - absence.since
    missed = 0
    for names in in_groups(incidents.list_watched(tx)):
        watched = plan.watched_of(tx, names)
        missed += sum(length // one.rules.every for one in watched.values())
    return missed


class Resumption:
    """Tells of an absence once the first answers after it are there.

    Args:
        absence: None if there was none that is worth telling.
    """

    def __init__(self, store: StoreWorker, delivery: Delivery, absence: Absence | None) -> None:
        self._store = store
        self._delivery = delivery
        self._absence = absence

    async def look(self, plan: Plan) -> None:
        """Tell if it is time to, and never again.

        Raises:
            StoreError: The database cannot be used; the next look tells.
        """
        absence = self._absence
        if absence is None:
            return
        now = utc_now()
        if not await self._store.read(lambda tx: is_all_checked(tx, absence, plan, now)):
            return
        is_told = await self._store.write(lambda tx: dispatch_resumed(tx, absence, plan, now))
        self._absence = None
        if is_told:
            self._delivery.wake()
