"""
Find the one cause behind many troubles, so that people hear of it once.

A refused client id or secret is its application's fault; connections of one
host that fail together make an outage; one that changes all the time flaps; and
where our own link is gone, nobody else is to blame. Each is decided in `judge`;
here they meet the database, and the alerts that would have told each trouble by itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.flapping import FlappingBook
from monitor.held_back import never_announced, unannounced
from monitor.judge.alerts import SEVERITY_OF, AlertDue, AlertKind
from monitor.judge.application import ApplicationStanding, hear
from monitor.judge.outage import failed_host
from monitor.outages import OutageBook
from monitor.store import applications, outages
from monitor.store.due import make_all_due
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.decide import Verdict
    from monitor.judge.outcome import Outcome, Reason
    from monitor.outages import Judged
    from monitor.plan import Plan
    from monitor.store.engine import Transaction


class Causes:
    """
    The common causes of one transaction's troubles.
    """

    def __init__(self, tx: Transaction, plan: Plan) -> None:
        self._tx = tx
        self._plan = plan
        self._outages = OutageBook(tx, plan)
        self._flapping = FlappingBook(tx, plan)
        self._applications: dict[str, ApplicationStanding] = {}

    def note(self, judged: Iterable[Judged], *, is_offline: bool = False) -> None:
        """
        Take in what a batch of checks says of hosts and applications.
        """
        judged = list(judged)
        self._note_applications(judged)
        self._outages.note(judged, may_begin=not is_offline)
        self._flapping.note(judged, self._outages)

    def correct(self, verdict: Verdict, record: ConnectionRecord) -> Verdict:
        """
        Return *verdict* without what was announced and has been taken back since.
        """
        return never_announced(verdict) if record.id in self._outages.taken_back else verdict

    def is_refused(self, application: str | None) -> bool:
        """
        Tell whether an application is refused, by all that was noted so far.
        """
        if application is None:
            return False
        self._load_applications({application})
        return self._applications[application].refusal is not None

    def weigh(
        self,
        alert: AlertDue,
        record: ConnectionRecord,
        outcome: Outcome,
        verdict: Verdict,
        now: datetime,
    ) -> tuple[Verdict, bool]:
        """
        Return the verdict to keep, and whether *alert* is the connection's own to tell.

        What is held back counts as never announced: it is told when the outage
        is over, if it is still true then.
        """
        if alert.kind is AlertKind.RECOVERED:
            return verdict, self._may_recover(record)
        if alert.kind is not AlertKind.ERROR:
            return verdict, True
        host = failed_host(record.standing, outcome, record.host)
        if outcome.reason.is_of_application and record.application is not None:
            if not outcome.is_taken_over:
                self._tell_of_application(alert, record.application, outcome.reason, now)
            return verdict, False
        if host is not None and self._outages.is_out(host):
            self._outages.tell(host, alert.facts["reason"], now)
        elif not self._flapping.is_flapping(record.id):
            return self._wait_for_neighbours(host, record, outcome, verdict, now)
        return unannounced(verdict, record), False

    def _wait_for_neighbours(
        self,
        host: str | None,
        record: ConnectionRecord,
        outcome: Outcome,
        verdict: Verdict,
        now: datetime,
    ) -> tuple[Verdict, bool]:
        if host is None or not self._is_asking(host, record, outcome, now):
            return verdict, True
        rules = self._plan.watched[record.name].rules
        wait = min(rules.every, rules.recheck_after)
        return replace(unannounced(verdict, record), recheck_after=wait), False

    def _may_recover(self, record: ConnectionRecord) -> bool:
        known = self._applications.get(record.application or "", ApplicationStanding())
        told = record.standing.announced_reason
        if known.refusal is not None and told is not None and told.is_of_application:
            return False
        if self._outages.is_out(record.host) or self._outages.is_out(record.token_host):
            return False
        return not self._flapping.is_flapping(record.id)

    def _is_asking(
        self, host: str, record: ConnectionRecord, outcome: Outcome, now: datetime
    ) -> bool:
        return outcome.is_unexplained and outages.is_asking(self._tx, host, record.id, now)

    def _note_applications(self, judged: Sequence[Judged]) -> None:
        self._load_applications(
            {record.application for record, *_ in judged if record.application is not None}
        )
        for record, outcome, _, now in judged:
            if record.application is not None:
                self._hear(record.application, record, outcome, now)

    def _load_applications(self, names: Collection[str]) -> None:
        unknown = [name for name in names if name not in self._applications]
        if unknown:
            loaded = applications.load(self._tx, unknown)
            self._applications |= {name: one.standing for name, one in loaded.items()}

    def _hear(self, name: str, record: ConnectionRecord, outcome: Outcome, now: datetime) -> None:
        before = self._applications[name]
        heard = hear(before, record.id, outcome, now)
        if heard.standing == before:
            return
        self._save_application(name, heard.standing)
        if not (heard.is_begun or heard.is_over):
            return
        about = applications.watched_of(self._tx, name)
        every = self._plan.watched[record.name].rules.every
        make_all_due(self._tx, name, len(about), every, now)
        if heard.is_over:
            applications.forget_refusal(self._tx, name)
        if heard.is_over and before.announced_reason is not None:
            facts = {
                "reason_before": before.announced_reason.value,
                "detail_before": before.refusal and before.refusal.detail,
                "since": before.refusal and before.refusal.at.isoformat(),
                "application": name,
                "n_connections": len(about),
            }
            recovered = AlertDue(AlertKind.RECOVERED, SEVERITY_OF[AlertKind.RECOVERED], facts)
            tell(self._tx, recovered, about, self._plan, now)

    def _save_application(self, name: str, standing: ApplicationStanding) -> None:
        self._applications[name] = standing
        applications.save_standing(self._tx, name, standing)

    def _tell_of_application(
        self, alert: AlertDue, name: str, reason: Reason, now: datetime
    ) -> None:
        standing = self._applications[name]
        if standing.announced_reason is reason:
            return
        about = applications.watched_of(self._tx, name)
        facts = alert.facts | {"application": name, "n_connections": len(about)}
        tell(self._tx, replace(alert, facts=facts), about, self._plan, now)
        self._save_application(name, replace(standing, announced_reason=reason))

    def close_outages(self) -> None:
        """
        End the outages that this batch has shown to be over; call it when all is stored.
        """
        self._outages.close()
