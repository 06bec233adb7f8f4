"""
Find the one cause behind many troubles, so that people hear of it once.

A refused client id or secret is its application's fault; connections of one
host that fail together make an outage. Both are decided in `judge`; here they
meet the database, and the alerts that would have told each trouble by itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.judge.alerts import SEVERITY_OF, AlertDue, AlertKind
from monitor.judge.application import ApplicationStanding, hear
from monitor.judge.decide import Verdict, owed_alert
from monitor.judge.outage import failed_host
from monitor.judge.outcome import Reason, State
from monitor.store import applications, outages, results
from monitor.store.due import make_all_due
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from monitor.judge.outcome import Outcome
    from monitor.plan import Plan
    from monitor.store.engine import Transaction
    from monitor.store.records import ConnectionRecord

Judged = tuple["ConnectionRecord", "Outcome", Verdict, "datetime"]
"""What was known, what was seen, what it means, and when it was seen."""


class Causes:
    """
    The common causes of one transaction's troubles.
    """

    def __init__(self, tx: Transaction, plan: Plan) -> None:
        self._tx = tx
        self._plan = plan
        self._outages = outages.list_open(tx)
        self._applications: dict[str, ApplicationStanding] = {}
        self._touched: dict[str, datetime] = {}

    def note(self, judged: Iterable[Judged]) -> None:
        """
        Take in what a batch of checks says of hosts and applications.
        """
        judged = list(judged)
        self._note_applications(judged)
        self._note_hosts(judged)

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
        host = failed_host(record.standing, outcome, record.host)
        if alert.kind is not AlertKind.ERROR:
            return verdict, True
        if outcome.reason.is_of_application and record.application is not None:
            if not outcome.is_taken_over:
                self._tell_of_application(alert, record.application, outcome.reason, now)
            return verdict, False
        if host in self._outages:
            self._tell_of_outage(alert, self._outages[host], now)
            return _unannounced(verdict, record), False
        if host is not None and self._is_asking(host, record, outcome, now):
            rules = self._plan.watched[record.name].rules
            wait = min(rules.every, rules.recheck_after)
            return replace(_unannounced(verdict, record), recheck_after=wait), False
        return verdict, True

    def _may_recover(self, record: ConnectionRecord) -> bool:
        known = self._applications.get(record.application or "", ApplicationStanding())
        told = record.standing.announced_reason
        if known.refusal is not None and told is not None and told.is_of_application:
            return False
        return {record.host, record.token_host}.isdisjoint(self._outages)

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
        make_all_due(self._tx, [number for number in about if number != record.id], every, now)
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

    def _note_hosts(self, judged: Sequence[Judged]) -> None:
        changed = []
        for record, outcome, _, now in judged:
            host = failed_host(record.standing, outcome, record.host)
            if (host, outcome.is_unexplained) != (record.failed_host, record.is_unexplained):
                changed.append((record.id, host, outcome.is_unexplained))
            self._touched |= {each: now for each in (host, record.failed_host) if each}
        outages.note_hosts(self._tx, changed)
        outages.note_answers(self._tx, [record.id for record, *_ in judged])
        for host, now in self._touched.items():
            if host not in self._outages and outages.count_group(self._tx, host).is_out:
                self._outages[host] = outages.begin(self._tx, host, now)
        self._ask_neighbours(judged)

    def _ask_neighbours(self, judged: Sequence[Judged]) -> None:
        """
        Ask others of a region before anybody hears that a store lost its permissions.
        """
        here = [record.id for record, *_ in judged]
        for record, outcome, verdict, now in judged:
            if not outcome.is_unexplained or verdict.standing.refusals > 1:
                continue
            host = failed_host(record.standing, outcome, record.host)
            if host is not None and host not in self._outages:
                outages.ask_neighbours(self._tx, host, here, now)

    def _tell_of_outage(self, alert: AlertDue, outage: outages.Outage, now: datetime) -> None:
        if outage.is_told:
            return
        about = outages.failing_of(self._tx, outage.host)
        facts = {
            "host": outage.host,
            "n_failing": len(about),
            "n_total": outages.count_group(self._tx, outage.host).total,
            "reason": alert.facts["reason"],
            "since": outage.started_at.isoformat(),
        }
        told = AlertDue(AlertKind.OUTAGE, SEVERITY_OF[AlertKind.OUTAGE], facts)
        tell(self._tx, told, about, self._plan, now)
        outages.mark_told(self._tx, outage)
        self._outages[outage.host] = replace(outage, is_told=True)

    def close_outages(self) -> None:
        """
        End the outages that this batch has shown to be over; call it when all is stored.
        """
        for host, now in self._touched.items():
            if host in self._outages and outages.count_group(self._tx, host).is_back:
                close_outage(self._tx, self._outages.pop(host), self._plan, now)


def _unannounced(verdict: Verdict, record: ConnectionRecord) -> Verdict:
    standing = replace(
        verdict.standing,
        announced_state=record.standing.announced_state,
        announced_reason=record.standing.announced_reason,
    )
    return replace(verdict, standing=standing)


def close_outage(tx: Transaction, outage: outages.Outage, plan: Plan, now: datetime) -> None:
    """
    End an outage, and tell what was held back meanwhile and is still true.
    """
    outages.end(tx, outage, now)
    members = outages.members_of(tx, outage.host)
    records = results.load_records(tx, members)
    if outage.is_told:
        facts = {
            "host": outage.host,
            "since": outage.started_at.isoformat(),
            "until": now.isoformat(),
            "n": len(members),
        }
        over = AlertDue(AlertKind.OUTAGE_OVER, SEVERITY_OF[AlertKind.OUTAGE_OVER], facts)
        tell(tx, over, {record.id: record.name for record in records.values()}, plan, now)
    _tell_held_back(tx, records.values(), plan, now)


def _tell_held_back(
    tx: Transaction, records: Iterable[ConnectionRecord], plan: Plan, now: datetime
) -> None:
    announced = []
    for record in records:
        about = {record.id: record.name}
        if record.name not in plan.watched:
            continue
        if record.standing.state is State.ACTIVE:
            recovered = AlertDue(AlertKind.RECOVERED, SEVERITY_OF[AlertKind.RECOVERED])
            tell(tx, recovered, about, plan, now)
            continue
        owed = owed_alert(record.standing, plan.watched[record.name].rules)
        if owed is not None and not record.standing.reason.is_of_application:
            tell(tx, owed, about, plan, now)
            announced.append(announce(record))
    results.save_announced(tx, announced)


def announce(record: ConnectionRecord) -> ConnectionRecord:
    """
    Return *record* as one whose state people were told of.
    """
    standing = record.standing
    told = replace(standing, announced_state=standing.state, announced_reason=standing.reason)
    return replace(record, standing=told)


def tell_lost_permissions(
    tx: Transaction, outage: outages.Outage, plan: Plan, now: datetime
) -> None:
    """
    End an outage that was a lost permission after all: one alert an application.
    """
    records = results.load_records(tx, list(outages.failing_of(tx, outage.host)))
    by_application: dict[str | None, list[ConnectionRecord]] = {}
    for record in records.values():
        if record.is_unexplained and record.name in plan.watched:
            by_application.setdefault(record.application, []).append(record)
    for name, refused in by_application.items():
        first = refused[0].standing
        facts = {
            "reason": Reason.PERMISSION_DENIED.value,
            "detail": first.detail,
            "since": first.since.isoformat(),
            "application": name,
            "n_connections": len(refused),
            "permissions_changed": True,
        }
        alert = AlertDue(AlertKind.ERROR, SEVERITY_OF[AlertKind.ERROR], facts)
        tell(tx, alert, {record.id: record.name for record in refused}, plan, now)
        results.save_announced(tx, [announce(record) for record in refused])
        outages.note_hosts(tx, [(record.id, None, True) for record in refused])
    outages.end(tx, outage, now)
