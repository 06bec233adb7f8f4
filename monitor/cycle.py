"""
Tell the whole story of a batch of checks on one screen.

Finished checks come in; each is judged against what was known (`judge`, pure);
what several troubles have in common is found (`causes`); results, states,
quotas and due alerts are stored in one transaction. Whoever opened that
transaction, the daemon or a command, gets the same verdicts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.causes import Causes
from monitor.foresight import foresee_quotas
from monitor.held_back import never_announced
from monitor.judge.alerts import AlertKind
from monitor.judge.clocks import asked_at, confirm, count_down, name_old_token
from monitor.judge.decide import Verdict, judge
from monitor.judge.link import Uplink, overlook
from monitor.judge.outlook import Outlook
from monitor.judge.quota_verdict import judge_quota
from monitor.judge.rhythm import next_check
from monitor.judge.token_end import observe
from monitor.link import LinkBook
from monitor.quotas import QuotaBook
from monitor.store import authorizations, participations, results
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.judge.alerts import AlertDue
    from monitor.judge.connections import ConnectionRecord, Watched
    from monitor.judge.outcome import Marketplace, Outcome
    from monitor.judge.quota import Quota
    from monitor.link import Seen
    from monitor.outages import Judged
    from monitor.plan import Plan
    from monitor.store.engine import Transaction


OVERTAKEN_WITHIN = timedelta(hours=1)
"""No command takes longer; what is further ahead was written before the clock was set back."""


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

    Args:
        record: What was known before it.
    """

    finished: Finished
    record: ConnectionRecord
    verdict: Verdict
    quota: Quota
    alerts: tuple[AlertDue, ...]


def settle(
    tx: Transaction, finished: Sequence[Finished], plan: Plan, uplink: Uplink = Uplink.UNKNOWN
) -> list[Settled]:
    """
    Judge *finished* checks and store all that follows, inside *tx*.

    Results of connections that were deleted, paused or taken out of the file
    while they were under way are dropped, and those of checks made by hand that
    a later check has overtaken: a command writes when its last answer is there.
    So are verdicts taken over from an application that is accepted again: who
    took them is still due.

    Args:
        uplink: Whether our own link is there, if anybody was asked.
    """
    batch = _Batch(tx, plan, [each.connection_id for each in finished])
    wanted = [each for each in finished if batch.is_wanted(each)]
    link = LinkBook(tx, plan, uplink)
    link.note([batch.seen(each) for each in wanted])
    causes = Causes(tx, plan)
    judged = [batch.judge(each, link) for each in wanted if not each.outcome.is_taken_over]
    causes.note(_heard(judged, link), is_offline=link.is_offline)
    taken_over = [
        batch.judge(each, link)
        for each in wanted
        if each.outcome.is_taken_over and causes.is_refused(batch.application_of(each))
    ]
    causes.note(_heard(taken_over, link), is_offline=link.is_offline)
    judged += taken_over
    settled = [batch.tell(one, causes) for one in judged]
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
    batch.save()
    causes.close_outages()
    return foresee_quotas(tx, settled, plan)


def foresee(
    record: ConnectionRecord, outcome: Outcome, watched: Watched, now: datetime
) -> ConnectionRecord:
    """
    Return what would be known after *outcome*, storing and telling nothing.
    """
    outcome = _read_by_clock(record, outcome, now)
    verdict = _judge(record, outcome, watched, now)
    quota = judge_quota(record.quota, outcome, watched.rules, now).quota
    is_same_window = quota.known.name == record.outlook.window
    return replace(
        record,
        standing=verdict.standing,
        clock=confirm(observe(record.clock, outcome, now), outcome, now).clock,
        quota=quota,
        outlook=record.outlook if is_same_window else Outlook(quota.known.name),
        account=outcome.account or record.account,
        marketplaces=outcome.marketplaces or record.marketplaces,
    )


def _read_by_clock(record: ConnectionRecord, outcome: Outcome, now: datetime) -> Outcome:
    return name_old_token(record.clock, count_down(record.clock, outcome, now))


def _judge(record: ConnectionRecord, outcome: Outcome, watched: Watched, now: datetime) -> Verdict:
    return judge(record.standing, outcome, watched.rules, record.clock.known_end, now)


@dataclass(frozen=True, slots=True)
class _Judged:
    """
    A check that was judged; what it makes due is not told yet.
    """

    finished: Finished
    record: ConnectionRecord
    verdict: Verdict
    clock_alerts: tuple[AlertDue, ...]


