"""Keep what is known of authorizations, and find those that time has changed.

What a date or an instant means is decided in `monitor.judge.authorizations`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select

from monitor.judge.authorizations import FLAG_STATES, declare_date, next_step_at
from monitor.store.records import clock_values, read_clock
from monitor.store.results import CLOCK_COLUMNS
from monitor.store.schedule import make_due
from monitor.store.schema import authorizations, connections
from monitor.store.statements import execute_many, is_watched, names_of, select_in, update_one

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from monitor.judge.authorizations import AuthorizationClock, Declared
    from monitor.store.engine import Transaction

SWEEP_AT_MOST = 1000
"""How many connections one sweep looks at; the next one takes the rest."""


def declare_all(
    tx: Transaction, declared: Mapping[str, tuple[Declared, tuple[int, ...]]], now: datetime
) -> None:
    """Bring the clocks in line with the file.

    Args:
        declared: What the file says, and the steps to be told, by connection name.
    """
    query = (
        select(connections.c.id, connections.c.name, *CLOCK_COLUMNS)
        .select_from(connections)
        .outerjoin(authorizations)
        .where(connections.c.is_configured)
    )
    changed = []
    # Most of those that are new were granted on some few days.
    fresh: dict[Declared, AuthorizationClock] = {}
    for row in select_in(tx, query, connections.c.name, declared):
        said, steps = declared[row.name]
        if row.source is None and said.authorized_at is None:
            continue
        if row.source is None and said in fresh:
            changed.append((row.id, fresh[said], steps))
            continue
        fields = row._asdict()
        before = read_clock(fields)
        clock = declare_date(before, said, now)
        if row.source is None and not clock.is_renewal_pending:
            fresh[said] = clock
        # The steps may have been configured anew.
        if clock != before or next_step_at(clock, steps) != fields["next_step_at"]:
            changed.append((fields["id"], clock, steps))
            if clock.is_renewal_pending and not before.is_renewal_pending:
                make_due(tx, fields["id"], now)
    save(tx, changed)


def forget(tx: Transaction, name: str) -> None:
    """Forget what is known of the authorization of a connection: it is another one now."""
    of_name = select(connections.c.id).where(connections.c.name == name).scalar_subquery()
    tx.execute(delete(authorizations).where(authorizations.c.connection_id == of_name))


_UPDATE = update_one(authorizations.c.connection_id, names_of(authorizations))


def save(tx: Transaction, clocks: Iterable[tuple[int, AuthorizationClock, Iterable[int]]]) -> None:
    """Keep clocks, each with the instant of its next step.

    Args:
        clocks: Connection, clock, and the steps that are told.
    """
    values: list[dict[str, Any]] = [
        clock_values(clock) | {"of_id": number, "next_step_at": next_step_at(clock, steps)}
        for number, clock, steps in clocks
    ]
    key = authorizations.c.connection_id
    known = {row[0] for row in select_in(tx, select(key), key, [one["of_id"] for one in values])}
    execute_many(tx, _UPDATE, [one for one in values if one["of_id"] in known])
    new = [one | {"connection_id": one.pop("of_id")} for one in values if one["of_id"] not in known]
    execute_many(tx, insert(authorizations), new)


def find_passed(tx: Transaction, now: datetime) -> list[tuple[int, str]]:
    """Return id and name of the connections whose clock has reached a step.

    Of those that are switched off nothing is told: their steps wait.
    """
    rows = tx.execute(
        select(connections.c.id, connections.c.name)
        .join(authorizations)
        .where(
            authorizations.c.next_step_at <= now,
            or_(
                connections.c.state.in_(FLAG_STATES),
                func.coalesce(authorizations.c.token_ends_at, authorizations.c.ends_at) <= now,
            ),
            is_watched(),
        )
        .order_by(authorizations.c.next_step_at, connections.c.id)
        .limit(SWEEP_AT_MOST)
    )
    return [(number, name) for number, name in rows]
