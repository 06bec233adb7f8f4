"""
Tell the whole story of a batch of checks on one screen.

Finished checks come in; each is judged against what was known (`judge`, pure);
results, states, quotas and due alerts are stored in one transaction. Whoever
opened that transaction, the daemon or a command, gets the same verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.foresight import foresee_quotas
from monitor.judge.account import settle_shared
from monitor.judge.alerts import AlertKind
from monitor.judge.clocks import asked_at, confirm, count_down
from monitor.judge.decide import Verdict, judge
from monitor.judge.quota import Quota, judge_quota
from monitor.judge.rhythm import next_check
from monitor.judge.route import route
from monitor.store import authorizations, results
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.judge.alerts import AlertDue
    from monitor.judge.outcome import Outcome
    from monitor.plan import Plan, Watched
    from monitor.store.engine import Transaction
    from monitor.store.records import ConnectionRecord

SEEN_AT_PRECISION = timedelta(hours=1)
"""An unchanged quota is not written again for its date of reading alone."""


@dataclass(frozen=True, slots=True)
class Finished:
    """
    A check that came to its end.

    Args:
        scheduled_at: Its slot in the rhythm; None if it was asked for by hand.
        at: When it ended.
    """

    connection_id: int
    scheduled_at: datetime | None
    at: datetime
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Settled:
    """
    What a check led to.
    """

    finished: Finished
    record: ConnectionRecord
    verdict: Verdict
    quota: Quota
    alerts: tuple[AlertDue, ...]


def settle(tx: Transaction, finished: Sequence[Finished], plan: Plan) -> list[Settled]:
    """
    Judge *finished* checks and store all that follows, inside *tx*.

    Results of connections that were deleted, paused or taken out of the file
    while they were under way are dropped, and those of checks made by hand that
    a later check has overtaken: a command writes when its last answer is there.
    """
    batch = _Batch(tx, plan, [each.connection_id for each in finished])
    settled = [batch.judge(each) for each in finished if batch.is_wanted(each)]
    results.add_checks(
        tx, ((one.record.id, one.finished.at, one.finished.outcome) for one in settled)
    )
    results.save_standings(
        tx,
        (
            (one.record.id, one.verdict.standing, _next_check_at(one, plan), _account(one))
            for one in settled
        ),
    )
    batch.save_quotas()
    batch.save_clocks()
    return foresee_quotas(tx, settled, plan)


def foresee(
    record: ConnectionRecord, outcome: Outcome, watched: Watched, now: datetime
) -> ConnectionRecord:
    """
    Return what would be known after *outcome*, storing and telling nothing.
    """
    outcome = count_down(record.clock, outcome, now)
    verdict = _judge(record, outcome, watched, now)
    return replace(
        record,
        standing=verdict.standing,
        clock=confirm(record.clock, outcome, now).clock,
        quota=judge_quota(record.quota, outcome, watched.rules, now).quota,
        account=outcome.account or record.account,
    )


def _judge(record: ConnectionRecord, outcome: Outcome, watched: Watched, now: datetime) -> Verdict:
    return judge(record.standing, outcome, watched.rules, record.clock.known_end, now)


class _Batch:
    """
    The checks that one transaction settles, one after another.
    """

    def __init__(self, tx: Transaction, plan: Plan, ids: Sequence[int]) -> None:
        self._tx = tx
        self._plan = plan
        self._records = results.load_records(tx, ids)
        # A check may change the quota of another one in this batch.
        self._quotas = {number: record.quota for number, record in self._records.items()}
        self._unsaved: dict[int, tuple[Quota, str | None]] = {}
        self._told_of: dict[str, tuple[int, AlertDue]] = {}
        self._changed_clocks: set[int] = set()

    def is_wanted(self, each: Finished) -> bool:
        record = self._records.get(each.connection_id)
        return (
            record is not None
            and record.is_configured
            and not record.is_switched_off
            and record.name in self._plan.watched
            and not _is_overtaken(each, record)
        )

    def judge(self, each: Finished) -> Settled:
        """
        Judge one check; store what is rare: transitions, alerts, new quotas.
        """
        record = self._records[each.connection_id]
        watched = self._plan.watched[record.name]
        if each.outcome.is_countdown:
            each = replace(each, outcome=count_down(record.clock, each.outcome, each.at))
        verdict = _judge(record, each.outcome, watched, each.at)
        if verdict.transition is not None:
            results.add_transition(self._tx, record.id, verdict.transition)
        confirmed = confirm(record.clock, each.outcome, each.at)
        if confirmed.clock != record.clock:
            self._changed_clocks.add(record.id)
        born = self._bear_of(record, (*confirmed.alerts, *verdict.alerts), each)
        account_key = _account_key(record, each.outcome.account)
        born += self._judge_quota(each, record, account_key)
        self._records[record.id] = replace(
            record, standing=verdict.standing, account_key=account_key, clock=confirmed.clock
        )
        return Settled(each, record, verdict, self._quotas[record.id], tuple(born))

    def save_quotas(self) -> None:
        """
        Store the quotas that changed; siblings are read from the database.
        """
        results.save_quotas(self._tx, self._unsaved)
        self._unsaved = {}

    def save_clocks(self) -> None:
        """
        Store the clocks that a check has changed.
        """
        changed = [self._records[number] for number in self._changed_clocks]
        authorizations.save(
            self._tx,
            [
                (one.id, one.clock, self._plan.watched[one.name].rules.expiring_soon_days)
                for one in changed
            ],
        )

    def _bear_of(
        self, record: ConnectionRecord, alerts: Sequence[AlertDue], each: Finished
    ) -> list[AlertDue]:
        """
        Store what one check makes due; a renewal that is told needs no recovery beside it.
        """
        born: list[AlertDue] = []
        for alert in alerts:
            is_told = any(one.kind is AlertKind.RENEWED for one in born)
            if alert.kind is AlertKind.RECOVERED and is_told:
                continue
            if self._bear(alert, {record.id: record.name}, each):
                born.append(alert)
        return born

    def _judge_quota(
        self, each: Finished, record: ConnectionRecord, account_key: str | None
    ) -> list[AlertDue]:
        before = self._quotas[record.id]
        rules = self._plan.watched[record.name].rules
        verdict = judge_quota(before, each.outcome, rules, each.at)
        self._quotas[record.id] = verdict.quota
        if _is_news(before, verdict.quota) or account_key != record.account_key:
            self._unsaved[record.id] = (verdict.quota, account_key)
        return [
            alert
            for alert in verdict.alerts
            if self._bear_shared(alert, before, verdict.quota, record, account_key, each)
        ]

    def _bear_shared(
        self,
        alert: AlertDue,
        before: Quota,
        after: Quota,
        record: ConnectionRecord,
        account_key: str | None,
        each: Finished,
    ) -> bool:
        self.save_quotas()
        siblings = results.load_siblings(self._tx, account_key, record.id) if account_key else []
        shared = settle_shared(
            alert, before, after, [(number, quota) for number, _, quota in siblings]
        )
        for number, quota in shared.changed.items():
            self._quotas[number] = quota
            self._unsaved[number] = (quota, account_key)
        names = {number: name for number, name, _ in siblings if number in shared.named}
        if shared.alert is None:
            self._join(record, account_key, each)
            return False
        return self._bear(shared.alert, {record.id: record.name} | names, each, account_key)

    def _join(self, record: ConnectionRecord, account_key: str | None, each: Finished) -> None:
        """
        Add a connection, first seen in this batch, to what the batch told of its account.
        """
        if account_key in self._told_of:
            alert_id, alert = self._told_of[account_key]
            subject = self._plan.watched[record.name].subject
            channels = route(alert, [subject], self._plan.channels)
            results.add_to_alert(self._tx, alert_id, record.id, channels, each.at)

    def _bear(
        self,
        alert: AlertDue,
        about: dict[int, str],
        each: Finished,
        account_key: str | None = None,
    ) -> bool:
        """
        Store an alert; tell whether it was one to be told.
        """
        alert_id = tell(self._tx, alert, about, self._plan, each.at)
        if alert_id is None:
            return False
        if account_key is not None:
            self._told_of[account_key] = (alert_id, alert)
        return True


def _is_overtaken(each: Finished, record: ConnectionRecord) -> bool:
    known_at = record.standing.checked_at
    return each.scheduled_at is None and known_at is not None and each.at < known_at


def _next_check_at(one: Settled, plan: Plan) -> datetime:
    every = plan.watched[one.record.name].rules.every
    slot = one.finished.scheduled_at or one.record.next_check_at or one.finished.at
    at = next_check(one.verdict, slot, every, one.finished.at)
    end = one.record.clock.known_end
    # An answer to a question from before the end says nothing about what comes after.
    if (
        end is None
        or one.verdict.not_before
        or end <= asked_at(one.finished.outcome, one.finished.at)
    ):
        return at
    return min(at, max(end, one.finished.at))


def _account(one: Settled) -> str | None:
    return one.finished.outcome.account or one.record.account


def _account_key(record: ConnectionRecord, account: str | None) -> str | None:
    if account is None:
        return record.account_key
    return f"{record.provider}|{record.host}|{account}"


def _is_news(before: Quota, after: Quota) -> bool:
    if before.seen_at is None or after.seen_at is None:
        return before != after
    if after.seen_at - before.seen_at >= SEEN_AT_PRECISION:
        return True
    return replace(before, seen_at=after.seen_at) != after
