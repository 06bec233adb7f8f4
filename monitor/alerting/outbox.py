"""Join the outbox that deliveries ask for to the one that the store keeps.

What a delivery shows of its channel is kept in the same transaction. When a channel counts as
failing, and which others are notified of it, is decided here; who wants that, in `judge.routing`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from monitor.alerting.dispatch import dispatch_alert
from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.groups import cut_facts
from monitor.judge.routing import route
from monitor.judge.text import tidy
from monitor.notify.delivery import OutboxUnavailable
from monitor.store import outbox
from monitor.store.alerts import withdraw_notifications
from monitor.store.engine import StoreError
from monitor.store.incidents import count_of_host

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from typing import Any

    from monitor.config.plan import Plan
    from monitor.judge.outbox import NotificationGroup
    from monitor.store.engine import StoreWorker, Transaction


def note_failure(tx: Transaction, channel: str, now: datetime) -> None:
    """Keep since when *channel* fails."""
    if outbox.find_channel_failure(tx, channel) is None:
        outbox.begin_channel_failure(tx, channel, now)


def note_death(tx: Transaction, channel: str, error: str, plan: Plan, now: datetime) -> None:
    """Tell the other channels, once, that *channel* did not take a message that was given up.

    One that was taken out of the file is no channel that fails.
    """
    if all(one.name != channel for one in plan.channels):
        return
    note_failure(tx, channel, now)
    failing = outbox.find_channel_failure(tx, channel)
    if failing is None or failing.is_told:
        return
    facts = {"channel": channel, "error": error, "since": failing.since.isoformat()}
    if _notify_others(tx, channel, AlertKind.CHANNEL_FAILED, facts, plan, now):
        outbox.mark_failure_announced(tx, channel)


def note_success(tx: Transaction, channel: str, plan: Plan, now: datetime) -> None:
    """Notify the other channels that *channel* works again, if they know that it failed."""
    failing = outbox.find_channel_failure(tx, channel)
    if failing is None:
        return
    outbox.end_channel_failure(tx, channel)
    if failing.is_told:
        facts = {"channel": channel, "since": failing.since.isoformat()}
        _notify_others(tx, channel, AlertKind.CHANNEL_RESTORED, facts, plan, now)


def _notify_others(
    tx: Transaction,
    channel: str,
    kind: AlertKind,
    facts: dict[str, Any],
    plan: Plan,
    now: datetime,
) -> bool:
    """Tell every channel that works and wants to hear of it; return whether there is any."""
    deaf = {channel, *outbox.list_announced_failures(tx)}
    others = [one for one in plan.channels if one.name not in deaf]
    alert = AlertDue.of(kind, **facts)
    told = route(alert, [], others)
    if told:
        dispatch_alert(tx, alert, {}, plan, now, only=told)
    return bool(told)


def groups_of(plan: Plan, channel: str) -> frozenset[str]:
    """Return the groups that *channel* is there for; none for all."""
    return next((one.groups for one in plan.channels if one.name == channel), frozenset())


def _cut(
    tx: Transaction, found: NotificationGroup, groups: frozenset[str]
) -> NotificationGroup | None:
    """Return what was claimed with the counts of *groups* alone; None if nothing is about them.

    Of what was about them when it was born nothing may be left: connections change groups.
    """
    kept, lost = [], []
    for one in found.notifications:
        if one.n_hidden and not one.n_connections:
            lost.append(one.id)
            continue
        facts = one.facts
        if one.n_hidden:
            total = None
            if one.kind is AlertKind.OUTAGE:
                total = count_of_host(tx, str(facts.get("host")), groups)
            facts = cut_facts(one.kind, facts, one.n_connections, total)
        kept.append(replace(one, facts=facts))
    if not lost:
        return replace(found, notifications=tuple(kept))
    withdraw_notifications(tx, lost)
    if not kept:
        outbox.release(tx, found.ids)
        return None
    ids = tuple(number for number in found.ids if number not in lost)
    return replace(found, ids=ids, notifications=tuple(kept))


ResultT = TypeVar("ResultT")


class StoredOutbox:
    """The outbox in the database; see `monitor.notify.delivery.Outbox` for its promises.

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
        """Return the names of the channels that have something to send *now*."""
        try:
            return await self._store.read(
                lambda tx: outbox.due_channels(tx, now, is_final=is_final)
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
        """Claim the oldest notification of *channel* whose time has come, and those of its kind."""
        groups = groups_of(self._plan(), channel)

        def claim(tx: Transaction) -> NotificationGroup | None:
            while True:
                found = outbox.claim_next(
                    tx, channel, now, lease, self._owner, skip, is_final=is_final, groups=groups
                )
                if found is None or not groups:
                    return found
                cut = _cut(tx, found, groups)
                if cut is not None:
                    return cut

        return await self._write(claim)

    async def mark_sent(self, group: NotificationGroup, now: datetime) -> None:
        """Record that the channel took it."""

        def mark(tx: Transaction) -> None:
            outbox.mark_sent(tx, group.ids, now)
            note_success(tx, group.channel, self._plan(), now)

        await self._write(mark)

    async def mark_failed(
        self, group: NotificationGroup, error: str, next_attempt_at: datetime, now: datetime
    ) -> None:
        """Count one more attempt, give the claim back, and wait."""

        def mark(tx: Transaction) -> None:
            outbox.mark_failed(tx, group.ids, tidy(error), next_attempt_at)
            note_failure(tx, group.channel, now)

        await self._write(mark)

    async def mark_dead(self, group: NotificationGroup, error: str, now: datetime) -> None:
        """Count one more attempt and give up."""

        def mark(tx: Transaction) -> None:
            if outbox.mark_dead(tx, group.ids, tidy(error)):
                note_death(tx, group.channel, tidy(error), self._plan(), now)

        await self._write(mark)

    async def release(self, group: NotificationGroup) -> None:
        """Give a claim back without having tried."""
        await self._write(lambda tx: outbox.release(tx, group.ids))

    async def _write(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        try:
            return await self._store.write(work)
        except StoreError as error:
            raise OutboxUnavailable(str(error)) from error
