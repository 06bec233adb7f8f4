"""Tell the whole story of a batch of checks on one screen: load, judge, correlate, dispatch, save.

Whoever opened the transaction, the daemon or a command, gets the same verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor.engine.batch import FinishedCheck, load_batch, load_known, save
from monitor.judge.checks import Check, judge_checks, preview_record
from monitor.judge.correlation import correlate
from monitor.judge.dispatch import NewAlert, Proposal, dispatch
from monitor.judge.incidents import Connectivity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.config.plan import Plan
    from monitor.judge.alerts import AlertDue
    from monitor.judge.batch import Batch, Effects
    from monitor.judge.connections import ConnectionRecord, Watched
    from monitor.judge.outcome import Outcome
    from monitor.judge.quota import Quota
    from monitor.judge.verdict import Verdict
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a check led to.

    Args:
        record: What was known before it.
    """

    finished: FinishedCheck
    record: ConnectionRecord
    verdict: Verdict
    quota: Quota
    alerts: tuple[AlertDue, ...]


def evaluate(
    tx: Transaction,
    finished: Sequence[FinishedCheck],
    plan: Plan,
    uplink: Connectivity = Connectivity.UNKNOWN,
) -> list[Evaluated]:
    """Judge *finished* checks and store all that follows, inside *tx*.

    Results of connections that were deleted, paused or taken out of the file
    while they were under way are dropped, and those of checks made by hand that
    a later check has overtaken: a command writes when its last answer is there.
    So are verdicts taken over from an application that is accepted again: who
    took them is still due.

    Args:
        uplink: Whether our own link is there, if anybody was asked.
    """
    finished = [_tidy(each) for each in finished]
    known = load_known(tx, finished, plan, uplink)
    judged = judge_checks(known.checks, known.link, known.withdrawn, known.applications)
    batch = load_batch(tx, known, judged, plan)
    effects = correlate(batch)
    made = dispatch(effects.proposals, batch.context, effects.withdrawn_alerts)
    save(tx, known, batch, effects, made)
    return _list_evaluated(batch, effects, made)


def preview(
    record: ConnectionRecord, outcome: Outcome, watched: Watched, now: datetime
) -> ConnectionRecord:
    """Return what would be known after *outcome*, storing and announcing nothing."""
    return preview_record(Check(record, watched, None, now, outcome.tidied()))


def _tidy(finished: FinishedCheck) -> FinishedCheck:
    """Return *finished* with texts that every database takes."""
    outcome = finished.outcome.tidied()
    return finished if outcome is finished.outcome else replace(finished, outcome=outcome)


def _list_evaluated(
    batch: Batch, effects: Effects, made: Sequence[NewAlert | None]
) -> list[Evaluated]:
    """Return what each check has led to, with the alerts that it raised for its own sake."""
    raised: dict[int | None, list[AlertDue]] = {}
    for proposal, new in zip(effects.proposals, made, strict=True):
        if new is not None and isinstance(proposal, Proposal):
            raised.setdefault(proposal.check, []).append(proposal.alert)
    return [
        Evaluated(
            FinishedCheck(one.record.id, one.scheduled_at, one.at, one.outcome),
            one.record,
            verdict,
            quota,
            tuple(raised.get(place, ())),
        )
        for place, (one, verdict, quota) in enumerate(
            zip(batch.judged.checks, effects.verdicts, effects.quotas.shown, strict=True)
        )
    ]
