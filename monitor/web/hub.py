"""Hand out what happens to everyone who listens.

What happened is found in the database once a second, and only while somebody
listens: that way changes made by commands are told as well.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from monitor.judge.access import FULL_ACCESS
from monitor.judge.conditions import ConditionKind
from monitor.report.status import instant
from monitor.store.engine import StoreError
from monitor.store.history import Horizon, events_since, find_horizon, groups_of_alerts
from monitor.store.overview import count_watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from monitor.judge.access import Access
    from monitor.judge.conditions import Condition
    from monitor.store.engine import StoreWorker, Transaction
    from monitor.web.overview import Overview

log = structlog.get_logger()

LOOK_EVERY_S = 1.0
LONGEST_WAIT_S = 5.0
MOST_LISTENERS = 100
MOST_WAITING = 500
"""A listener that lets more pile up is told to look at everything again."""

MOST_CHANGES = 100
"""So are all when more than this changes within a second."""


class EventKind(StrEnum):
    """The word for what happened, as the stream names it."""

    STATE = "state"
    ALERT = "alert"
    SENT = "sent"
    NOTES = "notes"
    RELOAD = "reload"
    """More than can be told one by one."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Args:
        groups: Those whose people are told, whoever sees one of them; None for all people.
        channel: Where it was sent; people limited to groups are told of their channels alone.
        limited: What they are told instead of the facts, if that differs.
    """

    kind: EventKind
    facts: dict[str, Any]
    groups: frozenset[str | None] | None = None
    channel: str | None = None
    limited: dict[str, Any] | None = None

    def encode(self) -> bytes:
        """Return it as server-sent events are written."""
        return f"event: {self.kind}\ndata: {json.dumps(self.facts)}\n\n".encode()


WARM_UP_TO = 20_000

RELOAD = Event(EventKind.RELOAD, {})

FOR_EVERYBODY = {ConditionKind.NO_CHANNEL.value, ConditionKind.MUTED_ALL.value}
"""The conditions that people limited to groups are told of; of their channels pages tell them."""

NOBODYS: frozenset[str | None] = frozenset()
"""The groups of what concerns no connection: only those are told who see all."""

Queue = asyncio.Queue[Event | None]


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody who is told what happens.

    Args:
        access: What they may hear of.
        channels: Of whose messages they hear; None for all.
    """

    access: Access
    channels: frozenset[str] | None
    queue: Queue = field(default_factory=asyncio.Queue)

    def hear(self, events: Iterable[Event]) -> list[Event]:
        """Return those of *events* that are for them, as they are told."""
        if self.access.sees_all:
            return list(events)
        return [
            event if event.limited is None else replace(event, facts=event.limited)
            for event in events
            if (event.groups is None or any(map(self.access.sees, event.groups)))
            and (event.channel is None or event.channel in (self.channels or ()))
        ]


class HubFull(Exception):  # noqa: N818 - it states a condition
    """Raised where as many listen as may, or the daemon stops."""


def _know_nothing(tx: Transaction) -> Sequence[Condition]:  # noqa: ARG001 - the signature
    return ()


