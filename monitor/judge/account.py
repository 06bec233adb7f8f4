"""
Settle which of several connections on one account tells about its quota.

The quota belongs to the account: a step is told once, naming them all. What a
single connection would tell is decided in `quota`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.outlook import is_clearly_worse
from monitor.judge.quota import Quota, is_refilled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from monitor.judge.outlook import Outlook


@dataclass(frozen=True, slots=True)
class SharedAlert:
    """
    An alert about an account's quota, after its connections agreed on it.

    Args:
        alert: What to tell; None if another connection already told it.
        named: The other connections that the alert speaks for.
        changed: What is now known of those other connections' quotas.
    """

    alert: AlertDue | None
    named: tuple[int, ...]
    changed: Mapping[int, Quota]


def settle_shared(
    alert: AlertDue, before: Quota, after: Quota, siblings: Iterable[tuple[int, Quota]]
) -> SharedAlert:
    """
    Tell a quota alert once for all connections of one account.

    Args:
        alert: The alert as one connection alone would tell it.
        before: The quota of the connection that raised *alert*, before its check.
        after: The same quota after it.
        siblings: The other connections of the same provider, host and account.
    """
    match alert.kind:
        case AlertKind.QUOTA_LOW | AlertKind.QUOTA_EXHAUSTED:
            return _share_step(alert, after, siblings)
        case AlertKind.QUOTA_RESTORED:
            peers = {
                number: replace(quota, told_step=None)
                for number, quota in siblings
                if quota.told_step is not None and quota.shares_period_with(before)
            }
        case _:
            peers = {
                number: replace(quota, told_step=None, told_limit=after.known.limit)
                for number, quota in siblings
                if quota.shares_period_with(before)
            }
    return SharedAlert(alert, tuple(peers), peers)


def _share_step(
    alert: AlertDue, after: Quota, siblings: Iterable[tuple[int, Quota]]
) -> SharedAlert:
    step: int = alert.facts["step"]
    peers = {number: quota for number, quota in siblings if quota.shares_period_with(after)}
    # What a sibling told before a refill that it has not seen yet is no longer true.
    told = [each.told_step for each in peers.values() if not is_refilled(each.known, after.known)]
    if any(one is not None and one <= step for one in told):
        return SharedAlert(None, (), {})
    left = after.known.remaining
    changed = {
        number: replace(quota, told_step=step, known=replace(quota.known, remaining=left))
        for number, quota in peers.items()
    }
    return SharedAlert(alert, tuple(peers), changed)


def is_forecast_told(
    outlook: Outlook, told_of_peers: Iterable[datetime | None], now: datetime
) -> bool:
    """
    Tell whether another connection of the account has told what *outlook* would tell.

    What has got clearly worse since was not told.
    """
    foreseen, sample = outlook.told, outlook.sample
    if foreseen is None or sample is None or sample.resets_at is None:
        return False
    resets_at = sample.resets_at
    return any(
        told is not None and not is_clearly_worse(foreseen, told, resets_at, now)
        for told in told_of_peers
    )
