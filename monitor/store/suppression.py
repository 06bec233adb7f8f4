"""Keep what is suppressed and what suppresses it: silences and acknowledgements.

What a silence covers, what suppresses a notification and whether it is still worth sending
afterwards is decided in `monitor.judge.suppression`. An acknowledgement is of the problem that
stands when it is made: what is announced later is another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from monitor.judge.alerts import (
    CLOSED_BY,
    OPENED_BY,
    OPENING_OR_CLOSING,
    RELATED,
    REMINDED_KINDS,
    REMINDER_COUNT,
    AlertKind,
    Key,
    Severity,
    is_known_by_connections,
    keys_of,
)
from monitor.judge.outbox import NotificationState
from monitor.judge.suppression import Acknowledgement, Scope, Silence, SuppressedBy
from monitor.store.alerts import about_of
from monitor.store.outbox import is_unclaimed
from monitor.store.schema import (
    acknowledgements,
    alert_connections,
    alerts,
    connections,
    notifications,
    silences,
)
from monitor.store.statements import (
    execute_many,
    in_pieces,
    replace_rows,
    select_in,
    update_one,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Select

    from monitor.judge.suppression import Suppression
    from monitor.store.engine import Transaction


_LARGER = {kind for kind in RELATED if not is_known_by_connections(kind)}
_WIDE = {kind for kind in OPENING_OR_CLOSING if not is_known_by_connections(kind)}
MOST_WIDE_BEFORE = 500
"""How far back the beginning of a trouble is looked for that no connection leads to."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A notification that was not sent yet, with what it tells.

    Args:
        about: The names of the connections, by their ids.
    """

    id: int
    alert_id: int
    channel: str
    kind: AlertKind
    severity: Severity
    about: dict[int, str]


@dataclass(frozen=True, slots=True)
class PastAlert:
    """An alert that may bear on what is held.

    Args:
        channels: Where it is, or was, to be told.
    """

    id: int
    kind: AlertKind
    keys: frozenset[Key]
    channels: frozenset[str]


def is_any_suppression_over(tx: Transaction, now: datetime) -> bool:
    """Tell whether something was held until *now*."""
    query = select(notifications.c.id).where(notifications.c.held_until <= now).limit(1)
    return tx.execute(query).first() is not None


_PENDING = select(
    notifications.c.id,
    notifications.c.alert_id,
    notifications.c.channel,
    alerts.c.kind,
    alerts.c.severity,
).join(alerts, alerts.c.id == notifications.c.alert_id)


_IS_DUE = notifications.c.state == NotificationState.DUE


def list_suppressed(tx: Transaction, until: datetime | None = None) -> list[Pending]:
    """Return what is held, or only that until *until*; the oldest first."""
    query = _PENDING.where(notifications.c.state == NotificationState.HELD)
    if until is not None:
        query = query.where(notifications.c.held_until <= until)
    return _read_pending(tx, query)


def list_unsent(tx: Transaction, now: datetime) -> list[Pending]:
    """Return what waits to be sent, and is not being sent at this moment; the oldest first."""
    return _read_pending(tx, _PENDING.where(_IS_DUE, is_unclaimed(now)))


def has_unsent(tx: Transaction, channels: Collection[str], now: datetime) -> bool:
    """Tell whether something waits to be sent to *channels* that is not critical."""
    query = _PENDING.where(
        _IS_DUE,
        is_unclaimed(now),
        notifications.c.channel.in_(channels),
        alerts.c.severity != Severity.CRITICAL,
    )
    return tx.execute(query.limit(1)).first() is not None


def _read_pending(tx: Transaction, query: Select[Any]) -> list[Pending]:
    rows = tx.execute(query.order_by(notifications.c.id)).all()
    about = about_of(tx, {row.alert_id for row in rows})
    return [
        Pending(
            row.id, row.alert_id, row.channel, row.kind, row.severity, about.get(row.alert_id, {})
        )
        for row in rows
    ]


_SUPPRESS = update_one(notifications.c.id, ["held_by", "held_until"]).values(
    state=NotificationState.HELD
)


def suppress(tx: Transaction, held: Iterable[tuple[int, Suppression]]) -> None:
    """Hold notifications back, by their ids."""
    values = [{"of_id": number, "held_by": one.by, "held_until": one.until} for number, one in held]
    execute_many(tx, _SUPPRESS, values)


def release(tx: Transaction, numbers: Collection[int], now: datetime) -> None:
    """Make notifications due that were held back; the time for retries begins now."""
    for piece in in_pieces(numbers):
        tx.execute(
            update(notifications)
            .where(notifications.c.id.in_(piece))
            .values(
                state=NotificationState.DUE,
                held_by=None,
                held_until=None,
                due_since=now,
                next_attempt_at=now,
            )
        )


def list_dead(tx: Transaction) -> list[Pending]:
    """Return what was given up, the oldest first."""
    return _read_pending(tx, _PENDING.where(notifications.c.state == NotificationState.DEAD))


def list_since(
    tx: Transaction,
    alert_id: int,
    connection_ids: Collection[int],
    *,
    with_larger: bool,
    only_sent: bool = False,
) -> list[PastAlert]:
    """Return, from *alert_id* on, what begins, ends or overtakes a trouble of *connection_ids*.

    Args:
        with_larger: Those that are about something larger as well.
        only_sent: Name the channels alone that have taken it.
    """
    is_later = alerts.c.id >= alert_id
    of_them = (
        select(alerts.c.id)
        .join(alert_connections, alert_connections.c.alert_id == alerts.c.id)
        .where(is_later, alerts.c.kind.in_(RELATED))
    )
    about = alert_connections.c.connection_id
    found = {row.id for row in select_in(tx, of_them, about, connection_ids)}
    if with_larger:
        larger = select(alerts.c.id).where(is_later, alerts.c.kind.in_(_LARGER))
        found.update(tx.execute(larger).scalars())
    return _read_past(tx, found, only_sent=only_sent)


def list_before(tx: Transaction, alert_id: int, connection_ids: Collection[int]) -> list[PastAlert]:
    """Return the alerts before *alert_id* to which the end of a trouble may belong.

    That is of each kind the latest about each of *connection_ids* on each
    channel, and those that are about something larger.
    """
    kinds = {kind for kinds in (*OPENED_BY.values(), *CLOSED_BY.values()) for kind in kinds}
    about = alert_connections.c.connection_id
    latest = (
        select(func.max(alerts.c.id).label("id"))
        .select_from(alerts)
        .join(alert_connections, alert_connections.c.alert_id == alerts.c.id)
        .join(notifications, notifications.c.alert_id == alerts.c.id)
        .where(alerts.c.id < alert_id, alerts.c.kind.in_(kinds))
        .group_by(about, alerts.c.kind, notifications.c.channel)
    )
    found = {row.id for row in select_in(tx, latest, about, connection_ids)}
    wide = (
        select(alerts.c.id)
        .where(alerts.c.id < alert_id, alerts.c.kind.in_(_WIDE))
        .order_by(alerts.c.id.desc())
        .limit(MOST_WIDE_BEFORE)
    )
    found.update(tx.execute(wide).scalars())
    return _read_past(tx, found)


def _read_past(
    tx: Transaction, ids: Collection[int], *, only_sent: bool = False
) -> list[PastAlert]:
    """Return alerts as what may bear on others, the oldest first."""
    about = about_of(tx, ids)
    notified = select(notifications.c.alert_id, notifications.c.channel)
    if only_sent:
        notified = notified.where(notifications.c.state == NotificationState.SENT)
    channels: dict[int, set[str]] = {}
    for number, channel in select_in(tx, notified, notifications.c.alert_id, ids):
        channels.setdefault(number, set()).add(channel)
    return [
        PastAlert(
            row.id,
            row.kind,
            keys_of(row.kind, row.facts, about.get(row.id, {})),
            frozenset(channels.get(row.id, ())),
        )
        for row in select_in(tx, select(alerts).order_by(alerts.c.id), alerts.c.id, ids)
    ]


# Asked for every alert: made once, it costs half.
_LASTING = (
    select(silences)
    .where(silences.c.ends_at > bindparam("now", type_=silences.c.ends_at.type))
    .order_by(silences.c.ends_at, silences.c.id)
)


def list_active_silences(tx: Transaction, now: datetime) -> list[Silence]:
    """Return the silences that have not ended, the one that ends first at the top."""
    return [Silence(*row) for row in tx.execute(_LASTING, {"now": now})]


def count_muted(tx: Transaction) -> int:
    """Return how many notifications silences hold back."""
    n: int = tx.execute(
        select(func.count())
        .select_from(notifications)
        .where(
            notifications.c.state == NotificationState.HELD,
            notifications.c.held_by == SuppressedBy.SILENCE,
        )
    ).scalar_one()
    return n


def add_silence(
    tx: Transaction,
    scope: Scope,
    target: str | None,
    reason: str,
    starts_at: datetime,
    ends_at: datetime,
) -> int:
    """Begin a silence; return its id."""
    number: int = tx.execute(
        insert(silences)
        .values(scope=scope, target=target, reason=reason, starts_at=starts_at, ends_at=ends_at)
        .returning(silences.c.id)
    ).scalar_one()
    return number


def end_silence(tx: Transaction, number: int, now: datetime) -> bool:
    """End a silence before its time; tell whether it lasted."""
    ended = tx.execute(
        update(silences)
        .where(silences.c.id == number, silences.c.ends_at > now)
        .values(ends_at=now)
    )
    return ended.rowcount == 1


def rename_targets(tx: Transaction, renamed: Mapping[str, str]) -> None:
    """Have silences of connections stay with them under their new names.

    Args:
        renamed: The new name of each, by its old one.
    """
    for old, new in renamed.items():
        is_of_it = (silences.c.scope == Scope.CONNECTION, silences.c.target == old)
        tx.execute(update(silences).where(*is_of_it).values(target=new))


def save_acknowledgement(tx: Transaction, connection_id: int, given: Acknowledgement) -> None:
    """Keep an acknowledgement instead of any before it."""
    row = {"connection_id": connection_id} | values_of(given)
    replace_rows(tx, acknowledgements, [connection_id], [row])


def drop_acknowledgement(tx: Transaction, connection_id: int) -> bool:
    """Forget the acknowledgement of a connection; tell whether there was one."""
    is_of = acknowledgements.c.connection_id == connection_id
    return tx.execute(delete(acknowledgements).where(is_of)).rowcount == 1


def list_acknowledged_names(
    tx: Transaction, now: datetime, limit: int, groups: Collection[str] | None = None
) -> list[str]:
    """Return the connections with an acknowledgement that still holds *now*, the latest first.

    Their trouble may be over.

    Args:
        groups: Only those of these groups; None for all.
    """
    is_of = [] if groups is None else [connections.c.group_name.in_(groups)]
    until = acknowledgements.c.until
    rows = tx.execute(
        select(connections.c.name)
        .join(acknowledgements)
        .where(connections.c.is_configured, until.is_(None) | (until > now), *is_of)
        .order_by(acknowledgements.c.at.desc(), connections.c.id)
        .limit(limit)
    )
    return list(rows.scalars())


def load_acknowledgements(
    tx: Transaction, connection_ids: Collection[int]
) -> dict[int, Acknowledgement]:
    """Return the acknowledgements of *connection_ids*, whether or not they still count."""
    key = acknowledgements.c.connection_id
    rows = select_in(tx, select(acknowledgements), key, connection_ids)
    return {row.connection_id: Acknowledgement(row.at, row.until, row.note) for row in rows}


def find_acknowledgement(
    tx: Transaction, connection_id: int, now: datetime
) -> Acknowledgement | None:
    """Return the acknowledgement of what was last announced of a connection, while it counts."""
    return find_acknowledgements(tx, now, [connection_id]).get(connection_id)


def find_acknowledgements(
    tx: Transaction, now: datetime, connection_ids: Collection[int] | None = None
) -> dict[int, Acknowledgement]:
    """Return the acknowledgements that count *now*, of what was last announced of each.

    The problem may be over.

    Args:
        connection_ids: Those that are wanted; None for all.
    """
    until = acknowledgements.c.until
    query = select(acknowledgements).where(until.is_(None) | (until > now))
    if connection_ids is None:
        rows: Iterable[Any] = tx.execute(query)
    else:
        rows = select_in(tx, query, acknowledgements.c.connection_id, connection_ids)
    given = {row.connection_id: Acknowledgement(row.at, row.until, row.note) for row in rows}
    if not given:
        return {}
    about = alert_connections.c.connection_id
    announced = (
        select(about, func.max(alerts.c.born_at).label("last_at"))
        .join(alerts, alerts.c.id == alert_connections.c.alert_id)
        .where(
            alerts.c.kind.in_(REMINDED_KINDS),
            alerts.c.facts[REMINDER_COUNT].as_string().is_(None),
        )
        .group_by(about)
    )
    last_at = {
        row.connection_id: row.last_at for row in select_in(tx, announced, about, given.keys())
    }
    return {
        number: one
        for number, one in given.items()
        if one.covers(last_at.get(number) or one.at, now)
    }
