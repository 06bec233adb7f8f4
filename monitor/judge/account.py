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
    name: str = alert.facts.get("window", "")
    mine_before, mine_after = before.of_window(name) or before, after.of_window(name) or after
    peers = _Peers(name, siblings)
    match alert.kind:
        case AlertKind.QUOTA_LOW | AlertKind.QUOTA_EXHAUSTED:
            return _share_step(alert, mine_after, peers)
        case AlertKind.QUOTA_RESTORED:
            changed = {
                number: replace(window, told_step=None)
                for number, window in peers.sharing(mine_before).items()
                if window.told_step is not None
            }
        case _:
            changed = {
                number: replace(window, told_step=None, told_limit=mine_after.known.limit)
                for number, window in peers.sharing(mine_before).items()
            }
    return SharedAlert(alert, tuple(changed), peers.with_windows(changed))


class _Peers:
    """
    The other connections of an account, seen through the window that an alert is about.
    """

    def __init__(self, name: str, siblings: Iterable[tuple[int, Quota]]) -> None:
        self._quotas = dict(siblings)
        found = ((number, quota.of_window(name)) for number, quota in self._quotas.items())
        self._windows = {number: window for number, window in found if window is not None}

    def sharing(self, window: Quota) -> dict[int, Quota]:
        return {
            number: each
            for number, each in self._windows.items()
            if each.shares_period_with(window)
        }

    def with_windows(self, changed: Mapping[int, Quota]) -> dict[int, Quota]:
        return {
            number: self._quotas[number].with_window(window) for number, window in changed.items()
        }


def _share_step(alert: AlertDue, after: Quota, peers: _Peers) -> SharedAlert:
    step: int = alert.facts["step"]
    sharing = peers.sharing(after)
    # What a sibling told before a refill that it has not seen yet is no longer true.
    told = [each.told_step for each in sharing.values() if not is_refilled(each.known, after.known)]
    if any(one is not None and one <= step for one in told):
        return SharedAlert(None, (), {})
    left = after.known.remaining
    changed = {
        number: replace(window, told_step=step, known=replace(window.known, remaining=left))
        for number, window in sharing.items()
    }
    return SharedAlert(alert, tuple(changed), peers.with_windows(changed))


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
