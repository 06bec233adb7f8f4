"""Read of all connections the little that sorts and counts them.

Instants stay the whole numbers they are stored as: this runs for every page,
over every connection, and what has not changed is not decoded again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, case, func, not_, null, or_, select, type_coerce
from sqlalchemy.types import NullType

from monitor.judge.outcome import State
from monitor.store.schema import Instant, authorizations, connections, quotas

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from sqlalchemy import Column

    from monitor.store.engine import Transaction

_MARKS = [
    connections.c.name,
    connections.c.provider,
    connections.c.is_paused,
    connections.c.is_enabled,
    connections.c.state,
    connections.c.reason,
    connections.c.since,
    connections.c.last_reason,
    connections.c.account,
    connections.c.application,
    connections.c.group_name,
    *(column for column in quotas.c if column.name not in {"connection_id", "seen_at"}),
    authorizations.c.authorized_at,
    authorizations.c.ends_at,
    authorizations.c.token_ends_at,
    authorizations.c.is_renewal_unrecorded,
]


def _plain(column: Column[object]) -> object:
    # As it is stored: only whether it is another one by now counts.
    return type_coerce(column, NullType())


_QUERY = (
    select(connections.c.id, *(_plain(column) for column in _MARKS))
    .join(quotas)
    .outerjoin(authorizations)
    .where(connections.c.is_configured)
    .order_by(connections.c.id)
)


def list_marks(tx: Transaction) -> dict[int, int]:
    """Return for each connection a number that changes when what is shown of it does."""
    return {row[0]: hash(tuple(row)) for row in tx.execute(_QUERY)}


def count_watched(tx: Transaction) -> int:
    """Return how many connections are watched, paused ones among them."""
    query = select(func.count()).select_from(connections).where(connections.c.is_configured)
    return tx.execute(query).scalar_one()


def is_any_grouped(tx: Transaction) -> bool:
    """Tell whether any connection belongs to a group."""
    # The group that sorts first is found in the index, whatever the number of connections.
    first = select(func.min(connections.c.group_name))
    return tx.execute(first).scalar_one() is not None


def list_used_groups(tx: Transaction) -> list[str]:
    """Return the groups that connections belong to, in order."""
    group = connections.c.group_name
    query = select(group).distinct().where(connections.c.is_configured, group.is_not(None))
    return sorted(tx.execute(query).scalars())


def has_group(tx: Transaction, name: str) -> bool:
    """Tell whether a connection that is watched, paused or not, belongs to the group *name*."""
    is_of = connections.c.group_name == name
    query = select(connections.c.id).where(is_of, connections.c.is_configured).limit(1)
    return tx.execute(query).first() is not None


def count_states(tx: Transaction) -> dict[State, int]:
    """Return how many connections of the file are in which state."""
    state = _shown_state()
    rows = tx.execute(
        select(state, func.count()).where(connections.c.is_configured).group_by(state)
    )
    return {State(name): count for name, count in rows}


def _shown_state() -> Any:
    is_off = or_(connections.c.is_paused, not_(connections.c.is_enabled))
    return case((is_off, State.PAUSED.value), else_=connections.c.state)


@dataclass(frozen=True, slots=True)
class Ends:
    """When what a connection works with ends; None where that is not known.

    Args:
        authorization_at: The declared grant.
        token_at: The token itself, as its service says.
    """

    name: str
    group: str | None
    authorization_at: datetime | None
    token_at: datetime | None


def list_ends(tx: Transaction) -> list[Ends]:
    """Return the ends that are known, by connection in the order of the file."""
    declared = case(
        (authorizations.c.is_renewal_unrecorded, null()), else_=authorizations.c.ends_at
    )
    rows = tx.execute(
        select(
            connections.c.name,
            connections.c.group_name,
            type_coerce(declared, Instant),
            authorizations.c.token_ends_at,
        )
        .join(authorizations)
        .where(
            connections.c.is_configured,
            or_(authorizations.c.ends_at.is_not(None), authorizations.c.token_ends_at.is_not(None)),
        )
        .order_by(connections.c.id)
    )
    return [Ends(*row) for row in rows]


def list_applications(tx: Transaction, groups: Collection[str] | None) -> set[str] | None:
    """Return the applications that connections of *groups* use; None for any, without groups."""
    if groups is None:
        return None
    query = select(connections.c.application).distinct()
    is_of = connections.c.group_name.in_(groups)
    found = tx.execute(query.where(connections.c.is_configured, is_of)).scalars()
    return {name for name in found if name is not None}


@dataclass(frozen=True, slots=True)
class Measure:
    """What is counted of one connection; instants in microseconds since 1970."""

    name: str
    provider: str
    state: str
    ends_at_us: int | None
    quota_limit: int | None
    quota_remaining: int | None


def list_measures(tx: Transaction) -> Iterator[Measure]:
    """Yield what is counted of each connection of the file."""
    ends_at = case(
        (authorizations.c.is_renewal_unrecorded, null()),
        else_=type_coerce(authorizations.c.ends_at, BigInteger),
    )
    remaining = case((quotas.c.is_payment_required, 0), else_=quotas.c.shown_remaining)
    rows = tx.execute(
        select(
            connections.c.name,
            connections.c.provider,
            _shown_state(),
            ends_at,
            quotas.c.shown_limit,
            remaining,
        )
        .join(quotas)
        .outerjoin(authorizations)
        .where(connections.c.is_configured)
        .order_by(connections.c.id)
    )
    for row in rows:
        yield Measure(*row)
