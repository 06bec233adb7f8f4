"""
Join the outbox that `alert.delivery` asks for to the one that `store` keeps.

What a delivery shows of its channel is kept in the same transaction: see
`channel_health`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from monitor.alert.errors import OutboxUnavailable
from monitor.channel_health import note_death, note_failure, note_success
from monitor.store import claims, outbox
from monitor.store.engine import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from monitor.judge.outbox import NotificationGroup
    from monitor.plan import Plan
    from monitor.store.engine import Transaction
    from monitor.store.worker import StoreWorker

ResultT = TypeVar("ResultT")


class StoredOutbox:
    """
    The outbox in the database; see `monitor.alert.outbox.Outbox` for its promises.

    Args:
        owner: Who claims: what a daemon that died had claimed is given back
            when the next one starts under the same name.
        plan: Returns the plan of now; it is taken once a transaction.
    """

    def __init__(self, store: StoreWorker, owner: str, plan: Callable[[], Plan]) -> None:
        self._store = store
        self._owner = owner
        self._plan = plan

    async def due_channels(self, now: datetime, *, is_final: bool = False) -> list[str]:
        """
        Return the names of the channels that have something to send *now*.
        """
        try:
            return await self._store.read(
                lambda tx: claims.due_channels(tx, now, is_final=is_final)
            )
        except StoreError as error:
            raise OutboxUnavailable(str(error)) from error

    async def claim_next(
        self,
        channel: str,
        now: datetime,
        lease: timedelta,
        skip: frozenset[int] = frozenset(),
        *,
        is_final: bool = False,
    ) -> NotificationGroup | None:
        """
        Claim the oldest notification of *channel* whose time has come, and those of its kind.
        """
        return await self._write(
            lambda tx: claims.claim_next(
                tx, channel, now, lease, self._owner, skip, is_final=is_final
            )
        )

    async def mark_sent(self, group: NotificationGroup, now: datetime) -> None:
        """
        Record that the channel took it.
        """

        def mark(tx: Transaction) -> None:
            outbox.mark_sent(tx, group.ids, now)
            note_success(tx, group.channel, self._plan(), now)

        await self._write(mark)

    async def mark_failed(
        self, group: NotificationGroup, error: str, next_attempt_at: datetime, now: datetime
    ) -> None:
        """
        Count one more attempt, give the claim back, and wait.
        """

        def mark(tx: Transaction) -> None:
            outbox.mark_failed(tx, group.ids, error, next_attempt_at)
            note_failure(tx, group.channel, now)

        await self._write(mark)

    async def mark_dead(self, group: NotificationGroup, error: str, now: datetime) -> None:
        """
        Count one more attempt and give up.
        """

        def mark(tx: Transaction) -> None:
            if outbox.mark_dead(tx, group.ids, error):
                note_death(tx, group.channel, error, self._plan(), now)

        await self._write(mark)

    async def release(self, group: NotificationGroup) -> None:
        """
        Give a claim back without having tried.
        """
        await self._write(lambda tx: outbox.release(tx, group.ids))

    async def _write(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        try:
            return await self._store.write(work)
        except StoreError as error:
            raise OutboxUnavailable(str(error)) from error
