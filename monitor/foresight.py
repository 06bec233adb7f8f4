"""
Look ahead on the quotas that a batch of checks has read.

Joins the samples in the store with the pure forecast. Runs last, when the
quotas of the batch are stored: connections of one account are found by them.
What is worth keeping, and worth telling, is decided in `judge.outlook`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.judge.account import is_forecast_told
from monitor.judge.forecast import forecast
from monitor.judge.outlook import judge_forecast, note_sample, should_look_ahead, take_sample
from monitor.store import forecasts, results
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.cycle import Settled
    from monitor.judge.alerts import AlertDue
    from monitor.judge.outlook import Outlook
    from monitor.judge.quota import Quota
    from monitor.judge.usage import Sample
    from monitor.plan import Plan
    from monitor.store.engine import Transaction
    from monitor.store.records import ConnectionRecord


def foresee_quotas(tx: Transaction, settled: Sequence[Settled], plan: Plan) -> list[Settled]:
    """
    Note what was left, look ahead where it is time to, and store what that makes due.
    """
    foresight = _Foresight(tx, plan)
    told = [foresight.judge(one) for one in settled]
    foresight.save()
    return told


class _Foresight:
    def __init__(self, tx: Transaction, plan: Plan) -> None:
        self._tx = tx
        self._plan = plan
        self._samples: list[tuple[int, str, Sample]] = []
        self._known: dict[int, Outlook] = {}
        self._new: dict[int, Outlook] = {}

    def judge(self, one: Settled) -> Settled:
        record, now = one.record, one.finished.at
        rules = self._plan.watched[record.name].rules
        previous = self._outlook_of(record)
        sample = take_sample(previous, one.quota, rules, now)
        if sample is None:
            return one
        outlook = note_sample(previous, sample)
        self._samples.append((record.id, outlook.window, sample))
        alert = None
        if should_look_ahead(outlook):
            samples = forecasts.load_samples(self._tx, record.id, outlook.window)
            outlook, alert = judge_forecast(outlook, forecast([*samples, sample], now), now)
        self._keep(record, outlook)
        if alert is None or not self._tell(alert, record, one.quota, now):
            return one
        return replace(one, alerts=(*one.alerts, alert))

    def save(self) -> None:
        forecasts.add_samples(self._tx, self._samples)
        forecasts.save_outlooks(self._tx, list(self._new.items()), list(self._known.items()))

    def _outlook_of(self, record: ConnectionRecord) -> Outlook:
        return self._known.get(record.id) or self._new.get(record.id) or record.outlook

    def _keep(self, record: ConnectionRecord, outlook: Outlook) -> None:
        is_new = record.outlook.sample is None
        (self._new if is_new else self._known)[record.id] = outlook

    def _tell(self, alert: AlertDue, record: ConnectionRecord, quota: Quota, now: datetime) -> bool:
        """
        Store an alert for all connections of the account, unless one of them told it.
        """
        outlook = self._outlook_of(record)
        assert outlook.told is not None
        peers = self._peers(record, quota)
        told_of_peers = [self._outlook_of(each).told for each in peers]
        about = {record.id: record.name} | {each.id: each.name for each in peers}
        if is_forecast_told(outlook, told_of_peers, now):
            return False
        for each in peers:
            known = self._outlook_of(each)
            if known.sample is not None:
                self._keep(each, replace(known, told=outlook.told))
        return tell(self._tx, alert, about, self._plan, now) is not None

    def _peers(self, record: ConnectionRecord, quota: Quota) -> list[ConnectionRecord]:
        """
        Return the other connections that share the period of *quota*.
        """
        ids = forecasts.load_siblings(self._tx, record.id)
        records = results.load_records(self._tx, [each for each in ids if each != record.id])
        return [each for each in records.values() if each.quota.shares_period_with(quota)]
