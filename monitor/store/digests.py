"""
Keep when channels were sent their summaries, and count what those say.

When one is due is decided in `monitor.judge.digest`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from monitor.judge.outcome import State
from monitor.store.alert_tables import channel_states
from monitor.store.records import read_clock, read_quota
from monitor.store.results import CLOCK_COLUMNS
from monitor.store.tables import authorizations, connections, quotas

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from monitor.judge.clocks import AuthorizationClock
    from monitor.judge.quota import Quota
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Glance:
    """
    As much of a connection as a summary needs.

    Args:
        quota: None where there is some left, or nothing is known.
    """

    name: str
    state: State
    clock: AuthorizationClock
    quota: Quota | None


def list_made(tx: Transaction) -> dict[str, datetime]:
    """
    Return when each channel's last summary was made, or the channel was first seen.
    """
    rows = tx.execute(
        select(channel_states.c.name, channel_states.c.digest_at).where(
            channel_states.c.digest_at.is_not(None)
        )
    )
    return {row.name: row.digest_at for row in rows}


def note_made(tx: Transaction, channel: str, now: datetime) -> None:
    """
    Keep that a channel's summary was made, or that its rhythm begins.
    """
    noted = tx.execute(
        update(channel_states).where(channel_states.c.name == channel).values(digest_at=now)
    )
    if not noted.rowcount:
        tx.execute(insert(channel_states).values(name=channel, digest_at=now))


def follow_step(tx: Transaction, now: datetime) -> None:
    """
    Let no summary count as made on a day that a clock that was set back has yet to reach.
    """
    tx.execute(update(channel_states).where(channel_states.c.digest_at > now).values(digest_at=now))


def glance_at_all(tx: Transaction) -> Iterator[Glance]:
    """
    Yield the connections that the file has.
    """
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
        state = State.PAUSED if is_off else State(row.state)
        is_empty = row.is_payment_required or row.shown_remaining == 0
        quota = read_quota(fields) if is_empty else None
        yield Glance(row.name, state, read_clock(fields), quota)
