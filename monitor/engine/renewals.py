"""Put a new credential of a connection in use, or keep it until an operator accepts it.

A store's refresh token, and the token of a connection of the file or of a source, lies beside what
its owner has and wins until that changes; an entry of the dashboard holds its own. Whether a
credential answers for the account that is known is decided in `monitor.judge.invites`; what may be
tried, and by whom, where people come in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from monitor.config.connections import AmazonConnection
from monitor.config.owners import EntryRules, FormerEntry
from monitor.config.renewal import aim_of, credential_of, target_of
from monitor.engine.ciphers import Cipher, open_secrets
from monitor.engine.entries import DASHBOARD, EntryWriter
from monitor.judge.audit import Action, AuditRow
from monitor.judge.authorizations import needs_day, renew
from monitor.judge.connections import OWNER_DASHBOARD
from monitor.judge.invites import Holder, is_same_holder
from monitor.providers.tokens import HandshakeTokens
from monitor.store import authorizations, connections, credentials, entries, invites
from monitor.store.audit import add_audit
from monitor.store.schedule import make_due

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.config.connections import Connection
    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.judge.connections import ConnectionRecord
    from monitor.store.engine import Transaction
    from monitor.store.invites import StoredProposal

CREDENTIAL = "credential"
"""What the audit says was changed."""


class NothingToRenew(Exception):  # noqa: N818 - it states a condition
    """Raised where a connection is gone, or has nothing that this credential could replace."""


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential that somebody brought.

    Args:
        holder: Whom it answers for.
        at: When it came; the days of an authorization are counted from that.
        target: Where it was tried, as `target_of` says; it is not sent elsewhere.
    """

    value: str = field(repr=False)
    holder: Holder
    at: datetime
    target: str


