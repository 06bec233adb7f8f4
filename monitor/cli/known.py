"""
See a connection as the file has it now, whatever the database has heard of that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from monitor.judge.connection import Entry
    from monitor.judge.connections import ConnectionRecord
    from monitor.store.engine import Database, Transaction


def find_former(tx: Transaction, entry: Entry) -> ConnectionRecord | None:
    """
    Return the history that *entry* will continue: its own from before, or its former name's.
    """
    from monitor.store import connections

    record = connections.find_record(tx, entry.name)
    if record is None and entry.renamed_from is not None:
        record = connections.find_record(tx, entry.renamed_from)
    return record


def as_configured(record: ConnectionRecord, entry: Entry, now: datetime) -> ConnectionRecord:
    """
    Return *record* with what the file says of it now.
    """
    from monitor.judge.renewal import declare

    return replace(
        record,
        name=entry.name,
        provider=entry.provider,
        host=entry.host,
        is_configured=True,
        is_enabled=entry.is_enabled,
        clock=declare(record.clock, entry.declared, now),
    )


def never_checked(entry: Entry, now: datetime) -> ConnectionRecord:
    """
    Return the record of a connection that the database has not heard of.
    """
    from monitor.judge.clocks import AuthorizationClock
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.quota import Quota
    from monitor.judge.renewal import declare
    from monitor.judge.state import Standing

    return ConnectionRecord(
        id=0,
        name=entry.name,
        provider=entry.provider,
        host=entry.host,
        is_configured=True,
        is_enabled=entry.is_enabled,
        is_paused=False,
        next_check_at=None,
        standing=Standing.unknown(now),
        account=None,
        quota=Quota(),
        account_key=None,
        clock=declare(AuthorizationClock(), entry.declared, now),
    )


def find_let_in(database: Database | None, names: Collection[str]) -> dict[str, str | None]:
    """
    Return which of *names* worked before, as far as that is known.
    """
    from monitor.store import participations

    if database is None:
        return {}
    with database.read() as tx:
        return participations.list_let_in(tx, names)
