"""
Hold back what one cause speaks for, and tell later what is still true then.

What is held back counts as never announced.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.judge.alerts import SEVERITY_OF, AlertDue, AlertKind
from monitor.judge.decide import owed_alert
from monitor.judge.outcome import State
from monitor.judge.pairs import CLOSED_BY, OPENED_BY
from monitor.store import results
from monitor.store.withdrawal import announced_among
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.decide import Verdict
    from monitor.plan import Plan
    from monitor.store.engine import Transaction


def unannounced(verdict: Verdict, record: ConnectionRecord) -> Verdict:
    """
    Return *verdict* as one that people were not told of.
    """
    standing = replace(
        verdict.standing,
        announced_state=record.standing.announced_state,
        announced_reason=record.standing.announced_reason,
    )
    return replace(verdict, standing=standing)


def never_announced(verdict: Verdict) -> Verdict:
    """
    Return *verdict* as one on a trouble of which the news was taken back.
    """
    standing = replace(verdict.standing, announced_state=None, announced_reason=None)
    return replace(verdict, standing=standing)


def announce(record: ConnectionRecord) -> ConnectionRecord:
    """
    Return *record* as one whose state people were told of.
    """
    standing = record.standing
    told = replace(standing, announced_state=standing.state, announced_reason=standing.reason)
    return replace(record, standing=told)


def tell_held_back(
    tx: Transaction, records: Sequence[ConnectionRecord], plan: Plan, now: datetime
) -> None:
    """
    Tell each of *records* what was held back and is still true.
    """
    watched = [record for record in records if record.name in plan.watched]
    well = [record.id for record in watched if record.standing.state is State.ACTIVE]
    kind = AlertKind.RECOVERED
    to_recover = announced_among(tx, well, OPENED_BY[kind], CLOSED_BY[kind])
    announced = []
    for record in watched:
        about = {record.id: record.name}
        if record.standing.state is State.ACTIVE:
            if record.id in to_recover:
                tell(tx, AlertDue(kind, SEVERITY_OF[kind]), about, plan, now)
            continue
        rules = plan.watched[record.name].rules
        owed = owed_alert(record.standing, rules, record.clock.known_end, now)
        if owed is not None and not record.standing.reason.is_of_application:
            tell(tx, owed, about, plan, now)
            announced.append(announce(record))
    results.save_announced(tx, announced)
