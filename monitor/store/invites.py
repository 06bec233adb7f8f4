"""Keep invites, their tries, and the credentials that they brought and nobody has accepted yet.

An invite is stored as its SHA-256: it is random enough that nobody can try all. What is proposed
comes in and goes out encrypted.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from monitor.judge.invites import TRIES_WINDOW, Invite, ProposedCredential
from monitor.store.credentials import hash_secret
from monitor.store.schema import connections, invite_tries, invites, proposals
from monitor.store.statements import delete_in, in_pieces, select_in

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement, Select

    from monitor.store.engine import Transaction

_RANDOM_BYTES = 32

KEPT_AFTER = timedelta(days=30)
"""So long the page of an invite that is over says so."""

_INVITES: Select[Any] = select(
    invites.c.id,
    connections.c.name,
    invites.c.created_at,
    invites.c.valid_until,
    invites.c.by,
    invites.c.used_at,
    invites.c.revoked_at,
).outerjoin(connections)


def make_token() -> str:
    """Return what a new invite is known by, to be shown once."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def add_invite(
    tx: Transaction, connection_id: int, by: str, valid_for: timedelta, now: datetime
) -> tuple[Invite, str]:
    """Make an invite for a connection; return it, and its token for the only time."""
    token = make_token()
    values = {
        "connection_id": connection_id,
        "token_hash": hash_secret(token),
        "created_at": now,
        "valid_until": now + valid_for,
        "by": by,
    }
    number = tx.execute(insert(invites).values(values).returning(invites.c.id)).scalar_one()
    made = find_invite(tx, number)
    assert made is not None, "it was just made"
    return made, token


def find_invite(tx: Transaction, number: int) -> Invite | None:
    """Return the invite with this id."""
    row = tx.execute(_INVITES.where(invites.c.id == number)).first()
    return None if row is None else Invite(*row)


def find_by_token(tx: Transaction, token: str) -> Invite | None:
    """Return the invite that *token* was given out for."""
    row = tx.execute(_INVITES.where(invites.c.token_hash == hash_secret(token))).first()
    return None if row is None else Invite(*row)


def list_invites(tx: Transaction, connection_id: int | None = None) -> list[Invite]:
    """Return the invites of connections that there are, the latest first.

    Args:
        connection_id: Only those of this one.
    """
    found = _INVITES.where(invites.c.connection_id.is_not(None)).order_by(invites.c.id.desc())
    if connection_id is not None:
        found = found.where(invites.c.connection_id == connection_id)
    return [Invite(*row) for row in tx.execute(found)]


def revoke_invite(tx: Transaction, number: int, now: datetime) -> bool:
    """Have an open invite count no longer; tell whether there was one."""
    is_it = (invites.c.id == number) & invites.c.connection_id.is_not(None)
    ended = update(invites).where(is_it, _is_open(now)).values(revoked_at=now)
    return tx.execute(ended).rowcount == 1


def revoke_open_of(tx: Transaction, connection_ids: Collection[int], now: datetime) -> None:
    """End the open invites of connections that are not what they were made for any more."""
    for piece in in_pieces(connection_ids):
        is_of_them = invites.c.connection_id.in_(piece)
        tx.execute(update(invites).where(is_of_them, _is_open(now)).values(revoked_at=now))


def revoke_all_of(tx: Transaction, names: Collection[str], now: datetime) -> None:
    """End the open invites, and forget the proposals, of connections that are no more."""
    query = select(connections.c.id)
    ids = [row.id for row in select_in(tx, query, connections.c.name, names)]
    revoke_open_of(tx, ids, now)
    delete_in(tx, proposals.c.connection_id, ids)


def _is_open(now: datetime) -> ColumnElement[bool]:
    return (
        invites.c.used_at.is_(None) & invites.c.revoked_at.is_(None) & (invites.c.valid_until > now)
    )


def use_invite(tx: Transaction, number: int, now: datetime) -> bool:
    """Note that an invite has done its work; tell whether it had not before."""
    is_unused = (invites.c.id == number) & invites.c.used_at.is_(None)
    return tx.execute(update(invites).where(is_unused).values(used_at=now)).rowcount == 1


def list_tries(tx: Transaction, number: int) -> list[datetime]:
    """Return when an invite was tried lately."""
    found = select(invite_tries.c.at).where(invite_tries.c.invite_id == number)
    return list(tx.execute(found).scalars())


def note_try(tx: Transaction, number: int, now: datetime) -> None:
    """Count a try of an invite; those that count no longer go."""
    is_old = invite_tries.c.at <= now - TRIES_WINDOW
    tx.execute(delete(invite_tries).where(invite_tries.c.invite_id == number, is_old))
    tx.execute(insert(invite_tries).values(invite_id=number, at=now))


def prune_invites(tx: Transaction, now: datetime) -> None:
    """Forget invites that were over long ago."""
    tx.execute(delete(invites).where(invites.c.valid_until < now - KEPT_AFTER))


# --- what is proposed


@dataclass(frozen=True, slots=True)
class StoredProposal:
    """A proposed credential as it is kept.

    Args:
        sealed: The credential, encrypted, with what belongs to it.
        authorized_at: When its account was authorized; for a store alone.
        fingerprint: Which credential the owner of the connection had then; empty for unknown.
    """

    proposal: ProposedCredential
    connection_id: int
    sealed: bytes = field(repr=False)
    authorized_at: datetime | None
    fingerprint: str


_PROPOSALS: Select[Any] = select(
    proposals.c.id,
    connections.c.name,
    proposals.c.invite_id,
    proposals.c.at,
    proposals.c.account,
    proposals.c.connection_id,
    proposals.c.sealed,
    proposals.c.authorized_at,
    proposals.c.fingerprint,
).join(connections)


def _read(row: Any) -> StoredProposal:
    number, name, invite_id, at, account, *rest = row
    return StoredProposal(ProposedCredential(number, name, invite_id, at, account), *rest)


def add_proposal(  # noqa: PLR0913 - what a row holds
    tx: Transaction,
    connection_id: int,
    *,
    invite_id: int,
    at: datetime,
    sealed: bytes,
    account: str | None,
    authorized_at: datetime | None,
    fingerprint: str,
) -> int:
    """Keep a proposed credential, in the place of any that the same invite brought before."""
    is_former = (proposals.c.connection_id == connection_id) & (proposals.c.invite_id == invite_id)
    tx.execute(delete(proposals).where(is_former))
    values = {
        "connection_id": connection_id,
        "invite_id": invite_id,
        "at": at,
        "sealed": sealed,
        "account": account,
        "authorized_at": authorized_at,
        "fingerprint": fingerprint,
    }
    number: int = tx.execute(
        insert(proposals).values(values).returning(proposals.c.id)
    ).scalar_one()
    return number


def list_proposals(tx: Transaction, connection_id: int | None = None) -> list[StoredProposal]:
    """Return what is proposed, the latest first.

    Args:
        connection_id: Only for this one.
    """
    found = _PROPOSALS.order_by(proposals.c.id.desc())
    if connection_id is not None:
        found = found.where(proposals.c.connection_id == connection_id)
    return [_read(row) for row in tx.execute(found)]


def find_proposal(tx: Transaction, number: int) -> StoredProposal | None:
    """Return what was proposed under this id."""
    row = tx.execute(_PROPOSALS.where(proposals.c.id == number)).first()
    return None if row is None else _read(row)


def drop_proposal(tx: Transaction, number: int) -> bool:
    """Forget a proposed credential; tell whether there was one."""
    return tx.execute(delete(proposals).where(proposals.c.id == number)).rowcount == 1
