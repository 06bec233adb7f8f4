"""
Keep the times when this machine had no link, and look for signs of one.

What is a sign is decided in `monitor.judge.link`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, func, insert, not_, or_, select, update

from monitor.judge.alerts import AlertKind
from monitor.judge.link import UNREACHED, OfflineTime
from monitor.store.alert_tables import alerts, notifications, offline_times
from monitor.store.outbox import NotificationState, is_unclaimed
from monitor.store.tables import applications, connections
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.store.engine import Transaction

ASK_HOSTS_AT_MOST = 5
"""So many other hosts are asked when one is not reached."""

OVERTAKEN_FOR = timedelta(days=7)
"""How long news of a time that is over is looked for, in case it could not be taken back."""


_columns = offline_times.c
# Asked for every batch: made once, it costs half.
_OPEN = (
    select(
        _columns.id,
        _columns.started_at,
        _columns.n_missed,
        _columns.alert_id,
        exists().where(notifications.c.alert_id == _columns.alert_id),
    )
    .where(_columns.ended_at.is_(None))
    .limit(1)
)


def find_open(tx: Transaction) -> OfflineTime | None:
    """
    Return the time without a link that lasts now.
    """
    row = tx.execute(_OPEN).first()
    return None if row is None else OfflineTime(*row)


def begin(
    tx: Transaction, started_at: datetime, alert_id: int | None, n_missed: int = 0
) -> OfflineTime:
    """
    Note that there is no link.
    """
    values = {"started_at": started_at, "n_missed": n_missed, "alert_id": alert_id}
    number: int = tx.execute(
        insert(offline_times).values(values).returning(offline_times.c.id)
    ).scalar_one()
    return OfflineTime(number, started_at, n_missed, alert_id)


def save_missed(tx: Transaction, time: OfflineTime) -> None:
    """
    Keep how many checks were missed so far.
    """
    tx.execute(
        update(offline_times).where(offline_times.c.id == time.id).values(n_missed=time.n_missed)
    )


def end(tx: Transaction, time: OfflineTime, now: datetime) -> None:
    """
    Note that the link is there again.
    """
    tx.execute(update(offline_times).where(offline_times.c.id == time.id).values(ended_at=now))


def _overtaken(now: datetime) -> Any:
    # Its reminders as well: they are alerts of their own, born later.
    over = (
        select(alerts.c.id)
        .join(
            offline_times,
            or_(
                alerts.c.id == offline_times.c.alert_id,
                and_(
                    alerts.c.id > offline_times.c.alert_id,
                    alerts.c.born_at <= offline_times.c.ended_at,
                ),
            ),
        )
        .where(
            alerts.c.kind == AlertKind.MONITOR_OFFLINE,
            offline_times.c.ended_at > now - OVERTAKEN_FOR,
        )
    )
    return and_(
        notifications.c.alert_id.in_(over),
        notifications.c.state.in_((NotificationState.DUE, NotificationState.HELD)),
        # What is being sent at this moment may arrive.
        is_unclaimed(now),
    )


def has_overtaken(tx: Transaction, now: datetime) -> bool:
    """
    Tell whether news of a time that is over still waits to be sent.
    """
    query = select(notifications.c.id).where(_overtaken(now)).limit(1)
    return tx.execute(query).first() is not None


def take_back_overtaken(tx: Transaction, now: datetime) -> None:
    """
    Take back the news of times that are over.
    """
    tx.execute(delete(notifications).where(_overtaken(now)))


def _is_asked() -> Any:
    """
    Select what is really called: neither a countdown nor a store whose application is refused.
    """
    is_spared = (
        select(applications.c.name)
        .where(
            applications.c.name == connections.c.application,
            applications.c.refused_reason.is_not(None),
            applications.c.asker_id != connections.c.id,
        )
        .exists()
    )
    return and_(is_watched(), connections.c.host != "", not_(is_spared))


def failed_hosts_if_all_fail(tx: Transaction, but: Sequence[int]) -> set[str] | None:
    """
    Return the hosts that are not reached, or None if the latest check of any did reach one.

    Args:
        but: Those whose latest check is not stored yet.
    """
    others = and_(_is_asked(), connections.c.id.not_in(but))
    is_reached = or_(
        connections.c.last_reason.is_(None), connections.c.last_reason.not_in(UNREACHED)
    )
    if tx.execute(select(connections.c.id).where(others, is_reached).limit(1)).first():
        return None
    host = func.coalesce(connections.c.failed_host, connections.c.host)
    return set(tx.execute(select(host).where(others).distinct()).scalars())


def list_other_hosts(tx: Transaction, but: Collection[str], now: datetime) -> list[int]:
    """
    Return one connection of each other host that was reached and is not due yet.

    Args:
        but: The hosts that are known not to be reached.
    """
    query = (
        select(func.min(connections.c.id))
        .where(
            _is_asked(),
            connections.c.host.not_in(but),
            connections.c.next_check_at > now,
            or_(connections.c.last_reason.is_(None), connections.c.last_reason.not_in(UNREACHED)),
        )
        .group_by(connections.c.host)
        .limit(ASK_HOSTS_AT_MOST)
    )
    return list(tx.execute(query).scalars())
