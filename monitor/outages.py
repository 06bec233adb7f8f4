"""
Tell of hosts that are out, once for all the connections that fail there.

When a host is out is decided in `judge.outage`; here it meets the database,
and the alerts that would have told each trouble by itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.held_back import tell_held_back
from monitor.judge.alerts import SEVERITY_OF, AlertDue, AlertKind
from monitor.judge.outage import failed_host
from monitor.judge.outcome import Reason
from monitor.store import flappings, outages, results, withdrawal
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.decide import Verdict
    from monitor.judge.outcome import Outcome
    from monitor.plan import Plan
    from monitor.store.engine import Transaction

Judged = tuple["ConnectionRecord", "Outcome", "Verdict", "datetime"]
"""What was known, what was seen, what it means, and when it was seen."""


class OutageBook:
    """
    The hosts that are out, as one transaction finds them.
    """

    def __init__(self, tx: Transaction, plan: Plan) -> None:
        self._tx = tx
        self._plan = plan
        self._open = outages.list_open(tx)
        self._touched: dict[str, datetime] = {}
        self._answered: set[int] = set()
        self.taken_back: set[int] = set()
        """The connections whose error was taken back, since the outage speaks for it."""

    def is_out(self, host: str | None) -> bool:
        """
        Tell whether *host* is out.
        """
        return host in self._open

    def note(self, judged: Sequence[Judged], *, may_begin: bool) -> None:
        """
        Take in what a batch of checks says of hosts.

        Args:
            may_begin: Whether our own link is there, so that silence means something.
        """
        changed = []
        for record, outcome, _, now in judged:
            if outcome.reason is Reason.THROTTLED:
                continue  # it counts in no row, and so neither for nor against its host
            host = failed_host(record.standing, outcome, record.host)
            if (host, outcome.is_unexplained) != (record.failed_host, record.is_unexplained):
                changed.append((record.id, host, outcome.is_unexplained))
            self._touched |= {each: now for each in (host, record.failed_host) if each}
            self._answered.add(record.id)
        outages.note_hosts(self._tx, changed)
        outages.note_answers(self._tx, self._answered)
        for host, now in self._touched.items():
            if may_begin and host not in self._open and outages.count_group(self._tx, host).is_out:
                self._begin(host, now)
        self._ask_neighbours(judged)

    def _begin(self, host: str, now: datetime) -> None:
        """
        Begin an outage, and let it speak for the errors that nobody has heard of yet.
        """
        self._open[host] = outages.begin(self._tx, host, now)
        taken_back = withdrawal.take_back_errors(self._tx, host, now)
        self.taken_back |= taken_back.keys()
        if taken_back:
            self.tell(host, next(iter(taken_back.values())), now)

    def _ask_neighbours(self, judged: Sequence[Judged]) -> None:
        """
        Ask others of a region before anybody hears that a store lost its permissions.
        """
        for record, outcome, verdict, now in judged:
            if not outcome.is_unexplained or verdict.standing.refusals > 1:
                continue
            host = failed_host(record.standing, outcome, record.host)
            if host is not None and host not in self._open:
                outages.ask_neighbours(self._tx, host, self._answered, now)

    def tell(self, host: str, reason: str, now: datetime) -> None:
        """
        Tell of the outage of *host*, unless that was done.
        """
        outage = self._open[host]
        if outage.is_told:
            return
        about = outages.failing_of(self._tx, outage.host)
        facts = {
            "host": outage.host,
            "n_failing": len(about),
            "n_total": outages.count_group(self._tx, outage.host).total,
            "reason": reason,
            "since": outage.started_at.isoformat(),
        }
        told = AlertDue(AlertKind.OUTAGE, SEVERITY_OF[AlertKind.OUTAGE], facts)
        tell(self._tx, told, about, self._plan, now)
        outages.mark_told(self._tx, outage)
        self._open[host] = replace(outage, is_told=True)

    def close(self) -> None:
        """
        End the outages that this batch has shown to be over; call it when all is stored.
        """
        for host, now in self._touched.items():
            if host in self._open and outages.count_group(self._tx, host).is_back:
                close_outage(self._tx, self._open.pop(host), self._plan, now, self._answered)


def close_outage(
    tx: Transaction,
    outage: outages.Outage,
    plan: Plan,
    now: datetime,
    answered: Collection[int] | None = None,
) -> None:
    """
    End an outage, and tell what was held back meanwhile and is still true.

    Args:
        answered: Who has answered just now; of others that fail at this host it
            is not known whether they still do: their next check tells. None if
            the outage did not end by an answer.
    """
    members = outages.members_of(tx, outage.host)
    if outage.is_told:
        facts = {
            "host": outage.host,
            "since": outage.started_at.isoformat(),
            "until": now.isoformat(),
            "n": len(members),
        }
        over = AlertDue(AlertKind.OUTAGE_OVER, SEVERITY_OF[AlertKind.OUTAGE_OVER], facts)
        tell(tx, over, members, plan, now)
    _release(tx, outage, members, plan, now, answered)


def _release(
    tx: Transaction,
    outage: outages.Outage,
    members: Collection[int],
    plan: Plan,
    now: datetime,
    answered: Collection[int] | None = None,
) -> None:
    """
    End an outage for *members*, and tell what was held back of each.
    """
    outages.end(tx, outage, now)
    flapping = flappings.list_flapping(tx)
    certain = [
        record
        for record in results.load_records(tx, list(members)).values()
        if record.id not in flapping
        and (answered is None or record.failed_host != outage.host or record.id in answered)
    ]
    tell_held_back(tx, certain, plan, now)


def tell_lost_permissions(
    tx: Transaction, outage: outages.Outage, plan: Plan, now: datetime
) -> None:
    """
    End an outage that was a lost permission after all: one alert an application.

    Of those that fail for another reason, and of those that work again, it is
    told what was held back.
    """
    refused = outages.unexplained_of(tx, outage.host)
    for application, about in refused.items():
        [first] = results.load_records(tx, [min(about)]).values()
        facts = {
            "reason": Reason.PERMISSION_DENIED.value,
            "detail": first.standing.detail,
            "since": first.standing.since.isoformat(),
            "application": application,
            "n_connections": len(about),
            "permissions_changed": True,
        }
        alert = AlertDue(AlertKind.ERROR, SEVERITY_OF[AlertKind.ERROR], facts)
        tell(tx, alert, about, plan, now)
    told = {number for about in refused.values() for number in about}
    outages.announce_unexplained(tx, outage.host)
    _release(tx, outage, outages.members_of(tx, outage.host).keys() - told, plan, now)
