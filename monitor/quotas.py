"""
Judge the quotas of a batch of checks, account by account.

What one answer says of a quota is decided in `judge.quota`, who of an account
tells it in `judge.account`; here both meet the database.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING

from monitor.judge.account import settle_shared
from monitor.judge.quota_verdict import judge_quota
from monitor.store import results, windows
from monitor.store.records import quota_values
from monitor.telling import join, tell

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.judge.alerts import AlertDue
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.outcome import Outcome
    from monitor.judge.quota import Quota
    from monitor.plan import Plan
    from monitor.store.engine import Transaction

SEEN_AT_PRECISION = timedelta(hours=1)
"""An unchanged quota is not written again for its date of reading alone."""


class QuotaBook:
    """
    The quotas that one transaction judges, one check after another.

    Args:
        records: The connections of the batch, by id.
    """

    def __init__(
        self, tx: Transaction, plan: Plan, records: Mapping[int, ConnectionRecord]
    ) -> None:
        self._tx = tx
        self._plan = plan
        # A check may change the quota of another one in this batch.
        self._quotas = {number: record.quota for number, record in records.items()}
        self._unsaved: dict[int, tuple[Quota, str | None]] = {}
        self._unsaved_windows: dict[int, tuple[Quota, ...]] = {}
        self._told_of: dict[str, tuple[int, AlertDue]] = {}

    def of(self, connection_id: int) -> Quota:
        """
        Return what is known of a connection's quota by now.
        """
        return self._quotas[connection_id]

    def judge(self, record: ConnectionRecord, outcome: Outcome, now: datetime) -> list[AlertDue]:
        """
        Judge what one answer says of a quota; store and return what is to be told.
        """
        account_key = _account_key(record, outcome.account)
        before = self._quotas[record.id]
        rules = self._plan.watched[record.name].rules
        verdict = judge_quota(before, outcome, rules, now)
        self._quotas[record.id] = verdict.quota
        if _is_news(before, verdict.quota) or account_key != record.account_key:
            self._unsaved[record.id] = (verdict.quota, account_key)
        self._note_windows(record.id, before, verdict.quota)
        return [
            alert
            for alert in verdict.alerts
            if self._bear_shared(alert, before, record, account_key, now)
        ]

    def save(self) -> None:
        """
        Store the quotas that changed; siblings are read from the database.
        """
        results.save_quotas(self._tx, self._unsaved)
        windows.save(self._tx, self._unsaved_windows)
        self._unsaved, self._unsaved_windows = {}, {}

    def _note_windows(self, connection_id: int, before: Quota, after: Quota) -> None:
        # What a sibling was told of, and is not stored yet, must not be lost.
        is_unsaved = connection_id in self._unsaved_windows
        if is_unsaved or windows.are_news(before.others, after.others):
            self._unsaved_windows[connection_id] = after.others

    def _bear_shared(
        self,
        alert: AlertDue,
        before: Quota,
        record: ConnectionRecord,
        account_key: str | None,
        now: datetime,
    ) -> bool:
        self.save()
        siblings = results.load_siblings(self._tx, account_key, record.id) if account_key else []
        shared = settle_shared(
            alert,
            before,
            self._quotas[record.id],
            [(number, quota) for number, _, quota in siblings],
        )
        for number, quota in shared.changed.items():
            known = next(each for other, _, each in siblings if other == number)
            self._note_windows(number, known, quota)
            self._quotas[number] = quota
            self._unsaved[number] = (quota, account_key)
        if shared.alert is None:
            self._join(record, account_key, now)
            return False
        names = {number: name for number, name, _ in siblings if number in shared.named}
        about = {record.id: record.name} | names
        alert_id = tell(self._tx, shared.alert, about, self._plan, now)
        if alert_id is not None and account_key is not None:
            self._told_of[account_key] = (alert_id, shared.alert)
        return alert_id is not None

    def _join(self, record: ConnectionRecord, account_key: str | None, now: datetime) -> None:
        """
        Add a connection, first seen in this batch, to what the batch told of its account.
        """
        if account_key in self._told_of:
            alert_id, alert = self._told_of[account_key]
            join(self._tx, alert_id, alert, (record.id, record.name), self._plan, now)


def _account_key(record: ConnectionRecord, account: str | None) -> str | None:
    if account is None:
        return record.account_key
    return f"{record.provider}|{record.host}|{account}"


def _is_news(before: Quota, after: Quota) -> bool:
    if before.seen_at is not None and after.seen_at is not None:
        if after.seen_at - before.seen_at >= SEEN_AT_PRECISION:
            return True
        if _LASTING(before) == _LASTING(after):
            return False
        before = replace(before, seen_at=after.seen_at)
    # Not all that is known is stored: only what is can be news.
    return quota_values(before) != quota_values(after)


_LASTING = attrgetter(
    "shown",
    "known",
    "longest_reset_s",
    "is_payment_required",
    "told_step",
    "told_limit",
    "others",
)
