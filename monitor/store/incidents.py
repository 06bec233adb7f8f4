"""Keep the incidents that go beyond one check: outages, flapping, our own link, our own absence.

When one begins or ends is decided in `monitor.judge.incidents`, what is announced of it in
`monitor.alerting`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, exists, func, insert, not_, or_, select, update

from monitor.judge.alerts import SHORTAGE, AlertKind
from monitor.judge.batch import Inquiry, Outage
from monitor.judge.incidents import UNREACHED, HostGroup, OfflineTime
from monitor.judge.outbox import NotificationState
from monitor.store import watermarks
from monitor.store.outbox import is_unclaimed
from monitor.store.schedule import make_due
from monitor.store.schema import (
    alert_connections,
    alerts,
    applications,
    connections,
    flappings,
    inquiries,
    notifications,
    offline_times,
    outages,
    transitions,
)
from monitor.store.statements import (
    delete_in,
    execute_many,
    in_pieces,
    is_watched,
    list_names,
    update_one,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Table

    from monitor.judge.outcome import State
    from monitor.store.engine import Transaction


def list_open_outages(tx: Transaction) -> dict[str, Outage]:
    """Return the hosts that are out now."""
    rows = tx.execute(
        select(outages.c.id, outages.c.host, outages.c.started_at, outages.c.is_told).where(
            outages.c.ended_at.is_(None)
        )
    )
    return {row.host: Outage(*row) for row in rows}


def begin_outage(tx: Transaction, host: str, now: datetime) -> Outage:
    """Note that *host* is out."""
    number = _begin(tx, outages, host=host, started_at=now, is_told=False)
    return Outage(number, host, now, is_told=False)


def mark_outage_announced(tx: Transaction, outage: Outage) -> None:
    """Note that people were told of *outage*."""
    _change(tx, outages, outage, is_told=True)


def end_outage(tx: Transaction, outage: Outage, now: datetime) -> None:
    """Note that *outage* is over."""
    _change(tx, outages, outage, ended_at=now)


def _begin(tx: Transaction, table: Table, **values: Any) -> int:
    number: int = tx.execute(insert(table).values(values).returning(table.c.id)).scalar_one()
    return number


def _change(tx: Transaction, table: Table, one: Outage | OfflineTime, **values: Any) -> None:
    tx.execute(update(table).where(table.c.id == one.id).values(values))


def _is_of(host: str) -> tuple[Any, Any]:
    # Two questions, each with an index, rather than one that reads every row.
    return (
        connections.c.host == host,
        and_(connections.c.token_host == host, connections.c.host != host),
    )


def count_of_host(tx: Transaction, host: str, groups: Collection[str] = ()) -> int:
    """Count the watched connections of *host*, or those of *groups* among them."""
    is_seen = [connections.c.group_name.in_(groups)] if groups else []
    return sum(
        tx.execute(select(func.count()).where(is_watched(), is_of, *is_seen)).scalar_one()
        for is_of in _is_of(host)
    )


def count_group(tx: Transaction, host: str) -> HostGroup:
    """Count the watched connections of *host*, and those whose latest check speaks against it."""
    total = count_of_host(tx, host)
    failing = tx.execute(
        select(func.count()).where(is_watched(), connections.c.failed_host == host)
    ).scalar_one()
    return HostGroup(total, failing)


def count_unexplained(tx: Transaction, host: str) -> int:
    """Count the connections that *host* refuses without a word why."""
    query = select(func.count()).where(
        is_watched(), connections.c.failed_host == host, connections.c.is_unexplained
    )
    counted: int = tx.execute(query).scalar_one()
    return counted


def failing_of(tx: Transaction, host: str) -> dict[int, str]:
    """Return the names of the connections that fail at *host*, by their ids."""
    return list_names(tx, connections.c.failed_host == host)


def unexplained_of(tx: Transaction, host: str) -> dict[str | None, dict[int, str]]:
    """Return, by application, the names of those that *host* refuses without a word why, by id."""
    rows = tx.execute(
        select(connections.c.id, connections.c.name, connections.c.application)
        .where(is_watched(), connections.c.failed_host == host, connections.c.is_unexplained)
        .order_by(connections.c.id)
    )
    found: dict[str | None, dict[int, str]] = {}
    for row in rows:
        found.setdefault(row.application, {})[row.id] = row.name
    return found


def announce_unexplained(tx: Transaction, host: str) -> None:
    """Note that people were told of those: they speak against *host* no more."""
    tx.execute(
        update(connections)
        .where(is_watched(), connections.c.failed_host == host, connections.c.is_unexplained)
        .values(
            announced_state=connections.c.state,
            announced_reason=connections.c.reason,
            failed_host=None,
        )
    )


def members_of(tx: Transaction, host: str) -> dict[int, str]:
    """Return the names of the watched connections of *host*, by their ids."""
    directly, by_token = (list_names(tx, is_of) for is_of in _is_of(host))
    return directly | by_token


_NOTE = update_one(connections.c.id, ["failed_host", "is_unexplained"])


def note_hosts(tx: Transaction, failed: Iterable[tuple[int, str | None, bool]]) -> None:
    """Keep against which host each connection's latest check speaks.

    Args:
        failed: Connection, host or None, and whether it was refused without a word why.
    """
    values = [
        {"of_id": number, "failed_host": host, "is_unexplained": is_unexplained}
        for number, host, is_unexplained in failed
    ]
    execute_many(tx, _NOTE, values)


# Asked for every batch: made once, it costs half.
_INQUIRIES = select(
    inquiries.c.connection_id, inquiries.c.host, inquiries.c.asked_at, is_watched()
).join(connections)


def list_inquiries(tx: Transaction) -> list[Inquiry]:
    """Return whose answers are waited for."""
    return [Inquiry(*row) for row in tx.execute(_INQUIRIES)]


def list_neighbours(tx: Transaction, host: str, limit: int) -> list[int]:
    """Return others of *host* that may be checked, those first that were not for longest."""
    waiting = select(inquiries.c.connection_id)
    candidates = tx.execute(
        select(connections.c.id)
        .where(
            is_watched(),
            connections.c.host == host,
            connections.c.failed_host.is_(None),
            connections.c.next_check_at.is_not(None),
            connections.c.id.not_in(waiting),
        )
        .order_by(connections.c.checked_at, connections.c.id)
        .limit(limit)
    )
    return list(candidates.scalars())


def add_inquiries(tx: Transaction, asked: Sequence[Inquiry]) -> None:
    """Wait for the answers of connections, and make them due at once."""
    for one in asked:
        make_due(tx, one.connection_id, one.asked_at)
    rows = [
        {"connection_id": one.connection_id, "host": one.host, "asked_at": one.asked_at}
        for one in asked
    ]
    execute_many(tx, insert(inquiries), rows)


def end_inquiries(tx: Transaction, connection_ids: Collection[int]) -> None:
    """Note that these have answered, whatever they were asked about."""
    delete_in(tx, inquiries.c.connection_id, connection_ids)


_CHANGES = select(transitions.c.connection_id, transitions.c.at).where(
    transitions.c.connection_id.in_(bindparam("ids", expanding=True)),
    transitions.c.at > bindparam("after", type_=transitions.c.at.type),
)


def list_changes(
    tx: Transaction, ids: Collection[int], after: datetime
) -> dict[int, list[datetime]]:
    """Return when each of *ids* has changed its state since; those that did not are absent."""
    found: dict[int, list[datetime]] = {}
    for piece in in_pieces(ids):
        for number, at in tx.execute(_CHANGES, {"ids": piece, "after": after}):
            found.setdefault(number, []).append(at)
    return found


def list_flapping(tx: Transaction) -> set[int]:
    """Return the connections that are flapping."""
    return set(tx.execute(select(flappings.c.connection_id)).scalars())


def begin_flapping(tx: Transaction, changed_at: Mapping[int, datetime]) -> None:
    """Note that connections began to flap with their latest change."""
    rows = [
        {"connection_id": number, "since": at, "last_change_at": at}
        for number, at in changed_at.items()
    ]
    execute_many(tx, insert(flappings), rows)


_GO_ON = update_one(flappings.c.connection_id, ["last_change_at"])


def extend_flapping(tx: Transaction, changed_at: Mapping[int, datetime]) -> None:
    """Note one more change of each."""
    rows = [{"of_id": number, "last_change_at": at} for number, at in changed_at.items()]
    execute_many(tx, _GO_ON, rows)


def find_stable(tx: Transaction, unchanged_since: datetime) -> list[int]:
    """Return the watched connections that have not changed since then.

    What is paused waits: nobody is told anything about it.
    """
    query = (
        select(flappings.c.connection_id)
        .join(connections)
        .where(flappings.c.last_change_at <= unchanged_since, is_watched())
        .order_by(flappings.c.connection_id)
    )
    return list(tx.execute(query).scalars())


def end_flapping(tx: Transaction, ids: Sequence[int]) -> None:
    """Note that these flap no longer."""
    delete_in(tx, flappings.c.connection_id, ids)


CHECK_HOSTS_AT_MOST = 5
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
# A time without resources of our own is kept as one without a link; its alert says which it is.
_IS_SHORT = exists().where(
    alerts.c.id == _columns.alert_id, alerts.c.facts[SHORTAGE].as_string().is_not(None)
)
_OPEN_LINK = _OPEN.where(~_IS_SHORT)


def find_shortage_time(tx: Transaction) -> tuple[OfflineTime, str] | None:
    """Return the time without some resource that lasts now, and what there is too little of."""
    row = tx.execute(_OPEN.where(_IS_SHORT)).first()
    if row is None:
        return None
    facts = tx.execute(select(alerts.c.facts).where(alerts.c.id == row.alert_id)).scalar_one()
    return OfflineTime(*row), str(facts[SHORTAGE])


def find_offline_time(tx: Transaction) -> OfflineTime | None:
    """Return the time without a link that lasts now."""
    row = tx.execute(_OPEN_LINK).first()
    return None if row is None else OfflineTime(*row)


def begin_offline(
    tx: Transaction, started_at: datetime, alert_id: int | None, n_missed: int = 0
) -> OfflineTime:
    """Note that there is no link."""
    number = _begin(tx, offline_times, started_at=started_at, n_missed=n_missed, alert_id=alert_id)
    return OfflineTime(number, started_at, n_missed, alert_id)


def save_missed_checks(tx: Transaction, time: OfflineTime) -> None:
    """Keep how many checks were missed so far."""
    _change(tx, offline_times, time, n_missed=time.n_missed)


def end_offline(tx: Transaction, time: OfflineTime, now: datetime) -> None:
    """Note that the link is there again."""
    _change(tx, offline_times, time, ended_at=now)


def _overtaken(now: datetime) -> Any:
    # Its reminders as well: they are alerts of their own, born later. What speaks of a shortage is
    # no reminder of a lost link, nor the other way round.
    first = alerts.alias("first")
    shortage, shortage_of_first = (table.c.facts[SHORTAGE].as_string() for table in (alerts, first))
    is_reminder = and_(
        alerts.c.id > first.c.id,
        alerts.c.born_at <= offline_times.c.ended_at,
        shortage.is_not_distinct_from(shortage_of_first),
    )
    over = (
        select(alerts.c.id)
        .join(offline_times, alerts.c.id >= offline_times.c.alert_id)
        .join(first, first.c.id == offline_times.c.alert_id)
        .where(
            alerts.c.kind == AlertKind.MONITOR_OFFLINE,
            or_(alerts.c.id == first.c.id, is_reminder),
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
    """Tell whether news of a time that is over still waits to be sent."""
    query = select(notifications.c.id).where(_overtaken(now)).limit(1)
    return tx.execute(query).first() is not None


def withdraw_overtaken(tx: Transaction, now: datetime) -> None:
    """Take back the news of times that are over."""
    tx.execute(delete(notifications).where(_overtaken(now)))


def _is_checked() -> Any:
    """Select what is called: neither a countdown nor a store whose application is refused."""
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
    """Return the hosts that are not reached, or None if the latest check of any did reach one.

    Args:
        but: Those whose latest check is not stored yet.
    """
    others = and_(_is_checked(), connections.c.id.not_in(but))
    is_reached = or_(
        connections.c.last_reason.is_(None), connections.c.last_reason.not_in(UNREACHED)
    )
    if tx.execute(select(connections.c.id).where(others, is_reached).limit(1)).first():
        return None
    host = func.coalesce(connections.c.failed_host, connections.c.host)
    return set(tx.execute(select(host).where(others).distinct()).scalars())


def list_other_hosts(tx: Transaction, but: Collection[str], now: datetime) -> list[int]:
    """Return one connection of each other host that was reached and is not due yet.

    Args:
        but: The hosts that are known not to be reached.
    """
    query = (
        select(func.min(connections.c.id))
        .where(
            _is_checked(),
            connections.c.host.not_in(but),
            connections.c.next_check_at > now,
            or_(connections.c.last_reason.is_(None), connections.c.last_reason.not_in(UNREACHED)),
        )
        .group_by(connections.c.host)
        .limit(CHECK_HOSTS_AT_MOST)
    )
    return list(tx.execute(query).scalars())


SINCE, UNTIL = "absent since", "absent until"


def last_checked_at(tx: Transaction) -> datetime | None:
    """Return when anything that is watched was last checked."""
    query = select(func.max(connections.c.checked_at)).where(is_watched())
    at: datetime | None = tx.execute(query).scalar_one()
    return at


def find_unannounced_absence(tx: Transaction) -> tuple[datetime, datetime] | None:
    """Return from when to when an absence lasted of which it is not settled yet what to tell."""
    since, until = watermarks.find_watermark(tx, SINCE), watermarks.find_watermark(tx, UNTIL)
    return None if since is None or until is None else (since, until)


def save_unannounced_absence(tx: Transaction, since: datetime, until: datetime) -> None:
    """Keep an absence until it is settled what to tell of it."""
    watermarks.save_watermark(tx, SINCE, since)
    watermarks.save_watermark(tx, UNTIL, until)


def drop_unannounced_absence(tx: Transaction) -> None:
    """Note that there is nothing more to tell."""
    for name in (SINCE, UNTIL):
        watermarks.drop_watermark(tx, name)


def is_any_unchecked(tx: Transaction, since: datetime) -> bool:
    """Tell whether anything that is watched has not been checked *since*."""
    query = select(connections.c.id).where(
        is_watched(),
        connections.c.next_check_at.is_not(None),
        or_(connections.c.checked_at.is_(None), connections.c.checked_at < since),
    )
    return tx.execute(query.limit(1)).first() is not None


def list_watched(tx: Transaction) -> set[str]:
    """Return the names of the connections that are checked."""
    return set(tx.execute(select(connections.c.name).where(is_watched())).scalars())


def changed_states(tx: Transaction, after: datetime) -> dict[int, tuple[str, State, State]]:
    """Return name, first and latest state of the connections that changed after an instant."""
    rows = tx.execute(
        select(
            connections.c.id, connections.c.name, transitions.c.from_state, transitions.c.to_state
        )
        .join(transitions, transitions.c.connection_id == connections.c.id)
        .where(transitions.c.at > after, is_watched())
        .order_by(transitions.c.id)
    )
    changed: dict[int, tuple[str, State, State]] = {}
    for number, name, before, state in rows:
        first = changed[number][1] if number in changed else before
        changed[number] = (name, first, state)
    return changed


def alerts_after(
    tx: Transaction, after: datetime, kinds: Collection[AlertKind]
) -> list[tuple[int, str, str]]:
    """Return connection, its name and the kind of the alerts of *kinds* born after an instant."""
    rows = tx.execute(
        select(connections.c.id, connections.c.name, alerts.c.kind)
        .join(alert_connections, alert_connections.c.connection_id == connections.c.id)
        .join(alerts, alerts.c.id == alert_connections.c.alert_id)
        .where(alerts.c.born_at > after, alerts.c.kind.in_(kinds), is_watched())
        .order_by(alerts.c.id, connections.c.id)
    )
    return [(number, name, kind) for number, name, kind in rows]
