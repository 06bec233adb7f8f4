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
from monitor.judge.quota import window_facts
from monitor.store import forecasts, results
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.cycle import Settled
    from monitor.judge.alerts import AlertDue
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.outlook import Outlook
    from monitor.judge.quota import Quota
    from monitor.judge.usage import Sample
    from monitor.plan import Plan
    from monitor.store.engine import Transaction


_Window = tuple[int, str]
"""A connection's id, and the name of one window of its quota."""


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
        self._known: dict[_Window, Outlook] = {}
        self._new: dict[_Window, Outlook] = {}

    def judge(self, one: Settled) -> Settled:
        record, now = one.record, one.finished.at
        rules = self._plan.watched[record.name].rules
        previous = self._outlook_of(record, one.quota.known.name)
        sample = take_sample(previous, one.quota, rules, now)
        if sample is None:
            return one
        outlook = note_sample(previous, sample)
        self._samples.append((record.id, outlook.window, sample))
        alert = None
        if should_look_ahead(outlook):
            samples = forecasts.load_samples(self._tx, record.id, outlook.window)
            outlook, alert = judge_forecast(outlook, forecast([*samples, sample], now), now)
        self._keep(record, outlook, is_new=previous.sample is None)
        if alert is None or not self._tell(alert, outlook, record, one.quota, now):
            return one
        return replace(one, alerts=(*one.alerts, alert))

    def save(self) -> None:
        forecasts.add_samples(self._tx, self._samples)
        new, known = (
            [(number, outlook) for (number, _), outlook in kept.items()]
            for kept in (self._new, self._known)
        )
        forecasts.save_outlooks(self._tx, new, known)

    def _outlook_of(self, record: ConnectionRecord, window: str) -> Outlook:
        key = (record.id, window)
        if key in self._known or key in self._new:
            return self._known.get(key) or self._new[key]
        if record.outlook.window == window:
            return record.outlook
        return forecasts.load_outlook(self._tx, record.id, window)

    def _keep(self, record: ConnectionRecord, outlook: Outlook, *, is_new: bool) -> None:
        key = (record.id, outlook.window)
        (self._new if is_new or key in self._new else self._known)[key] = outlook

    def _tell(
        self,
        alert: AlertDue,
        outlook: Outlook,
        record: ConnectionRecord,
        quota: Quota,
        now: datetime,
    ) -> bool:
        """
        Store an alert for all connections of the account, unless one of them told it.
        """
        peers = self._peers(record, quota)
        known_of = [(each, self._outlook_of(each, outlook.window)) for each in peers]
        alert = replace(alert, facts=alert.facts | window_facts(quota.known))
        about = {record.id: record.name} | {each.id: each.name for each in peers}
        if is_forecast_told(outlook, [known.told for _, known in known_of], now):
            return False
        for each, known in known_of:
            if known.sample is not None:
                self._keep(each, replace(known, told=outlook.told), is_new=False)
        return tell(self._tx, alert, about, self._plan, now) is not None

    def _peers(self, record: ConnectionRecord, quota: Quota) -> list[ConnectionRecord]:
        """
        Return the other connections that share the period of *quota*, and its window.
        """
        ids = forecasts.load_siblings(self._tx, record.id)
        records = results.load_records(self._tx, [each for each in ids if each != record.id])
        windows = [(each, each.quota.of_window(quota.known.name)) for each in records.values()]
        return [each for each, window in windows if window and window.shares_period_with(quota)]
