"""
Find what time alone has changed, whether or not checks can run.

Clocks that reached a step are told, and a connection whose authorization has
ended becomes due, all in one transaction. What a step means is decided in
`judge.clocks`; what the end means, by the check that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.judge.clocks import pass_steps
from monitor.store import authorizations, results
from monitor.telling import tell

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.clocks import Passed
    from monitor.plan import Plan
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Swept:
    """
    A connection whose clock has reached a step.
    """

    name: str
    passed: Passed


def is_anything_passed(tx: Transaction, plan: Plan, now: datetime) -> bool:
    """
    Tell whether a sweep would find anything; needs no right to write.
    """
    return any(name in plan.watched for _, name in authorizations.find_passed(tx, now))


def sweep(tx: Transaction, plan: Plan, now: datetime) -> list[Swept]:
    """
    Store all that follows from the clocks as they stand *now*.
    """
    names = dict(authorizations.find_passed(tx, now))
    # A command that read a newer file may have put in what only the next start knows.
    ids = [number for number, name in names.items() if name in plan.watched]
    records = results.load_records(tx, ids)
    swept, clocks = [], []
    for number in ids:
        record = records[number]
        steps = plan.watched[record.name].rules.expiring_soon_days
        passed = pass_steps(record.clock, record.standing.state, steps, now)
        for alert in passed.alerts:
            tell(tx, alert, {record.id: record.name}, plan, now)
        if passed.is_check_due:
            authorizations.make_due(tx, record.id, now)
        swept.append(Swept(record.name, passed))
        clocks.append((record.id, passed.clock, steps))
    authorizations.save(tx, clocks)
    return swept
