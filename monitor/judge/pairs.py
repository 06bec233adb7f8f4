"""
Name the kinds of alert that end, repeat or overtake one another.

Pure. Severities stand in `alerts`, who hears of them in `route`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.judge.alerts import AlertKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OPENED_BY = {
    AlertKind.RECOVERED: (AlertKind.ERROR, AlertKind.EXPIRED),
    AlertKind.RENEWED: (
        AlertKind.EXPIRED,
        AlertKind.EXPIRING_SOON,
        AlertKind.RENEWAL_UNRECORDED,
    ),
    AlertKind.QUOTA_RESTORED: (AlertKind.QUOTA_LOW, AlertKind.QUOTA_EXHAUSTED),
    AlertKind.OUTAGE_OVER: (AlertKind.OUTAGE,),
    AlertKind.MONITOR_ONLINE: (AlertKind.MONITOR_OFFLINE,),
    AlertKind.CHANNEL_RESTORED: (AlertKind.CHANNEL_FAILED,),
}
"""The troubles that a closing alert speaks of."""

CLOSED_BY = {
    AlertKind.RECOVERED: (AlertKind.RECOVERED, AlertKind.RENEWED),
    AlertKind.RENEWED: (AlertKind.RENEWED,),
    AlertKind.QUOTA_RESTORED: (AlertKind.QUOTA_RESTORED, AlertKind.LIMIT_CHANGED),
    AlertKind.OUTAGE_OVER: (AlertKind.OUTAGE_OVER,),
    AlertKind.MONITOR_ONLINE: (AlertKind.MONITOR_ONLINE,),
    AlertKind.CHANNEL_RESTORED: (AlertKind.CHANNEL_RESTORED,),
}
"""What ended an earlier trouble, so that it needs no second end."""

_ENDED_BY: dict[AlertKind, tuple[AlertKind, ...]] = {
    AlertKind.ERROR: (AlertKind.RECOVERED, AlertKind.RENEWED),
    AlertKind.EXPIRED: (AlertKind.RECOVERED, AlertKind.RENEWED),
    AlertKind.EXPIRING_SOON: (AlertKind.RENEWED,),
    AlertKind.RENEWAL_UNRECORDED: (AlertKind.RENEWED,),
    AlertKind.QUOTA_LOW: (AlertKind.QUOTA_RESTORED, AlertKind.LIMIT_CHANGED),
    AlertKind.QUOTA_EXHAUSTED: (AlertKind.QUOTA_RESTORED, AlertKind.LIMIT_CHANGED),
    AlertKind.QUOTA_FORECAST: (AlertKind.QUOTA_RESTORED, AlertKind.LIMIT_CHANGED),
    AlertKind.OUTAGE: (AlertKind.OUTAGE_OVER,),
    AlertKind.MONITOR_OFFLINE: (AlertKind.MONITOR_ONLINE,),
    AlertKind.CHANNEL_FAILED: (AlertKind.CHANNEL_RESTORED,),
}

_OVERTAKEN_BY: dict[AlertKind, tuple[AlertKind, ...]] = {
    AlertKind.ERROR: (AlertKind.ERROR, AlertKind.EXPIRED),
    AlertKind.EXPIRED: (AlertKind.ERROR, AlertKind.EXPIRED),
    AlertKind.EXPIRING_SOON: (AlertKind.EXPIRING_SOON, AlertKind.EXPIRED),
    AlertKind.SECRET_EXPIRING: (AlertKind.SECRET_EXPIRING,),
    AlertKind.QUOTA_LOW: (AlertKind.QUOTA_LOW, AlertKind.QUOTA_EXHAUSTED),
    AlertKind.QUOTA_FORECAST: (AlertKind.QUOTA_FORECAST, AlertKind.QUOTA_EXHAUSTED),
    AlertKind.DIGEST: (AlertKind.DIGEST,),
}

ABOUT_NO_CONNECTION = frozenset(
    {
        AlertKind.MONITOR_OFFLINE,
        AlertKind.MONITOR_ONLINE,
        AlertKind.CHANNEL_FAILED,
        AlertKind.CHANNEL_RESTORED,
        AlertKind.RESUMED,
        AlertKind.DIGEST,
        AlertKind.TEST,
    }
)
"""What concerns every channel, whichever connections it is there for."""

_BY_FACT = {
    AlertKind.OUTAGE: "host",
    AlertKind.OUTAGE_OVER: "host",
    AlertKind.CHANNEL_FAILED: "channel",
    AlertKind.CHANNEL_RESTORED: "channel",
    AlertKind.SECRET_EXPIRING: "application",
}

Key = int | str
"""What an alert is about: a connection's id, or the name of something larger."""


def ends(kind: AlertKind) -> tuple[AlertKind, ...]:
    """
    Return the kinds that say that the trouble of *kind* is over.
    """
    return _ENDED_BY.get(kind, ())


def overtakes(kind: AlertKind) -> tuple[AlertKind, ...]:
    """
    Return the kinds beside which an earlier, untold alert of *kind* is old news.
    """
    return _OVERTAKEN_BY.get(kind, ())


def is_known_by_connections(kind: AlertKind) -> bool:
    """
    Tell whether alerts of *kind* are about their connections, and nothing larger.
    """
    return kind not in _BY_FACT and kind not in ABOUT_NO_CONNECTION


def keys_of(kind: AlertKind, facts: Mapping[str, Any], about: Iterable[int]) -> frozenset[Key]:
    """
    Return what an alert is about: two that share a key may speak of one trouble.
    """
    if kind in _BY_FACT:
        return frozenset({str(facts.get(_BY_FACT[kind]))})
    return frozenset(about) if is_known_by_connections(kind) else frozenset({"monitor"})
