"""
Tell once of connections that change their state too often, instead of each time.

How often is too often is decided in `judge.flapping`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.held_back import tell_held_back
from monitor.judge.alerts import SEVERITY_OF, AlertDue, AlertKind
from monitor.judge.flapping import CHANGES, WINDOW
from monitor.store import flappings, outages, results
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.outages import Judged, OutageBook
    from monitor.plan import Plan
    from monitor.store.engine import Transaction


class FlappingBook:
    """
    The connections that flap, as one transaction finds them.
    """

    def __init__(self, tx: Transaction, plan: Plan) -> None:
        self._tx = tx
        self._plan = plan
        self._known: set[int] | None = None

    @property
    def _flapping(self) -> set[int]:
        # In good times nobody asks.
        if self._known is None:
            self._known = flappings.list_flapping(self._tx)
        return self._known

    def is_flapping(self, connection_id: int) -> bool:
        """
        Tell whether a connection's ups and downs are told no more.
        """
        return connection_id in self._flapping

    def note(self, judged: Sequence[Judged], outages: OutageBook) -> None:
        """
        Count the transitions of a batch; they are stored already.

        What the fault of a host or of an application has changed does not count.
        """
        changed = {
            record.id: (record, now)
            for record, outcome, verdict, now in judged
            if verdict.transition is not None
            and not (outcome.is_taken_over or outcome.reason.is_of_application)
            and not outages.is_out(outcome.failed_host or record.host)
            and not outages.is_out(record.failed_host)
        }
        if not changed:
            return
        going_on = {number: now for number, (_, now) in changed.items() if self.is_flapping(number)}
        flappings.go_on(self._tx, going_on)
        others = [number for number in changed if number not in going_on]
        after = max(now for _, now in changed.values()) - WINDOW
        counts = flappings.count_changes(self._tx, others, after, CHANGES)
        flappings.begin(self._tx, {number: changed[number][1] for number in counts})
        self._flapping.update(counts)
        for number, n in counts.items():
            record, now = changed[number]
            facts = {"n": n, "window": round(WINDOW.total_seconds())}
            alert = AlertDue(AlertKind.FLAPPING, SEVERITY_OF[AlertKind.FLAPPING], facts)
            tell(self._tx, alert, {number: record.name}, self._plan, now)


def has_settled(tx: Transaction, now: datetime) -> bool:
    """
    Tell whether any connection has stopped flapping.
    """
    return bool(flappings.find_settled(tx, now - WINDOW))


def end_flapping(tx: Transaction, plan: Plan, now: datetime) -> None:
    """
    End what has not changed for long enough, and tell what is still true.

    Where a host is out, the end of that will tell.
    """
    settled = flappings.find_settled(tx, now - WINDOW)
    flappings.end(tx, settled)
    out = outages.list_open(tx)
    records = results.load_records(tx, settled).values()
    certain = [one for one in records if out.keys().isdisjoint({one.host, one.token_host})]
    tell_held_back(tx, certain, plan, now)
