"""
Tell what has changed while the daemon did not run.

Decides how long an absence must be to be told of, and how long to wait for the
first answers after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.clock import utc_now
from monitor.judge.alerts import CLOCK_KINDS, SEVERITY_OF, AlertDue, AlertKind
from monitor.judge.outcome import State
from monitor.store import absences
from monitor.telling import tell

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.alert.delivery import Delivery
    from monitor.plan import Plan
    from monitor.store.engine import Transaction
    from monitor.store.worker import StoreWorker

TOLD_FROM = 3
"""An absence is told of if it lasted more than so many times the shortest `every`."""

WAIT_AT_MOST = timedelta(minutes=30)
"""Whoever has not been asked by then is not waited for."""

SPARE = timedelta(minutes=1)

MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Absence:
    """
    A time when nothing was watched.

    Args:
        since: The last check before it: what changed is counted from there.
        until: When the daemon ran again.
    """

    since: datetime
    until: datetime


def note_absence(tx: Transaction, plan: Plan, now: datetime) -> Absence | None:
    """
    Return the absence that ends *now*, if a channel wants to hear of it; ask before all else.

    It is kept until it is told: a daemon that dies before goes on with it. One
    absence after another, with no word between them, is a single one.
    """
    untold = absences.find_untold(tx)
    is_wanted = any(AlertKind.RESUMED in (channel.kinds or ()) for channel in plan.channels)
    if not is_wanted or not plan.watched:
        absences.drop_untold(tx)
        return None
    last_at = absences.last_checked_at(tx)
    shortest = min(one.rules.every for one in plan.watched.values())
    if last_at is not None and now - last_at > TOLD_FROM * shortest:
        untold = (untold[0] if untold else last_at), now
        absences.keep_untold(tx, *untold)
    return None if untold is None else Absence(*untold)


def is_settled(tx: Transaction, absence: Absence, plan: Plan, now: datetime) -> bool:
    """
    Tell whether all have been asked once since the absence, or long enough was waited.
    """
    longest = max((one.rules.every for one in plan.watched.values()), default=timedelta())
    if now >= absence.until + min(longest, WAIT_AT_MOST) + SPARE:
        return True
    return not absences.is_any_unasked(tx, absence.until)


def tell_resumed(tx: Transaction, absence: Absence, plan: Plan, now: datetime) -> bool:
    """
    Tell what the first answers and the clocks say that was not known before; False if nothing.
    """
    absences.drop_untold(tx)
    about: dict[int, str] = {}
    lines = []
    for number, (name, before, state) in absences.changed_states(tx, absence.since).items():
        is_first_answer = before is State.PENDING and state is State.ACTIVE
        if state is not before and not is_first_answer:
            about[number] = name
            lines.append(f"{name}: {before} -> {state}")
    for number, name, kind in absences.alerts_after(tx, absence.since, CLOCK_KINDS):
        about[number] = name
        lines.append(f"{name}: {kind}")
    if not lines:
        return False
    facts = {
        "since": absence.since.isoformat(),
        "n_changed": len(lines),
        "n_missed": _count_missed(tx, absence, plan),
        "lines": lines[:MOST_LINES],
    }
    kind = AlertKind.RESUMED
    return tell(tx, AlertDue(kind, SEVERITY_OF[kind], facts), about, plan, now) is not None


def _count_missed(tx: Transaction, absence: Absence, plan: Plan) -> int:
    """
    Return how many checks would have been made, by the rhythms of now.
    """
    length = absence.until - absence.since
    names = absences.list_watched(tx)
    return sum(length // one.rules.every for name, one in plan.watched.items() if name in names)


class Resumption:
    """
    Tells of an absence once the first answers after it are there.

    Args:
        absence: None if there was none that is worth telling.
    """

    def __init__(
        self, store: StoreWorker, plan: Plan, delivery: Delivery, absence: Absence | None
    ) -> None:
        self._store = store
        self._plan = plan
        self._delivery = delivery
        self._absence = absence

    def adopt(self, plan: Plan) -> None:
        """
        Go on with other settings.
        """
        self._plan = plan

    async def look(self) -> None:
        """
        Tell if it is time to, and never again.

        Raises:
            StoreError: The database cannot be used; the next look tells.
        """
        absence, plan = self._absence, self._plan
        if absence is None:
            return
        now = utc_now()
        if not await self._store.read(lambda tx: is_settled(tx, absence, plan, now)):
            return
        is_told = await self._store.write(lambda tx: tell_resumed(tx, absence, plan, now))
        self._absence = None
        if is_told:
            self._delivery.wake()