@dataclass(frozen=True, slots=True)
class CredentialDesk:
    """Takes new credentials in, by the settings of now.

    Args:
        cipher: Encrypts what is kept.
        fingerprint: Tells credentials apart without revealing any.
    """

    config: Config
    plan: Plan
    cipher: Cipher = field(repr=False)
    fingerprint: Callable[[str], str]

    @classmethod
    def open(cls, tx: Transaction, config: Config, plan: Plan) -> CredentialDesk:
        """Return one; raise KeyUnusable where nothing can be encrypted."""
        key = credentials.find_or_make_key(tx, credentials.FINGERPRINT_KEY)
        return cls(config, plan, Cipher.of(config.web), partial(credentials.fingerprint, key))

    def answers_for_known(
        self, tx: Transaction, record: ConnectionRecord, new: NewCredential
    ) -> bool:
        """Tell whether *new* certainly answers for the account of *record*."""
        connection = self._connection_of(tx, record, new)
        before = credentials.find_refresh_token(tx, record.id)
        known = Holder(record.account, None if before is None else before.seller_id)
        is_store = isinstance(connection, AmazonConnection)
        return is_same_holder(known, new.holder, is_store=is_store)

    def put_in_use(
        self,
        tx: Transaction,
        record: ConnectionRecord,
        new: NewCredential,
        now: datetime,
        former: str | None = None,
    ) -> None:
        """Use *new* for a connection from now on.

        Args:
            former: Which credential its owner had when *new* came, where that cannot be read now.

        Raises:
            NothingToRenew: There is nothing to use it for.
            KeyUnusable: Other secrets of the entry cannot be read.
            EntryRefused: The entry cannot be used any more.
        """
        connection = self._connection_of(tx, record, new)
        owner = entries.owners_of(tx, [record.name]).get(record.name)
        is_store = isinstance(connection, AmazonConnection)
        if owner == OWNER_DASHBOARD and not is_store:
            self._write_into_entry(tx, record.name, new.value, now)
        else:
            known = self._fingerprint_of(connection, new.value) or former
            kept = credentials.StoredToken(
                self.cipher.encrypt(new.value), known, new.holder.seller_id, now
            )
            credentials.save_refresh_token(tx, record.id, kept)
        self._start_days(tx, record, new.at, now, is_store=is_store)

    def propose(
        self, tx: Transaction, record: ConnectionRecord, new: NewCredential, invite_id: int
    ) -> int:
        """Keep *new* until an operator accepts it; return its id."""
        connection = self._connection_of(tx, record, new)
        sealed = {
            "value": new.value,
            "seller_id": new.holder.seller_id,
            "target": new.target,
        }
        return invites.add_proposal(
            tx,
            record.id,
            invite_id=invite_id,
            at=new.at,
            sealed=self.cipher.encrypt(json.dumps(sealed)),
            account=new.holder.account,
            authorized_at=new.at if isinstance(connection, AmazonConnection) else None,
            fingerprint=self._fingerprint_of(connection, new.value) or "",
        )

    def unseal(self, stored: StoredProposal) -> NewCredential:
        """Return what was proposed; raise KeyUnusable if no key reads it."""
        sealed = json.loads(self.cipher.decrypt(stored.sealed))
        holder = Holder(stored.proposal.account, sealed["seller_id"])
        at = stored.authorized_at or stored.proposal.at
        return NewCredential(sealed["value"], holder, at, sealed.get("target", ""))

    def _connection_of(
        self, tx: Transaction, record: ConnectionRecord, new: NewCredential
    ) -> Connection:
        connection = self.plan.connection(tx, record.name)
        if connection is None or credential_of(connection) is None:
            raise NothingToRenew(f"{record.name} has no credential that can be replaced")
        if target_of(connection) != new.target:
            raise NothingToRenew(
                f"the settings of {record.name} were changed since this credential was tried, and"
                " it would be sent elsewhere now"
            )
        return connection

    def _fingerprint_of(self, connection: Connection, value: str) -> str | None:
        configured = credential_of(connection)
        assert configured is not None, "others have nothing to renew"
        held = HandshakeTokens(self.fingerprint)
        return held.put(connection.name, value, configured, aim_of(connection)).file_fingerprint

    def _write_into_entry(self, tx: Transaction, name: str, value: str, now: datetime) -> None:
        row = entries.find_of_owner(tx, OWNER_DASHBOARD, name)
        assert row is not None, "it counts"
        content = row.table
        secrets = {} if row.secrets is None else open_secrets(row.secrets, self.cipher)
        rules = EntryRules(self.config, self.fingerprint, now)
        checked = rules.check({**content, "token": value}, FormerEntry(content, secrets))
        writer = EntryWriter(self.config, self.plan, DASHBOARD, self.cipher)
        sealed = writer.seal(checked, row.position)
        writer.put(tx, [sealed], {name: checked.connection}, now)

    def _start_days(
        self,
        tx: Transaction,
        record: ConnectionRecord,
        at: datetime,
        now: datetime,
        *,
        is_store: bool,
    ) -> None:
        """Count the days of the authorization anew, where any are counted."""
        entry = self.plan.entry(tx, record.name)
        assert entry is not None, "its settings were just read"
        clock = record.clock
        if is_store or not needs_day(record.provider, clock, entry.declared):
            renewed = renew(clock, at, entry.declared, now)
            authorizations.save(tx, [(record.id, renewed, entry.steps)])


# --- what operators decide


def accept(
    tx: Transaction, config: Config, plan: Plan, number: int, who: str, now: datetime
) -> tuple[str, NewCredential] | None:
    """Use what was proposed under this id; return for which connection, and what; None: it is gone.

    Raises:
        KeyUnusable: It cannot be decrypted.
        NothingToRenew: There is nothing to use it for any more.
        EntryRefused: The entry cannot be used any more.
    """
    stored = invites.find_proposal(tx, number)
    record = None if stored is None else connections.find_record(tx, stored.proposal.connection)
    if stored is None or record is None:
        return None
    desk = CredentialDesk.open(tx, config, plan)
    new = desk.unseal(stored)
    try:
        desk.put_in_use(tx, record, new, now, stored.fingerprint or None)
    except NothingToRenew as error:
        raise NothingToRenew(f"{error}; reject it, and make a new link") from None
    if stored.proposal.invite_id is not None:
        invites.use_invite(tx, stored.proposal.invite_id, now)
    invites.drop_proposal(tx, number)
    make_due(tx, record.id, now)
    entries.note_change(tx, now)
    add_audit(tx, AuditRow(now, who, Action.ACCEPT, record.name, keys=(CREDENTIAL,)))
    return record.name, new


def reject(tx: Transaction, number: int, who: str, now: datetime) -> str | None:
    """Forget what was proposed under this id; return for which connection; None: it is gone."""
    stored = invites.find_proposal(tx, number)
    if stored is None:
        return None
    invites.drop_proposal(tx, number)
    name = stored.proposal.connection
    add_audit(tx, AuditRow(now, who, Action.ACCEPT, name, keys=("rejected",), count=0))
    return name