class Hub:
    """The listeners, and what they are told.

    Args:
        overview: Returns that of the settings of now; the deliveries of its channels are told.
        read_conditions: Returns what keeps alerts from being sent.
    """

    def __init__(
        self,
        reader: StoreWorker,
        overview: Callable[[], Overview],
        read_conditions: Callable[[Transaction], Sequence[Condition]] = _know_nothing,
    ) -> None:
        self._reader = reader
        self._overview = overview
        self._read_conditions = read_conditions
        self._conditions: Sequence[Condition] | None = None
        self._listeners: list[Listener] = []
        self._has_listener = asyncio.Event()
        self._is_looking = asyncio.Event()
        self._is_looking.set()
        self._horizon: Horizon | None = None
        self._is_closed = False

    def follow_reload(self) -> None:
        """Have everybody look at everything again: the settings were replaced.

        Everybody must come back for that: another password may be in force.
        """
        self._horizon = None
        self._publish([RELOAD])
        self._send_home()

    @contextmanager
    def listen(
        self, access: Access = FULL_ACCESS, channels: frozenset[str] | None = None
    ) -> Iterator[Queue]:
        """Give out what happens from now on; None is the end.

        Args:
            access: What whoever listens may hear of.
            channels: Of whose messages; None for all.

        Raises:
            HubFull: Nobody else can listen. Seen in the step that lets in: of many who
                come at once none gets past.
        """
        if self._is_closed or len(self._listeners) >= MOST_LISTENERS:
            raise HubFull
        listener = Listener(access, channels)
        self._listeners.append(listener)
        self._has_listener.set()
        try:
            yield listener.queue
        finally:
            self._listeners = [one for one in self._listeners if one is not listener]

    async def wait_until_looking(self) -> None:
        """Return once all that happens from now on is given out: what was before is not.

        Whoever reads how things are after that misses nothing. Without a database nothing is
        known of either, and nobody is kept waiting.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_looking.wait(), LONGEST_WAIT_S)

    def close(self) -> None:
        """Send everybody home."""
        self._is_closed = True
        self._send_home()

    def _send_home(self) -> None:
        for listener in self._listeners:
            listener.queue.put_nowait(None)

    async def run(self) -> None:
        """Look for what happened while somebody listens, until cancelled."""
        self._is_looking.clear()
        await self._warm_up()
        while True:
            if not self._listeners:
                self._is_looking.clear()
                self._has_listener.clear()
                self._horizon, self._conditions = None, None
            await self._has_listener.wait()
            overview = self._overview()
            look = partial(_look, overview, self._horizon)
            try:
                events, horizon = await self._reader.read(look)
            except StoreError as error:
                log.warning("web.store_error", error=str(error))
            else:
                # Settings that came meanwhile have a horizon of their own to find.
                if self._overview() is overview:
                    self._horizon = horizon
                    self._publish(events)
                await self._look_at_conditions()
                self._is_looking.set()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look_at_conditions(self) -> None:
        """Publish that other conditions hold than at the last look."""
        try:
            found = await self._reader.read(self._read_conditions)
        except StoreError as error:
            log.warning("web.store_error", error=str(error))
            return
        former, self._conditions = self._conditions, found
        if former is not None and found != former:
            notes = list(dict.fromkeys(one.kind.value for one in found))
            own = [each for each in notes if each in FOR_EVERYBODY]
            self._publish([Event(EventKind.NOTES, {"notes": notes}, limited={"notes": own})])

    async def _warm_up(self) -> None:
        """Look at all connections once, so that the first page need not.

        For more of them that memory is taken only when somebody looks.
        """
        overview = self._overview()
        try:
            if await self._reader.read(count_watched) <= WARM_UP_TO:
                await self._reader.read(overview.refresh)
        except StoreError as error:
            log.warning("web.store_error", error=str(error))

    def _publish(self, events: list[Event]) -> None:
        for listener in self._listeners:
            heard = listener.hear(events)
            if len(heard) > MOST_CHANGES:
                heard = [RELOAD]
            queue = listener.queue
            if queue.qsize() + len(heard) > MOST_WAITING:
                while not queue.empty():
                    queue.get_nowait()
                heard = [RELOAD]
            for event in heard:
                queue.put_nowait(event)


def _look(
    overview: Overview, horizon: Horizon | None, tx: Transaction
) -> tuple[list[Event], Horizon]:
    """Return what happened since *horizon*, and up to where everything is known now.

    Runs in the reader's thread, so that it is given all that it needs.
    """
    channels = [channel.name for channel in overview.plan.channels]
    changed = overview.take_changes(tx)
    if horizon is None:
        return [], find_horizon(tx, channels)
    events = [
        Event(
            EventKind.STATE,
            {
                "name": one.name,
                "state": one.entry and one.entry.state,
                "reason": one.entry and one.entry.reason,
            },
            frozenset({one.group}),
        )
        for one in changed
    ]
    news = events_since(tx, horizon, channels)
    groups = groups_of_alerts(tx, {one.id for one in news.alerts} | {s.alert_id for s in news.sent})
    events += [
        Event(
            EventKind.ALERT,
            {"id": one.id, "kind": one.kind, "severity": one.severity},
            groups.get(one.id, NOBODYS),
        )
        for one in news.alerts
    ]
    events += [
        Event(
            EventKind.SENT,
            {"alert": one.alert_id, "channel": one.channel, "at": instant(one.at)},
            groups.get(one.alert_id, NOBODYS),
            one.channel,
        )
        for one in news.sent
    ]
    return events, news.horizon
