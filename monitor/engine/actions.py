"""Carry out what people order about a connection, for commands and for the web.

Each order is one transaction; what it means for clocks and rows is decided in `judge`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from enum import Enum, auto
from typing import TYPE_CHECKING

from monitor.judge.authorizations import DateChange, needs_day, set_date, start_of
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


class DayNeeded(Exception):  # noqa: N818 - it is no fault, but a question
    """No expiry is known, so that today's renewal would invent one; its text says what to do."""


def renew(
    tx: Transaction, entry: Entry, authorized_at: datetime | None, now: datetime
) -> tuple[ConnectionRecord, DateChange] | None:
    """Record that an authorization was renewed, and have it checked next; None if there is none.

    Args:
        authorized_at: When; None for today, where that cannot invent an end.

    Raises:
        DayNeeded: It can.
    """
    record = connections.find_record(tx, entry.name)
    if record is None:
        return None
    if authorized_at is None:
        if needs_day(entry.provider, record.clock, entry.declared):
            raise DayNeeded(
                f"{entry.name} has no known expiry, so there is nothing to renew. A new token"
                " goes into the configuration. If the token expires, give the day it was created;"
                f" {entry.declared.valid_days} days (`valid_days`) are counted from it"
            )
        authorized_at = start_of(now.astimezone(UTC).date())
    clock, change = set_date(record.clock, authorized_at, entry.declared, now)
    if change is not DateChange.NONE:
        authorizations.save(tx, [(record.id, clock, entry.steps)])
    make_due(tx, record.id, now)
    return replace(record, clock=clock), change
