"""Carry out what people order about a connection, for commands and for the web.

Each order is one transaction; what it means for clocks and rows is decided in `judge`.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from monitor.judge.authorizations import DateChange, set_date
from monitor.store import authorizations, connections
from monitor.store.schedule import make_due

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord, Entry
    from monitor.store.engine import Transaction


class Resumed(Enum):
    """What there was to resume from."""

    DELETION = auto()
    PAUSE = auto()
    NOTHING = auto()


def resume(tx: Transaction, entry: Entry, now: datetime) -> Resumed | None:
    """Watch a connection again, after a pause or a deletion; None if there is none."""
    if entry.name in connections.list_deleted(tx):
        connections.restore_deleted(tx, entry, now)
        return Resumed.DELETION
    record = connections.find_record(tx, entry.name)
    if record is None:
        return None
    if not record.is_paused:
        return Resumed.NOTHING
    connections.resume(tx, record, now)
    return Resumed.PAUSE


def renew(
    tx: Transaction, entry: Entry, authorized_at: datetime, now: datetime
) -> tuple[ConnectionRecord, DateChange] | None:
    """Record that an authorization was renewed, and have it checked next; None if there is none."""
    record = connections.find_record(tx, entry.name)
    if record is None:
        return None
    clock, change = set_date(record.clock, authorized_at, entry.declared, now)
    if change is not DateChange.NONE:
        authorizations.save(tx, [(record.id, clock, entry.steps)])
    make_due(tx, record.id, now)
    return replace(record, clock=clock), change
