"""Keep the notifications that are due: choose, claim and finish them, channel by channel.

Decides the order, the company and the pace: nobody hears of a recovery before the error; alerts of
one kind travel together; a channel that had many messages lately gets one a kind. They are claimed
by a conditional update and a lease: two processes never send one at the same time, and one that
died gives them back. Keeps as well which channels fail, and counts how they fare.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, exists, func, insert, not_, or_, select, update

from monitor.judge.alerts import ABOUT_NO_CONNECTION, OPENING_OR_CLOSING, Key, keys_of
from monitor.judge.conditions import FailingChannel
from monitor.judge.outbox import MOST_LISTED, Notification, NotificationGroup, NotificationState
from monitor.store.schema import (
    Instant,
    alert_connections,
    alerts,
    channel_states,
    connections,
    notifications,
)
from monitor.store.statements import execute_many, in_pieces, is_watched, select_in, update_one

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.store.engine import Transaction


def is_unclaimed(now: datetime) -> Any:
    """Select what nobody is sending."""
    return or_(notifications.c.claimed_until.is_(None), notifications.c.claimed_until <= now)


def mark_sent(tx: Transaction, ids: Sequence[int], now: datetime) -> None:
    """Keep that the channel confirmed the notifications, whatever was said of them before."""
    for piece in in_pieces(ids):
        tx.execute(
            update(notifications)
            .where(notifications.c.id.in_(piece))
            .values(
                state=NotificationState.SENT,
                sent_at=now,
                error=None,
                held_by=None,
                held_until=None,
                attempts=notifications.c.attempts + 1,
                **_UNCLAIMED,
            )
        )


def mark_failed(tx: Transaction, ids: Sequence[int], error: str, next_attempt_at: datetime) -> None:
    """Keep that an attempt failed, and when the next is due."""
    _finish(
        tx, ids, error=error, next_attempt_at=next_attempt_at, attempts=notifications.c.attempts + 1
    )


def mark_dead(tx: Transaction, ids: Sequence[int], error: str) -> bool:
    """Give up: shown as dead until someone asks for a retry.

    Returns whether there was anything left to give up.
    """
    return _finish(
        tx, ids, state=NotificationState.DEAD, error=error, attempts=notifications.c.attempts + 1
    )


def release(tx: Transaction, ids: Sequence[int]) -> None:
    """Give back a claim without an attempt."""
    is_new = notifications.c.attempts == 0
    _finish(tx, ids, message_id=case((is_new, None), else_=notifications.c.message_id))


def release_claims_of(tx: Transaction, owner: str) -> None:
    """Give back what an earlier run of *owner* had claimed when it died."""
    tx.execute(update(notifications).where(notifications.c.claimed_by == owner).values(_UNCLAIMED))


def shift_notifications(
    tx: Transaction, by: timedelta, now: datetime, lease: timedelta, longest_delay: timedelta
) -> None:
    """Have claims and waits last as long as they were meant to, on a clock that was stepped *by*.

    A claim is not given up: what it stands for may be on its way. What waits
    longer than *longest_delay* after a step backwards comes forward by as much.

    Args:
        lease: How long a claim holds at most.
    """
    claimed = tx.execute(
        select(notifications.c.id, notifications.c.claimed_until).where(
            notifications.c.claimed_until.is_not(None)
        )
    )
    forward, back = max(by, timedelta()), min(by, timedelta())
    claims = [
        {"of_id": number, "claimed_until": min(until + forward, now + lease)}
        for number, until in claimed
    ]
    is_due = notifications.c.state == NotificationState.DUE
    waiting = tx.execute(
        select(notifications.c.id, notifications.c.next_attempt_at).where(
            is_due, notifications.c.next_attempt_at > now + longest_delay
        )
    )
    waits = [{"of_id": number, "next_attempt_at": max(now, at + back)} for number, at in waiting]
    execute_many(tx, update_one(notifications.c.id, ["claimed_until"]), claims)
    execute_many(tx, update_one(notifications.c.id, ["next_attempt_at"]), waits)
    # Else what was born on a clock far ahead would be retried until then.
    tx.execute(
        update(notifications).where(is_due, notifications.c.due_since > now).values(due_since=now)
    )


def retry_dead(tx: Transaction, now: datetime) -> int:
    """Make dead notifications due again, with a fresh time to live; return how many."""
    revived = tx.execute(
        update(notifications)
        .where(notifications.c.state == NotificationState.DEAD)
        .values(
            state=NotificationState.DUE,
            due_since=now,
            next_attempt_at=now,
            attempts=0,
            message_id=None,
        )
    )
    return revived.rowcount


_UNCLAIMED: dict[str, Any] = {"claimed_by": None, "claimed_until": None}


def _finish(tx: Transaction, ids: Sequence[int], **values: Any) -> bool:
    """End an attempt that brought nothing; return whether anything was waiting for that.

    One that took longer than its lease may end after another one got through:
    what was sent stays sent.
    """
    n_ended = 0
    for piece in in_pieces(ids):
        ended = tx.execute(
            update(notifications)
            .where(notifications.c.id.in_(piece), notifications.c.state == NotificationState.DUE)
            .values(_UNCLAIMED | values)
        )
        n_ended += ended.rowcount
    return n_ended > 0


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


def may_be_sent() -> Any:
    """Select what is about nobody, or about a connection that is watched.

    What is about paused connections, or about such as were taken out of the
    file, waits for them to come back.
    """
    about = exists().where(alert_connections.c.alert_id == notifications.c.alert_id)
    watched = about.where(connections.c.id == alert_connections.c.connection_id, is_watched())
    return or_(watched, not_(about))


def is_untried() -> Any:
    """Select what was never claimed: until its time comes it only waits for others of its kind."""
    return and_(notifications.c.attempts == 0, notifications.c.message_id.is_(None))


def choose_next(
    tx: Transaction,
    channel: str,
    now: datetime,
    skip: Collection[int] = (),
    *,
    is_final: bool = False,
) -> list[Any]:
    """Return the waiting notifications of *channel* that go out now in one message.

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
            may_be_sent(),
        )
        .order_by(notifications.c.id)
        .limit(LOOK_AHEAD)
    ).all()


