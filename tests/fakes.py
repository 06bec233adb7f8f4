"""
Stand in for our own ports: an outbox in memory, a sender and a checker that obey.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from typing import TYPE_CHECKING

from monitor.clock import utc_now
from monitor.judge.alerts import KINDS, AlertKind
from monitor.judge.outbox import Notification, NotificationGroup
from monitor.judge.outcome import Outcome, Reason
from monitor.notify.delivery import AlertError, OutboxUnavailable
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from monitor.notify.message import Message

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class FixedClock:
    """
    A clock that moves only when told to.
    """

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@dataclass
class Row:
    """
    A notification in the fake outbox, and what happened to it.
    """

    notification: Notification
    channel: str
    state: str = "due"
    next_attempt_at: datetime = NOON
    attempts: int = 0
    due_since: datetime = NOON
    message_id: int | None = None
    claimed_until: datetime | None = None
    sent_at: datetime | None = None
    error: str | None = None


@dataclass
class FakeOutbox:
    """
    An `Outbox` in memory, with claims, groups and the order per connection kept.

    Args:
        broken: The names of the methods that raise `OutboxUnavailable`.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def add(
        self,
        channel: str = "ops",
        connections: tuple[str, ...] = ("soldscope-production",),
        *,
        kind: AlertKind = AlertKind.ERROR,
        born_at: datetime = NOON,
        wait: timedelta = timedelta(),
    ) -> Row:
        """
        Put a notification in, due at its birth unless it has to *wait* for others.
        """
        number = len(self.rows) + 1
        facts = {"reason": "token_rejected", "since": born_at.isoformat()}
        self.rows[number] = Row(
            Notification(
                number,
                100 + number,
                kind,
                KINDS[kind].severity,
                facts,
                connections,
                len(connections),
                born_at,
            ),
            channel,
            next_attempt_at=born_at + wait,
            due_since=born_at,
        )
        return self.rows[number]

    def states(self) -> list[str]:
        return [row.state for row in self.rows.values()]

    async def due_channels(self, now: datetime, *, is_final: bool = False) -> list[str]:
        self._fail_if_broken("due_channels")
        ready = [r for r in self.rows.values() if _is_ready(r, now, is_final=is_final)]
        return sorted({row.channel for row in ready})

    async def claim_next(
        self,
        channel: str,
        now: datetime,
        lease: timedelta,
        skip: frozenset[int] = frozenset(),
        *,
        is_final: bool = False,
    ) -> NotificationGroup | None:
        self._fail_if_broken("claim_next")
        chosen: list[Row] = []
        held_up: set[str] = set()
        for number, row in self.rows.items():
            if row.channel != channel or row.state != "due":
                continue
            about = set(row.notification.connections)
            may_go = _may_join(chosen[0], row) if chosen else _is_ready(row, now, is_final=is_final)
            if may_go and number not in skip and not held_up & about:
                chosen.append(row)
            else:
                held_up |= about
        for row in chosen:
            row.claimed_until, row.message_id = now + lease, chosen[0].notification.id
        return _group(chosen) if chosen else None

    async def mark_sent(self, group: NotificationGroup, now: datetime) -> None:
        self._fail_if_broken("mark_sent")
        for row in self._rows_of(group):
            row.state, row.sent_at, row.claimed_until = "sent", now, None

    async def mark_failed(
        self,
        group: NotificationGroup,
        error: str,
        next_attempt_at: datetime,
        now: datetime,  # noqa: ARG002 - since when a channel fails is kept by the real one
    ) -> None:
        self._fail_if_broken("mark_failed")
        for row in self._rows_of(group):
            _count(row, error)
            row.next_attempt_at = next_attempt_at

    async def mark_dead(
        self,
        group: NotificationGroup,
        error: str,
        now: datetime,  # noqa: ARG002 - other channels are told by the real one
    ) -> None:
        self._fail_if_broken("mark_dead")
        for row in self._rows_of(group):
            _count(row, error)
            row.state = "dead"

    async def release(self, group: NotificationGroup) -> None:
        self._fail_if_broken("release")
        for row in self._rows_of(group):
            row.claimed_until = row.message_id = None

    def _rows_of(self, group: NotificationGroup) -> list[Row]:
        return [self.rows[number] for number in group.ids]

    def _fail_if_broken(self, method: str) -> None:
        if method in self.broken:
            raise OutboxUnavailable("database is locked")


def _is_ready(row: Row, now: datetime, *, is_final: bool) -> bool:
    is_free = row.claimed_until is None or row.claimed_until <= now
    is_time = row.next_attempt_at <= now or (is_final and row.message_id is None)
    return row.state == "due" and is_time and is_free


def _may_join(first: Row, row: Row) -> bool:
    is_alike = row.notification.kind is first.notification.kind
    return is_alike and row.claimed_until is None and row.message_id == first.message_id


def _count(row: Row, error: str) -> None:
    row.attempts += 1
    row.error, row.claimed_until = error, None


def _group(chosen: list[Row]) -> NotificationGroup:
    told = tuple(row.notification for row in chosen)
    names = {name for one in told for name in one.connections}
    first = chosen[0]
    ids = tuple(one.id for one in told)
    return NotificationGroup(ids, first.channel, told, len(names), first.attempts, first.due_since)


@dataclass
class FakeSender:
    """
    A `Sender` that keeps what it is given.

    Args:
        failures: What a channel raises, instead of taking a message.
        hanging: Channels whose sends end only after `let_go` is set.
    """

    failures: dict[str, Exception] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    let_go: Event = field(default_factory=Event)
    sent: list[tuple[str, Message]] = field(default_factory=list)
    keys_begun: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def send(self, channel: str, message: Message, key: str = "") -> None:
        with self._lock:
            self.keys_begun.append(key)
        if channel in self.hanging and not self.let_go.wait(timeout=PATIENCE_S):
            raise AlertError("nobody let it go")
        if channel in self.failures:
            raise self.failures[channel]
        with self._lock:
            self.sent.append((channel, message))

    def channels(self) -> list[str]:
        return [channel for channel, _ in self.sent]


class FakeChecker:
    """
    A `Checker` that gives what it is told, one after the other, the last one for ever.

    Args:
        results: Outcomes; exceptions are raised.
        is_hanging: It ends only after `let_go` is set.
    """

    def __init__(self, *results: Outcome | Exception, is_hanging: bool = False) -> None:
        self.results = list(results) or [Outcome(Reason.OK, latency_ms=40.0)]
        self.started_at: list[datetime] = []
        self.n_running = 0
        self.most_running = 0
        self.let_go = asyncio.Event()
        if not is_hanging:
            self.let_go.set()

    async def check(self) -> Outcome:
        self.started_at.append(utc_now())
        self.n_running += 1
        self.most_running = max(self.most_running, self.n_running)
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        try:
            await self.let_go.wait()
        finally:
            self.n_running -= 1
        if isinstance(result, Exception):
            raise result
        return result
