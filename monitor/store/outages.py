"""
Keep which hosts are out, and who was asked about it.

When a host is out is decided in `monitor.judge.outage`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, insert, select, update

from monitor.judge.batch import Inquiry, Outage
from monitor.judge.outage import Group
from monitor.store.due import make_due
from monitor.store.pieces import in_pieces
from monitor.store.tables import connections, inquiries, outages
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from monitor.store.engine import Transaction


def list_open(tx: Transaction) -> dict[str, Outage]:
    """
    Return the hosts that are out now.
    """
    rows = tx.execute(
        select(outages.c.id, outages.c.host, outages.c.started_at, outages.c.is_told).where(
            outages.c.ended_at.is_(None)
        )
    )
    return {row.host: Outage(*row) for row in rows}


def begin(tx: Transaction, host: str, now: datetime) -> Outage:
    """
    Note that *host* is out.
    """
    number: int = tx.execute(
        insert(outages).values(host=host, started_at=now, is_told=False).returning(outages.c.id)
    ).scalar_one()
    return Outage(number, host, now, is_told=False)


def mark_told(tx: Transaction, outage: Outage) -> None:
    """
    Note that people were told of *outage*.
    """
    tx.execute(update(outages).where(outages.c.id == outage.id).values(is_told=True))


def end(tx: Transaction, outage: Outage, now: datetime) -> None:
    """
    Note that *outage* is over.
    """
    tx.execute(update(outages).where(outages.c.id == outage.id).values(ended_at=now))


def _is_of(host: str) -> tuple[Any, Any]:
    # Two questions, each with an index, rather than one that reads every row.
    return (
        connections.c.host == host,
        and_(connections.c.token_host == host, connections.c.host != host),
    )


def count_group(tx: Transaction, host: str) -> Group:
    """
    Count the watched connections of *host*, and those whose latest check speaks against it.
    """
    total = sum(
        tx.execute(select(func.count()).where(is_watched(), is_of)).scalar_one()
        for is_of in _is_of(host)
    )
    failing = tx.execute(
        select(func.count()).where(is_watched(), connections.c.failed_host == host)
    ).scalar_one()
    return Group(total, failing)


def count_unexplained(tx: Transaction, host: str) -> int:
    """
    Count the connections that *host* refuses without a word why.
    """
    query = select(func.count()).where(
        is_watched(), connections.c.failed_host == host, connections.c.is_unexplained
    )
    counted: int = tx.execute(query).scalar_one()
    return counted


def failing_of(tx: Transaction, host: str) -> dict[int, str]:
    """
    Return the names of the connections that fail at *host*, by their ids.
    """
    rows = tx.execute(
        select(connections.c.id, connections.c.name)
        .where(is_watched(), connections.c.failed_host == host)
        .order_by(connections.c.id)
    )
    return {row.id: row.name for row in rows}


def unexplained_of(tx: Transaction, host: str) -> dict[str | None, dict[int, str]]:
    """
    Return, by application, the names of those that *host* refuses without a word why, by id.
    """
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
    """
    Note that people were told of those: they speak against *host* no more.
    """
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
    """
    Return the names of the watched connections of *host*, by their ids.
    """
    members: dict[int, str] = {}
    for is_of in _is_of(host):
        rows = tx.execute(
            select(connections.c.id, connections.c.name)
            .where(is_watched(), is_of)
            .order_by(connections.c.id)
        )
        members |= {row.id: row.name for row in rows}
    return members


_NOTE = (
    update(connections)
    .where(connections.c.id == bindparam("of_id"))
    .values(failed_host=bindparam("failed_host"), is_unexplained=bindparam("is_unexplained"))
)


def note_hosts(tx: Transaction, failed: Iterable[tuple[int, str | None, bool]]) -> None:
    """
    Keep against which host each connection's latest check speaks.

    Args:
        failed: Connection, host or None, and whether it was refused without a word why.
    """
    values = [
        {"of_id": number, "failed_host": host, "is_unexplained": is_unexplained}
        for number, host, is_unexplained in failed
    ]
    if values:
        tx.execute(_NOTE, values)


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
        tx.execute(
            insert(inquiries).values(
                connection_id=one.connection_id, host=one.host, asked_at=one.asked_at
            )
        )


def end_inquiries(tx: Transaction, connection_ids: Collection[int]) -> None:
    """Note that these have answered, whatever they were asked about."""
    for piece in in_pieces(connection_ids):
        tx.execute(delete(inquiries).where(inquiries.c.connection_id.in_(piece)))
