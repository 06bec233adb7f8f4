"""Keep applications: when their secrets expire, and what is known against them.

What a response means for an application is decided in `monitor.judge.applications`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, select, update

from monitor.judge.applications import ApplicationStanding, Refusal
from monitor.judge.authorizations import AuthorizationClock, declare_date, next_step_at
from monitor.judge.outcome import Reason
from monitor.store.schema import applications, connections
from monitor.store.statements import is_watched, list_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import Row

    from monitor.judge.authorizations import Declared
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class ApplicationRecord:
    """One application as the database knows it.

    Args:
        secret: The clock of its client secret; an empty one where nobody has dated it.
    """

    name: str
    standing: ApplicationStanding = field(default_factory=ApplicationStanding)
    secret: AuthorizationClock = field(default_factory=AuthorizationClock)


_asker = connections.alias("asker")
# An asker that is not watched any more is none.
_RECORDS = select(applications, _asker.c.id.label("watched_asker_id")).outerjoin(
    _asker,
    and_(
        _asker.c.id == applications.c.asker_id,
        _asker.c.application == applications.c.name,
        is_watched(_asker),
    ),
)


def sync(
    tx: Transaction, declared: Mapping[str, tuple[Declared, tuple[int, ...]]], now: datetime
) -> None:
    """Bring the applications in line with the file.

    Args:
        declared: When each one's secret was made, and the steps to be told, by its name.
    """
    known = {row.name: _read(row) for row in tx.execute(_RECORDS)}
    for name, (said, steps) in declared.items():
        before = known.get(name)
        secret = declare_date(before.secret if before else AuthorizationClock(), said, now)
        values = _secret_values(secret, steps) | {"is_configured": True}
        if before is None:
            tx.execute(insert(applications).values(name=name, **values))
        else:
            tx.execute(update(applications).where(applications.c.name == name).values(values))
    tx.execute(
        update(applications)
        .where(applications.c.name.not_in(declared))
        .values(is_configured=False, next_step_at=None)
    )


def load(tx: Transaction, names: Collection[str]) -> dict[str, ApplicationRecord]:
    """Return the records of *names*; one that the database has not heard of is a new one."""
    rows = tx.execute(_RECORDS.where(applications.c.name.in_(names)))
    return {name: ApplicationRecord(name) for name in names} | {
        row.name: _read(row) for row in rows
    }


def list_refusals(tx: Transaction) -> dict[str, Refusal]:
    """Return what is known against applications, by their names."""
    rows = tx.execute(_RECORDS.where(applications.c.refused_reason.is_not(None)))
    records = [_read(row) for row in rows]
    return {one.name: one.standing.refusal for one in records if one.standing.refusal is not None}


def save_standing(tx: Transaction, name: str, standing: ApplicationStanding) -> None:
    """Keep what is known against an application, and what was told of it."""
    refusal = standing.refusal
    tx.execute(
        update(applications)
        .where(applications.c.name == name)
        .values(
            refused_reason=refusal and refusal.reason,
            refused_detail=refusal and refusal.detail,
            refused_at=refusal and refusal.at,
            asker_id=refusal and refusal.asker_id,
            announced_reason=standing.announced_reason,
        )
    )


def forget_refusal(tx: Transaction, name: str) -> None:
    """Let the connections of an application that is accepted again start their rows anew.

    What was told of the application counts as told of none of them any more.
    """
    reasons = [reason for reason in Reason if reason.is_of_application]
    of_application = connections.c.application == name
    tx.execute(
        update(connections)
        .where(of_application, connections.c.reason.in_(reasons))
        .values(refusals=0, refusals_of_any_reason=0)
    )
    tx.execute(
        update(connections)
        .where(of_application, connections.c.announced_reason.in_(reasons))
        .values(announced_state=None, announced_reason=None)
    )


def save_secret(
    tx: Transaction, name: str, secret: AuthorizationClock, steps: tuple[int, ...]
) -> None:
    """Keep the clock of a client secret."""
    values = _secret_values(secret, steps)
    tx.execute(update(applications).where(applications.c.name == name).values(values))


def find_passed(tx: Transaction, now: datetime) -> list[str]:
    """Return the names of the applications whose secret's clock has reached a step."""
    return list(
        tx.execute(
            select(applications.c.name).where(
                applications.c.next_step_at <= now, applications.c.is_configured
            )
        ).scalars()
    )


def watched_of(tx: Transaction, name: str) -> dict[int, str]:
    """Return the names of an application's watched connections, by their ids."""
    return list_names(tx, connections.c.application == name)


def _read(row: Row[Any]) -> ApplicationRecord:
    refusal = None
    if row.refused_reason is not None:
        refusal = Refusal(
            row.refused_reason, row.refused_detail, row.refused_at, row.watched_asker_id
        )
    secret = AuthorizationClock(
        authorized_at=row.secret_created_at,
        ends_at=row.secret_ends_at,
        file_authorized_at=row.secret_created_at,
        told_step=row.told_step,
    )
    return ApplicationRecord(row.name, ApplicationStanding(refusal, row.announced_reason), secret)


def _secret_values(secret: AuthorizationClock, steps: tuple[int, ...]) -> dict[str, Any]:
    return {
        "secret_created_at": secret.authorized_at,
        "secret_ends_at": secret.ends_at,
        "told_step": secret.told_step,
        "next_step_at": next_step_at(secret, steps),
    }
