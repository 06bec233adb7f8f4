"""
Choose which notifications of a channel go out next, in one message.

Decides the order, the company and the pace: nobody hears of a recovery before
the error; alerts of one kind travel together; a channel that had many messages
lately gets one a kind. Claiming them is left to `claims`.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, not_, or_, select

from monitor.judge.alerts import ABOUT_NO_CONNECTION, OPENING_OR_CLOSING, AlertKind, Key, keys_of
from monitor.store.alert_tables import alert_connections, alerts, notifications
from monitor.store.outbox import NotificationState
from monitor.store.tables import connections
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.store.engine import Transaction

_WIDE = OPENING_OR_CLOSING & ABOUT_NO_CONNECTION
"""The troubles, and their ends, that are about something else than connections."""

LOOK_AHEAD = 20_000
"""How many waiting notifications of a channel are looked through for those that may go."""

MOST_TOGETHER = 10_000
"""How many notifications one message stands for at most."""

CROWD = 6
CROWDED_WITHIN = timedelta(minutes=5)
"""After so many messages within that time, what follows is collected: one a kind in that time."""

COLLECTED_FOR = timedelta(minutes=15)
"""So long after the crowd. Ending it at once would let the next six through one by one."""


def may_be_told() -> Any:
    """
    Select what is about nobody, or about a connection that is watched.

    What is about paused connections, or about such as were taken out of the
    file, waits for them to come back.
    """
    about = exists().where(alert_connections.c.alert_id == notifications.c.alert_id)
    watched = about.where(connections.c.id == alert_connections.c.connection_id, is_watched())
    return or_(watched, not_(about))


def is_untried() -> Any:
    """
    Select what was never claimed: until its time comes it only waits for others of its kind.
    """
    return and_(notifications.c.attempts == 0, notifications.c.message_id.is_(None))


def choose(
    tx: Transaction,
    channel: str,
    now: datetime,
    skip: Collection[int] = (),
    *,
    is_final: bool = False,
) -> list[Any]:
    """
    Return the waiting notifications of *channel* that go out now in one message.

    One that an earlier, unsent one about the same is waiting before
    may not go, unless they go together. Nor may one whose connections are all
    paused: it waits for them to be resumed.
    """
    queue = _Queue(tx, channel, now, frozenset(skip), is_final=is_final)
    for row in _waiting(tx, channel):
        queue.consider(row)
        if len(queue.chosen) == MOST_TOGETHER:
            break
    return queue.chosen


def _waiting(tx: Transaction, channel: str) -> Sequence[Any]:
    return tx.execute(
        select(
            notifications.c.id,
            notifications.c.alert_id,
            notifications.c.message_id,
            notifications.c.attempts,
            notifications.c.due_since,
            notifications.c.next_attempt_at,
            notifications.c.claimed_until,
            alerts.c.kind,
            alerts.c.severity,
        )
        .join(alerts)
        .where(
            notifications.c.state == NotificationState.DUE,
            notifications.c.channel == channel,
            may_be_told(),
        )
        .order_by(notifications.c.id)
        .limit(LOOK_AHEAD)
    ).all()


class _Queue:
    """
    The waiting notifications of a channel, considered from the oldest on.
    """

    def __init__(
        self, tx: Transaction, channel: str, now: datetime, skip: frozenset[int], *, is_final: bool
    ) -> None:
        self.chosen: list[Any] = []
        self._tx = tx
        self._channel = channel
        self._now = now
        self._skip = skip
        self._is_final = is_final
        self._is_crowded, self._told_kinds = _look_back(tx, channel, now)
        self._left_behind: list[int] = []
        self._held_up: set[Key] = set()

    def consider(self, row: Any) -> None:
        """
        Choose *row*, or leave it behind.
        """
        may_go = self._may_join(row) if self.chosen else self._may_lead(row)
        if may_go and not self._is_held_up(row):
            self.chosen.append(row)
        else:
            self._left_behind.append(row.alert_id)

    def _is_free(self, row: Any) -> bool:
        is_claimed = row.claimed_until is not None and row.claimed_until > self._now
        return not is_claimed and row.id not in self._skip

    def _may_lead(self, row: Any) -> bool:
        is_time = row.next_attempt_at <= self._now or (self._is_final and _was_untried(row))
        is_too_soon = self._is_crowded and row.kind in self._told_kinds
        return is_time and not is_too_soon and self._is_free(row)

    def _may_join(self, row: Any) -> bool:
        first = self.chosen[0]
        if row.kind != first.kind or not self._is_free(row):
            return False
        if self._is_crowded:
            return _was_untried(row) or row.next_attempt_at <= self._now
        if _was_untried(first):
            return _was_untried(row)
        # What was perhaps delivered is sent again as it was.
        return first.message_id is not None and row.message_id == first.message_id

    def _is_held_up(self, row: Any) -> bool:
        """
        Tell whether an earlier notification about the same stays behind.
        """
        is_end = AlertKind(row.kind).is_closing
        if is_end and self._first_held:
            # The trouble that it ends is held back here: it waits for that.
            about = self._about.get(row.alert_id, ())
            if any(self._first_held.get(each, row.id) < row.id for each in about):
                return True
        if self._left_behind:
            for alert_id in self._left_behind:
                self._held_up.update(self._about.get(alert_id, ()))
            self._left_behind.clear()
        return bool(self._held_up) and not self._held_up.isdisjoint(
            self._about.get(row.alert_id, ())
        )

    @cached_property
    def _about(self) -> dict[int, list[Key]]:
        """
        What the waiting alerts are about: much, and asked for only if need be.
        """
        is_waiting = and_(
            notifications.c.state == NotificationState.DUE,
            notifications.c.channel == self._channel,
        )
        rows = self._tx.execute(
            select(alert_connections)
            .join(notifications, notifications.c.alert_id == alert_connections.c.alert_id)
            .where(is_waiting)
        )
        about: dict[int, list[Key]] = {}
        for alert_id, connection_id in rows:
            about.setdefault(alert_id, []).append(connection_id)
        wide = select(alerts.c.id, alerts.c.kind, alerts.c.facts).join(notifications)
        for row in self._tx.execute(wide.where(is_waiting, alerts.c.kind.in_(_WIDE))):
            about[row.id] = list(keys_of(AlertKind(row.kind), row.facts, ()))
        return about

    @cached_property
    def _first_held(self) -> dict[Key, int]:
        """
        The first notification of each connection that is held back on this channel.
        """
        rows = self._tx.execute(
            select(alert_connections.c.connection_id, func.min(notifications.c.id).label("first"))
            .join(notifications, notifications.c.alert_id == alert_connections.c.alert_id)
            .where(
                notifications.c.state == NotificationState.HELD,
                notifications.c.channel == self._channel,
            )
            .group_by(alert_connections.c.connection_id)
        )
        return {row.connection_id: row.first for row in rows}


def _was_untried(row: Any) -> bool:
    return row.attempts == 0 and row.message_id is None


def _look_back(tx: Transaction, channel: str, now: datetime) -> tuple[bool, frozenset[str]]:
    """
    Tell whether *channel* had many messages lately, and of which kinds the last ones were.
    """
    message = func.coalesce(notifications.c.message_id, notifications.c.id)
    rows = tx.execute(
        select(notifications.c.sent_at, alerts.c.kind)
        .join(alerts)
        .where(
            notifications.c.channel == channel,
            notifications.c.sent_at > now - COLLECTED_FOR - CROWDED_WITHIN,
            notifications.c.sent_at <= now,
        )
        .group_by(message, notifications.c.sent_at, alerts.c.kind)
    ).all()
    at = sorted(row.sent_at for row in rows)
    is_crowded = any(
        last > now - COLLECTED_FOR and last - first < CROWDED_WITHIN
        for first, last in zip(at, at[CROWD - 1 :], strict=False)
    )
    return is_crowded, frozenset(row.kind for row in rows if row.sent_at > now - CROWDED_WITHIN)