def _heard(judged: list[_Judged], link: LinkBook) -> list[Judged]:
    return [
        (one.record, one.finished.outcome, one.verdict, one.finished.at)
        for one in judged
        if not link.is_overlooked(one.finished.outcome)
    ]


class _Batch:
    """
    The checks that one transaction settles, one after another.
    """

    def __init__(self, tx: Transaction, plan: Plan, ids: Sequence[int]) -> None:
        self._tx = tx
        self._plan = plan
        self._records = results.load_records(tx, ids)
        self._repeated = {number for number, n in Counter(ids).items() if n > 1}
        self._quotas = QuotaBook(tx, plan, self._records)
        self._changed_clocks: set[int] = set()
        self._sold_in: dict[int, tuple[Marketplace, ...]] = {}

    def is_wanted(self, each: Finished) -> bool:
        record = self._records.get(each.connection_id)
        return (
            record is not None
            and record.is_configured
            and not record.is_switched_off
            and record.name in self._plan.watched
            and not _is_overtaken(each, record)
        )

    def seen(self, each: Finished) -> Seen:
        """
        Return what one check saw, with what was known before it.
        """
        return self._records[each.connection_id], each.outcome, each.at

    def application_of(self, each: Finished) -> str | None:
        return self._records[each.connection_id].application

    def judge(self, each: Finished, link: LinkBook) -> _Judged:
        """
        Judge one check, and store its transition.
        """
        record = self._records[each.connection_id]
        if link.is_overlooked(each.outcome):
            verdict = overlook(record.standing, each.outcome, each.at)
            if record.id in link.taken_back:
                verdict = never_announced(verdict)
            return _Judged(each, record, verdict, ())
        outcome = _read_by_clock(record, each.outcome, each.at)
        if outcome is not each.outcome:
            each = replace(each, outcome=outcome)
        verdict = _judge(record, each.outcome, self._plan.watched[record.name], each.at)
        if verdict.transition is not None:
            results.add_transition(self._tx, record.id, verdict.transition)
        observed = observe(record.clock, each.outcome, each.at)
        confirmed = confirm(observed, each.outcome, each.at)
        is_clock_changed = confirmed.clock is not record.clock and confirmed.clock != record.clock
        if is_clock_changed:
            self._changed_clocks.add(record.id)
        if each.outcome.marketplaces is not None:
            self._sold_in[record.id] = each.outcome.marketplaces
        # Nobody reads it again but the next check of the same connection, and its clock.
        if is_clock_changed or record.id in self._repeated:
            standing, clock = verdict.standing, confirmed.clock
            self._records[record.id] = replace(record, standing=standing, clock=clock)
        return _Judged(each, record, verdict, confirmed.alerts)

    def tell(self, one: _Judged, causes: Causes) -> Settled:
        """
        Store what one check makes due, unless a common cause speaks for it.

        A renewal that is told needs no recovery beside it.
        """
        record, at = one.record, one.finished.at
        verdict = one.verdict
        born: list[AlertDue] = []
        for alert in (*one.clock_alerts, *verdict.alerts):
            is_told = any(each.kind is AlertKind.RENEWED for each in born)
            if alert.kind is AlertKind.RECOVERED and is_told:
                continue
            verdict, is_own = causes.weigh(alert, record, one.finished.outcome, verdict, at)
            if is_own and tell(self._tx, alert, {record.id: record.name}, self._plan, at):
                born.append(alert)
        verdict = causes.correct(verdict, record)
        born += self._quotas.judge(record, one.finished.outcome, at)
        return Settled(one.finished, record, verdict, self._quotas.of(record.id), tuple(born))

    def save(self) -> None:
        """
        Store the quotas, clocks and marketplaces that changed.
        """
        self._quotas.save()
        changed = [self._records[number] for number in self._changed_clocks]
        authorizations.save(
            self._tx,
            [
                (one.id, one.clock, self._plan.watched[one.name].rules.expiring_soon_days)
                for one in changed
            ],
        )
        if self._sold_in:
            participations.save_marketplaces(self._tx, self._sold_in)


def _is_overtaken(each: Finished, record: ConnectionRecord) -> bool:
    known_at = record.standing.checked_at
    if each.scheduled_at is not None or known_at is None:
        return False
    return each.at < known_at <= each.at + OVERTAKEN_WITHIN


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
