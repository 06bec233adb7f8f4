"""Keep when people are reminded of which alerts, and when channels were sent their digests.

Which alerts those are, and when a digest is due, is decided in `monitor.judge`; whether an alert
is still true, in `monitor.alerting.reminders`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, insert, select, update

from monitor.judge.alerts import REMINDER_COUNT, AlertKind, Severity
from monitor.judge.outbox import NotificationState
from monitor.judge.outcome import State
from monitor.store.outbox import save_channel_state
from monitor.store.records import read_clock, read_quota
from monitor.store.results import CLOCK_COLUMNS
from monitor.store.schema import (
    alert_connections,
    alerts,
    authorizations,
    channel_states,
    connections,
    notifications,
    offline_times,
    quotas,
    reminders,
)
from monitor.store.statements import execute_many, select_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime, timedelta

    from monitor.judge.authorizations import AuthorizationClock
    from monitor.judge.quota import Quota
    from monitor.store.engine import Transaction


REMIND_AT_MOST = 1000
"""How many alerts one sweep looks at; the next one takes the rest."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """An alert of which people are to be reminded.

    Args:
        n_sent: How often they were.
        about: The connections that the alert spoke of.
    """

    alert_id: int
    kind: AlertKind
    severity: Severity
    facts: dict[str, Any]
    born_at: datetime
    n_sent: int
    about: tuple[int, ...]


_ADD = insert(reminders)


def add_reminder(tx: Transaction, due: Sequence[tuple[int, datetime]]) -> None:
    """Remind people of alerts, each at an instant, if they are still true then."""
    rows = [{"alert_id": number, "due_at": at, "n_sent": 0} for number, at in due]
    execute_many(tx, _ADD, rows)


def is_any_reminder_due(tx: Transaction, now: datetime) -> bool:
    """Tell whether there is anything to look at."""
    query = select(reminders.c.alert_id).where(reminders.c.due_at <= now).limit(1)
    return tx.execute(query).first() is not None


def list_due_reminders(tx: Transaction, now: datetime) -> list[Reminder]:
    """Return what people may have to be reminded of now, the oldest first."""
    rows = tx.execute(
        select(alerts, reminders.c.n_sent)
        .join(reminders, reminders.c.alert_id == alerts.c.id)
        .where(reminders.c.due_at <= now)
        .order_by(alerts.c.id)
        .limit(REMIND_AT_MOST)
    ).all()
    about = select(alert_connections).order_by(alert_connections.c.connection_id)
    ids: dict[int, list[int]] = {row.id: [] for row in rows}
    for alert_id, number in select_in(tx, about, alert_connections.c.alert_id, ids):
        ids[alert_id].append(number)
    return [Reminder(*(*row, tuple(ids[row.id]))) for row in rows]


def was_notified(tx: Transaction, one: Reminder) -> bool:
    """Tell whether an alert reached a channel, or was given up on by one."""
    told = exists().where(
        notifications.c.alert_id == one.alert_id,
        notifications.c.state.in_([NotificationState.SENT, NotificationState.DEAD]),
    )
    return bool(tx.execute(select(told)).scalar_one())


def postpone(tx: Transaction, one: Reminder, due_at: datetime, *, is_sent: bool) -> None:
    """Look at an alert again at *due_at*."""
    tx.execute(
        update(reminders)
        .where(reminders.c.alert_id == one.alert_id)
        .values(due_at=due_at, n_sent=one.n_sent + is_sent)
    )


def drop_reminder(tx: Transaction, one: Reminder) -> None:
    """Remind nobody of an alert any more."""
    tx.execute(delete(reminders).where(reminders.c.alert_id == one.alert_id))


def shift_reminders(tx: Transaction, now: datetime, longest: timedelta) -> None:
    """Let no reminder wait for a clock that was set back to come so far again."""
    latest = now + longest
    tx.execute(update(reminders).where(reminders.c.due_at > latest).values(due_at=latest))


def find_notified_again(
    tx: Transaction, alert_id: int, kinds: Collection[AlertKind], about: Sequence[int]
) -> set[int]:
    """Return which of *about* something of *kinds* was told after *alert_id*, reminders aside."""
    key = alert_connections.c.connection_id
    later = (
        select(key)
        .join(alerts, alerts.c.id == alert_connections.c.alert_id)
        .where(
            alerts.c.id > alert_id,
            alerts.c.kind.in_(kinds),
            alerts.c.facts[REMINDER_COUNT].as_string().is_(None),
        )
    )
    return {row.connection_id for row in select_in(tx, later, key, about)}


def is_offline(tx: Transaction, alert_id: int) -> bool:
    """Tell whether the time without a link that *alert_id* told of still lasts."""
    lasting = exists().where(
        offline_times.c.alert_id == alert_id, offline_times.c.ended_at.is_(None)
    )
    return bool(tx.execute(select(lasting)).scalar_one())


def is_failing(tx: Transaction, channel: str) -> bool:
    """Tell whether a channel does not take what it is sent."""
    failing = exists().where(
        channel_states.c.name == channel, channel_states.c.failed_since.is_not(None)
    )
    return bool(tx.execute(select(failing)).scalar_one())


@dataclass(frozen=True, slots=True)
class DigestRow:
    """As much of a connection as a summary needs.

    Args:
        quota: None where there is some left, or nothing is known.
    """

    name: str
    state: State
    clock: AuthorizationClock
    quota: Quota | None


def list_digest_times(tx: Transaction) -> dict[str, datetime]:
    """Return when each channel's last summary was made, or the channel was first seen."""
    rows = tx.execute(
        select(channel_states.c.name, channel_states.c.digest_at).where(
            channel_states.c.digest_at.is_not(None)
        )
    )
    return {row.name: row.digest_at for row in rows}


def note_digest(tx: Transaction, channel: str, now: datetime) -> None:
    """Keep that a channel's summary was made, or that its rhythm begins."""
    save_channel_state(tx, channel, digest_at=now)


def shift_digests(tx: Transaction, now: datetime) -> None:
    """Let no summary count as made on a day that a clock that was set back has yet to reach."""
    tx.execute(update(channel_states).where(channel_states.c.digest_at > now).values(digest_at=now))


def list_digest_rows(tx: Transaction) -> Iterator[DigestRow]:
    """Yield the connections that the file has."""
    rows = tx.execute(
        select(
            connections.c.name,
            connections.c.state,
            connections.c.is_enabled,
            connections.c.is_paused,
            quotas,
            *CLOCK_COLUMNS,
        )
        .select_from(connections)
        .outerjoin(authorizations)
        .outerjoin(quotas)
        .where(connections.c.is_configured)
        .order_by(connections.c.id)
    )
    for row in rows:
        fields = row._asdict()
        is_off = row.is_paused or not row.is_enabled
        state = State.PAUSED if is_off else row.state
        is_empty = row.is_payment_required or row.shown_remaining == 0
        quota = read_quota(fields) if is_empty else None
        yield DigestRow(row.name, state, read_clock(fields), quota)