class _Queue:
    """The waiting notifications of a channel, considered from the oldest on."""

    def __init__(
        self, tx: Transaction, channel: str, now: datetime, skip: frozenset[int], *, is_final: bool
    ) -> None:
        self.chosen: list[Any] = []
        self._tx = tx
        self._channel = channel
        self._now = now
        self._skip = skip
        self._is_final = is_final
        self._is_crowded, self._recent_kinds = _look_back(tx, channel, now)
        self._left_behind: list[int] = []
        self._blocked: set[Key] = set()

    def consider(self, row: Any) -> None:
        """Choose *row*, or leave it behind."""
        may_go = self._may_join(row) if self.chosen else self._may_lead(row)
        if may_go and not self._is_blocked(row):
            self.chosen.append(row)
        else:
            self._left_behind.append(row.alert_id)

    def _is_free(self, row: Any) -> bool:
        is_claimed = row.claimed_until is not None and row.claimed_until > self._now
        return not is_claimed and row.id not in self._skip

    def _may_lead(self, row: Any) -> bool:
        is_time = row.next_attempt_at <= self._now or (self._is_final and _was_untried(row))
        is_too_soon = self._is_crowded and row.kind in self._recent_kinds
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

    def _is_blocked(self, row: Any) -> bool:
        """Tell whether an earlier notification about the same stays behind."""
        if row.kind.is_closing and self._first_blocked:
            # The trouble that it ends is held back here: it waits for that.
            about = self._about.get(row.alert_id, ())
            if any(self._first_blocked.get(each, row.id) < row.id for each in about):
                return True
        if self._left_behind:
            for alert_id in self._left_behind:
                self._blocked.update(self._about.get(alert_id, ()))
            self._left_behind.clear()
        return bool(self._blocked) and not self._blocked.isdisjoint(
            self._about.get(row.alert_id, ())
        )

    @cached_property
    def _about(self) -> dict[int, list[Key]]:
        """What the waiting alerts are about: much, and asked for only if need be."""
        is_waiting = and_(
            notifications.c.state == NotificationState.DUE, notifications.c.channel == self._channel
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
            about[row.id] = list(keys_of(row.kind, row.facts, ()))
        return about

    @cached_property
    def _first_blocked(self) -> dict[Key, int]:
        """The first notification of each connection that is held back on this channel."""
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
    """Tell whether *channel* had many messages lately, and of which kinds the last ones were."""
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


def due_channels(tx: Transaction, now: datetime, *, is_final: bool = False) -> list[str]:
    """Return the channels that have something to send now.

    Args:
        is_final: What only waits for others of its kind counts as well.
    """
    is_due = notifications.c.state == NotificationState.DUE
    is_time = notifications.c.next_attempt_at <= now
    if is_final:
        is_time = or_(is_time, is_untried())
    found, channel = (
        [],
        tx.execute(select(func.min(notifications.c.channel)).where(is_due)).scalar(),
    )
    while channel is not None:
        # From one channel to the next in the index, however many wait on each.
        ready = select(notifications.c.id).where(
            is_due, notifications.c.channel == channel, is_time, is_unclaimed(now), may_be_sent()
        )
        if tx.execute(ready.limit(1)).first() is not None:
            found.append(channel)
        following = select(func.min(notifications.c.channel))
        channel = tx.execute(following.where(is_due, notifications.c.channel > channel)).scalar()
    return found


def claim_next(  # noqa: PLR0913 - who claims what, when, for how long, and what not
    tx: Transaction,
    channel: str,
    now: datetime,
    lease: timedelta,
    owner: str,
    skip: Collection[int] = (),
    *,
    is_final: bool = False,
    groups: Collection[str] = (),
) -> NotificationGroup | None:
    """Claim what goes out next on *channel* in one message: see `choose_next`.

    Args:
        groups: Those that the channel is there for: only their connections are named and
            counted; empty for all.
    """
    chosen = choose_next(tx, channel, now, skip, is_final=is_final)
    if not chosen:
        return None
    claimed: set[int] = set()
    for piece in in_pieces([row.id for row in chosen]):
        claim = update(notifications).where(
            notifications.c.id.in_(piece),
            notifications.c.state == NotificationState.DUE,
            is_unclaimed(now),
        )
        values = {"claimed_by": owner, "claimed_until": now + lease, "message_id": chosen[0].id}
        claimed.update(tx.execute(claim.values(values).returning(notifications.c.id)).scalars())
    mine = [row for row in chosen if row.id in claimed]
    return _read_group(tx, channel, mine, groups) if mine else None


def _read_group(
    tx: Transaction, channel: str, chosen: Sequence[Any], groups: Collection[str]
) -> NotificationGroup:
    """Return what a message about the *chosen* notifications needs."""
    worst = sorted(chosen, key=lambda row: (-row.severity.rank, row.id))[:MOST_LISTED]
    told = {
        row.id: row
        for row in tx.execute(
            select(alerts).where(alerts.c.id.in_([row.alert_id for row in worst]))
        )
    }
    listed = tuple(_read_notification(tx, row, told[row.alert_id], groups) for row in worst)
    return NotificationGroup(
        tuple(row.id for row in chosen),
        channel,
        listed,
        listed[0].n_connections if len(chosen) == 1 else _count(tx, chosen, groups),
        max(row.attempts for row in chosen),
        max(row.due_since for row in chosen),
    )


def _read_notification(
    tx: Transaction, row: Any, alert: Any, groups: Collection[str]
) -> Notification:
    about = alert_connections.c.alert_id == row.alert_id
    seen = and_(about, connections.c.group_name.in_(groups)) if groups else about
    told = select(connections.c.name).join(
        alert_connections, connections.c.id == alert_connections.c.connection_id
    )
    names = tx.execute(
        told.where(seen).order_by(alert_connections.c.connection_id).limit(MOST_LISTED)
    ).scalars()
    n_all = tx.execute(
        select(func.count()).select_from(alert_connections).where(about)
    ).scalar_one()
    n = n_all
    if groups:
        n = tx.execute(select(func.count()).select_from(told.where(seen).subquery())).scalar_one()
    facts, born_at = alert.facts, alert.born_at
    return Notification(
        row.id,
        row.alert_id,
        alert.kind,
        alert.severity,
        facts,
        tuple(names),
        n,
        born_at,
        n_all - n,
    )


def _count(tx: Transaction, chosen: Sequence[Any], groups: Collection[str]) -> int:
    """Return how many connections the alerts of *chosen* speak of."""
    query = select(alert_connections.c.connection_id)
    if groups:
        query = query.join(connections, connections.c.id == alert_connections.c.connection_id)
        query = query.where(connections.c.group_name.in_(groups))
    ids = [row.alert_id for row in chosen]
    return len(set(select_in(tx, query, alert_connections.c.alert_id, ids)))


@dataclass(slots=True)
class ChannelCounts:
    """What waits on a channel, what it took and what it did not."""

    n_due: int = 0
    n_sent: int = 0
    n_dead: int = 0
    last_sent_at: datetime | None = None


def count_by_channel(tx: Transaction) -> dict[str, ChannelCounts]:
    """Return the counts of each channel that was ever told anything."""
    rows = tx.execute(
        select(
            notifications.c.channel,
            notifications.c.state,
            func.count(),
            func.max(notifications.c.sent_at),
        ).group_by(notifications.c.channel, notifications.c.state)
    )
    found: dict[str, ChannelCounts] = {}
    for channel, state, count, last_sent_at in rows:
        counts = found.setdefault(channel, ChannelCounts())
        match state:
            case NotificationState.SENT:
                counts.n_sent, counts.last_sent_at = count, last_sent_at
            case NotificationState.DEAD:
                counts.n_dead = count
            case _:
                counts.n_due += count
    return found


def oldest_wait(tx: Transaction, now: datetime) -> timedelta:
    """Return how long the oldest notification has waited for its channel.

    One that was never tried counts from when it may go: not while it only waits
    for others of its kind. One that failed counts from when it first was due.
    What is held, or about connections that are paused or gone, waits for people.
    """
    waits_since = case(
        (notifications.c.attempts == 0, notifications.c.next_attempt_at),
        else_=notifications.c.due_since,
    )
    since: datetime | None = tx.execute(
        select(func.min(waits_since, type_=Instant)).where(
            notifications.c.state == NotificationState.DUE, may_be_sent()
        )
    ).scalar_one()
    return timedelta() if since is None else max(now - since, timedelta())


@dataclass(frozen=True, slots=True)
class ChannelFailure:
    """A channel that takes no messages.

    Args:
        since: Its first failure since the last message that it took.
        is_told: Other channels heard of it.
    """

    since: datetime
    is_told: bool


def find_channel_failure(tx: Transaction, channel: str) -> ChannelFailure | None:
    """Return how *channel* fails, or None if its last message arrived."""
    row = tx.execute(
        select(channel_states.c.failed_since, channel_states.c.is_failure_told).where(
            channel_states.c.name == channel
        )
    ).first()
    if row is None or row.failed_since is None:
        return None
    return ChannelFailure(row.failed_since, row.is_failure_told)


def list_failing_channels(tx: Transaction) -> list[FailingChannel]:
    """Return the channels that fail, with what was tried last on each, the longest first."""
    rows = tx.execute(
        select(channel_states.c.name, channel_states.c.failed_since)
        .where(channel_states.c.failed_since.is_not(None))
        .order_by(channel_states.c.failed_since, channel_states.c.name)
    ).all()
    return [
        FailingChannel(row.name, row.failed_since, *_latest_failure(tx, row.name)) for row in rows
    ]


def _latest_failure(tx: Transaction, channel: str) -> tuple[str, datetime | None]:
    """Return what the latest attempt on *channel* ended with, and when the next is due."""
    of_channel = notifications.c.channel == channel
    # Whichever of those that are due: one after another is tried until one fails.
    next_at = tx.execute(
        select(func.min(notifications.c.next_attempt_at)).where(
            of_channel, notifications.c.state == NotificationState.DUE
        )
    ).scalar_one()
    for state, order in (
        (NotificationState.DUE, notifications.c.id),
        (NotificationState.HELD, notifications.c.id.desc()),
        (NotificationState.DEAD, notifications.c.id.desc()),
    ):
        error = tx.execute(
            select(notifications.c.error)
            .where(of_channel, notifications.c.state == state, notifications.c.error.is_not(None))
            .order_by(order)
            .limit(1)
        ).scalar()
        if error is not None:
            return error, next_at
    return "", next_at


def list_announced_failures(tx: Transaction) -> set[str]:
    """Return the channels of which others heard that they fail."""
    query = select(channel_states.c.name).where(channel_states.c.is_failure_told)
    return set(tx.execute(query).scalars())


def save_channel_state(tx: Transaction, channel: str, **values: Any) -> None:
    """Keep *values* of a channel, whether or not anything was kept of it before."""
    known = update(channel_states).where(channel_states.c.name == channel)
    if tx.execute(known.values(values)).rowcount == 0:
        tx.execute(insert(channel_states).values(name=channel, **values))


def begin_channel_failure(tx: Transaction, channel: str, now: datetime) -> None:
    """Note that *channel* fails since *now*."""
    save_channel_state(tx, channel, failed_since=now)


def mark_failure_announced(tx: Transaction, channel: str) -> None:
    """Note that others heard of it."""
    known = channel_states.c.name == channel
    tx.execute(update(channel_states).where(known).values(is_failure_told=True))


def end_channel_failure(tx: Transaction, channel: str) -> None:
    """Note that *channel* took a message."""
    known = channel_states.c.name == channel
    tx.execute(update(channel_states).where(known).values(failed_since=None, is_failure_told=False))
