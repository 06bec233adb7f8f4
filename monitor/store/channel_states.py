"""
Keep which channels fail, since when, and whether the others were told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from monitor.store.alert_tables import channel_states

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Failing:
    """
    A channel that takes no messages.

    Args:
        since: Its first failure since the last message that it took.
        is_told: Other channels heard of it.
    """

    since: datetime
    is_told: bool


def find_failing(tx: Transaction, channel: str) -> Failing | None:
    """
    Return how *channel* fails, or None if its last message arrived.
    """
    row = tx.execute(
        select(channel_states.c.failed_since, channel_states.c.is_failure_told).where(
            channel_states.c.name == channel
        )
    ).first()
    if row is None or row.failed_since is None:
        return None
    return Failing(row.failed_since, row.is_failure_told)


def list_told(tx: Transaction) -> set[str]:
    """
    Return the channels of which others heard that they fail.
    """
    query = select(channel_states.c.name).where(channel_states.c.is_failure_told)
    return set(tx.execute(query).scalars())


def begin_failing(tx: Transaction, channel: str, now: datetime) -> None:
    """
    Note that *channel* fails since *now*.
    """
    known = channel_states.c.name == channel
    noted = tx.execute(update(channel_states).where(known).values(failed_since=now))
    if noted.rowcount == 0:
        tx.execute(insert(channel_states).values(name=channel, failed_since=now))


def mark_told(tx: Transaction, channel: str) -> None:
    """
    Note that others heard of it.
    """
    known = channel_states.c.name == channel
    tx.execute(update(channel_states).where(known).values(is_failure_told=True))


def end_failing(tx: Transaction, channel: str) -> None:
    """
    Note that *channel* took a message.
    """
    known = channel_states.c.name == channel
    tx.execute(update(channel_states).where(known).values(failed_since=None, is_failure_told=False))
