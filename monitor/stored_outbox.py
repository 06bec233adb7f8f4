"""
Join the outbox that `alert.delivery` asks for to the one that `store` keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from monitor.alert.errors import OutboxUnavailable
from monitor.alert.outbox import Notification
from monitor.judge.alerts import AlertKind, Severity
from monitor.store import outbox
from monitor.store.engine import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from monitor.store.engine import Transaction
    from monitor.store.worker import StoreWorker

ResultT = TypeVar("ResultT")


class StoredOutbox:
    """
    The outbox in the database; see `monitor.alert.outbox.Outbox` for its promises.

    Args:
        owner: Who claims: what a daemon that died had claimed is given back
            when the next one starts under the same name.
    """

    def __init__(self, store: StoreWorker, owner: str) -> None:
        self._store = store
        self._owner = owner

    async def due_channels(self, now: datetime) -> list[str]:
        """
        Return the names of the channels that have something to send *now*.
        """
        try:
            return await self._store.read(lambda tx: outbox.due_channels(tx, now))
        except StoreError as error:
            raise OutboxUnavailable(str(error)) from error

    async def claim_next(
        self,
        channel: str,
        now: datetime,
        lease: timedelta,
        skip: frozenset[int] = frozenset(),
    ) -> Notification | None:
        """
        Claim the oldest notification of *channel* whose time has come.
        """
        row = await self._write(
            lambda tx: outbox.claim_next(tx, channel, now, lease, self._owner, skip)
        )
        if row is None:
            return None
        return Notification(
            id=row.id,
            alert_id=row.alert_id,
            channel=row.channel,
            kind=AlertKind(row.kind),
            severity=Severity(row.severity),
            facts=row.facts,
            connections=row.connections,
            born_at=row.born_at,
            attempts=row.attempts,
            due_since=row.due_since,
        )

    async def mark_sent(self, notification_id: int, now: datetime) -> None:
        """
        Record that the channel took it.
        """
        await self._write(lambda tx: outbox.mark_sent(tx, notification_id, now))

    async def mark_failed(
        self, notification_id: int, error: str, next_attempt_at: datetime
    ) -> None:
        """
        Count one more attempt, give the claim back, and wait.
        """
        await self._write(
            lambda tx: outbox.mark_failed(tx, notification_id, error, next_attempt_at)
        )

    async def mark_dead(self, notification_id: int, error: str) -> None:
        """
        Count one more attempt and give up.
        """
        await self._write(lambda tx: outbox.mark_dead(tx, notification_id, error))

    async def release(self, notification_id: int) -> None:
        """
        Give a claim back without having tried.
        """
        await self._write(lambda tx: outbox.release(tx, notification_id))

    async def _write(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        try:
            return await self._store.write(work)
        except StoreError as error:
            raise OutboxUnavailable(str(error)) from error
