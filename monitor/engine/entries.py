"""Put in force what owners other than the file write of connections, and take it out again.

Rows and connections change together, in the transaction of the caller, who comes with at most a
thousand entries at once. Whether an entry can be used is decided in `monitor.config.owners`, which
of several of one name counts, in `monitor.store.entries`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.alerting.suppression import review_suppressed, suppress_unsent
from monitor.config.owners import EntryRefused, FormerEntry, aim_of_content
from monitor.config.plan import Describer
from monitor.engine.ciphers import MAKE_KEY, seal_secrets
from monitor.judge.connections import OWNER_DASHBOARD, OWNER_FILE, WrittenEntry
from monitor.store import authorizations, connections, credentials, entries
from monitor.store.invites import revoke_all_of
from monitor.store.schedule import bring_forward

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from monitor.config.connections import Connection
    from monitor.config.model import Config
    from monitor.config.owners import CheckedEntry
    from monitor.config.plan import Plan
    from monitor.engine.ciphers import Cipher
    from monitor.engine.settings import RowSettings
    from monitor.judge.connections import Entry
    from monitor.store.engine import StoreWorker, Transaction
    from monitor.store.entries import StoredEntry

SHARED = "shared settings"
"""Tells what connections had in common when all were brought in line with it."""

NO_KEY = (
    "a secret is stored encrypted, and no `key` is set under [web]: make one with"
    f' `{MAKE_KEY}`, then set key = {{ file = "fernet-key" }} there and reload'
)


class KeyMissing(Exception):  # noqa: N818 - it states a condition
    """Raised where secrets would have to be stored and there is no key to encrypt them with."""

    def __init__(self) -> None:
        super().__init__(NO_KEY)


@dataclass(frozen=True, slots=True)
class Put:
    """What became of entries.

    Args:
        created: Names that the owner had not written before.
        changed: Those that it had, and otherwise.
        n_same: How many were as they are.
    """

    created: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    n_same: int = 0


@dataclass(frozen=True, slots=True)
class Owner:
    """Who writes, and how much that counts: of one name the lowest rank does."""

    name: str
    rank: int


DASHBOARD = Owner(OWNER_DASHBOARD, entries.DASHBOARD_RANK)


@dataclass(frozen=True, slots=True)
class EntryWriter:
    """Writes the entries of one owner.

    Args:
        config: The settings in force.
        plan: What follows from them; its rows are those of the database.
        cipher: Encrypts secrets; None where there is no key.
    """

    config: Config
    plan: Plan
    owner: Owner
    cipher: Cipher | None = field(repr=False)

    def seal(self, one: CheckedEntry, position: int = 0) -> WrittenEntry:
        """Return *one* as it may be stored.

        Raises:
            KeyMissing: It holds a secret.
        """
        if one.secrets and self.cipher is None:
            raise KeyMissing
        content, secrets, cipher = dict(one.content), dict(one.secrets), self.cipher

        def seal() -> bytes | None:
            # Encrypted when it is stored: most of what comes again is as it was.
            return seal_secrets(secrets, cipher) if secrets and cipher else None

        return WrittenEntry(one.connection.name, position, one.digest, lambda: content, seal)

    def put(
        self,
        tx: Transaction,
        written: Sequence[WrittenEntry],
        connections_of: Mapping[str, Connection],
        now: datetime,
    ) -> Put:
        """Write entries; those that count are checked soon, the first at once.

        Args:
            connections_of: What *written* means, by name.

        Raises:
            EntryRefused: One takes over the name of another owner's connection.
        """
        say = Describer(self.config)
        meant = {one.name: say.entry(connections_of[one.name]) for one in written}
        return self.put_described(tx, written, meant, now)

    def put_described(
        self,
        tx: Transaction,
        written: Sequence[WrittenEntry],
        entries_of: Mapping[str, Entry],
        now: datetime,
    ) -> Put:
        """Do as `put` does, where what *written* means was said before.

        Args:
            entries_of: That, by name.
        """
        olds = self.list_former_names(tx, entries_of)
        former = entries.find_entries(tx, [one.name for one in written])
        renamed = entries.find_entries(tx, olds.values())
        # Their history goes on under the new names.
        entries.drop_entries(tx, self.owner.name, olds.values())
        put = entries.put_entries(tx, self.owner.name, self.owner.rank, written)
        if not put:
            return Put(n_same=len(written))
        counting = entries.owners_of(tx, put)
        won = [name for name in put if counting[name] == self.owner.name]
        if self.owner.name == OWNER_DASHBOARD:
            # Whoever makes it wants it.
            connections.lift_deletions(tx, won)
        before = former | {name: renamed[old] for name, old in olds.items()}
        _forget_old_credentials(tx, {name: before[name] for name in won if name in before}, now)
        now_so = [entries_of[name] for name in won]
        _forget_what_was_elsewhere(tx, [one for one in now_so if one.name not in before], now)
        connections.bring_in_line(tx, now_so, now, olds.values())
        self._leave(tx, olds.values(), now)
        existing = {name for name in won if name in before}
        bring_forward(tx, [entry for entry in now_so if entry.name in existing], now)
        self._follow(tx, now, is_review=bool(existing))
        created = frozenset(name for name, is_new in put.items() if is_new)
        return Put(created, frozenset(put) - created, len(written) - len(put))

    def _leave(self, tx: Transaction, olds: Collection[str], now: datetime) -> None:
        """Give up former names: what somebody else has of one is another connection."""
        uncovered = entries.owners_of(tx, olds)
        connections.bring_in_line(tx, self.plan.settings.entries_of(tx, uncovered), now)
        connections.hide(tx, [old for old in olds if old not in uncovered], now)

    def remove(self, tx: Transaction, names: Collection[str], now: datetime) -> None:
        """Take entries out; who else has some of the same name comes into force.

        What nobody has any more is hidden, its stored credentials are erased; of what was made
        in the dashboard nothing is left at all.
        """
        if not names:
            return
        before = entries.find_entries(tx, names)
        entries.drop_entries(tx, self.owner.name, names)
        left = entries.owners_of(tx, names)
        gone = [name for name in names if name not in left]
        _forget_old_credentials(tx, {name: before[name] for name in left if name in before}, now)
        connections.bring_in_line(tx, self.plan.settings.entries_of(tx, left), now)
        credentials.drop_refresh_tokens(tx, gone)
        revoke_all_of(tx, gone, now)
        if self.owner.name == OWNER_DASHBOARD:
            for name in gone:
                record = connections.find_record(tx, name)
                if record is not None:
                    connections.delete_connection(tx, record, now)
            connections.lift_deletions(tx, gone)
        # A row of a source that comes back goes on as it was.
        connections.hide(tx, gone, now)
        self._follow(tx, now, is_review=True)

    def _follow(self, tx: Transaction, now: datetime, *, is_review: bool) -> None:
        entries.note_change(tx, now)
        if is_review:
            review_suppressed(tx, self.plan, now, all_of_it=True)
            suppress_unsent(tx, self.plan, now)

    def list_former_names(self, tx: Transaction, entries_of: Mapping[str, Entry]) -> dict[str, str]:
        """Return the names under which some of these connections were known so far, by new name.

        Raises:
            EntryRefused: One of them is another owner's, or nobody's, or in another group:
                whoever is there for one of the two would see the history of the other.
        """
        olds = {name: one.renamed_from for name, one in entries_of.items() if one.renamed_from}
        if not olds:
            return {}
        owners = entries.owners_of(tx, [*olds.values(), *olds])
        left = {}
        for name, old in olds.items():
            if name in owners:
                continue  # it was done before
            if owners.get(old) != self.owner.name:
                who = f"is owned by {owners[old]}" if old in owners else "is not there"
                raise EntryRefused((("renamed_from", f'"{old}" {who}: it cannot be taken over'),))
            left[name] = old
        groups = _groups_of(entries.find_entries(tx, left.values()))
        for name, old in left.items():
            if groups[old] != entries_of[name].group:
                why = f'"{old}" is in another group: change the name first, and then the group'
                raise EntryRefused((("renamed_from", why),))
        return left


def _groups_of(rows: Mapping[str, StoredEntry]) -> dict[str, str | None]:
    return {name: row.table.get("group") for name, row in rows.items()}


def _forget_old_credentials(
    tx: Transaction, before: Mapping[str, StoredEntry], now: datetime
) -> None:
    """Forget what was known of authorizations that were another service's or account's.

    Args:
        before: The settings that counted so far, by the name of the connection now.
    """
    now_so = entries.find_entries(tx, before)
    for name, row in before.items():
        if name in now_so and aim_of_content(row.content) != aim_of_content(now_so[name].content):
            _forget(tx, row.name, now)


def _forget_what_was_elsewhere(tx: Transaction, back: Sequence[Entry], now: datetime) -> None:
    """Forget the same of connections that come back, whose former settings are gone."""
    before = connections.find_targets(tx, [one.name for one in back])
    for one in back:
        target = one.provider, one.host, one.application
        if one.name in before and before[one.name] != target:
            _forget(tx, one.name, now)


def _forget(tx: Transaction, name: str, now: datetime) -> None:
    """Forget an authorization, and whoever was invited to renew it."""
    authorizations.forget(tx, name)
    credentials.drop_refresh_token(tx, name)
    connections.end_invites(tx, [name], now)


def _digest_shared(config: Config, key: bytes) -> bytes:
    """Return what tells from others what all connections take from the file."""
    shared = [
        str(config.checks.every),
        config.alerts.expiring_soon_days,
        [(one.name, one.token_host, one.endpoint) for one in config.applications],
    ]
    return bytes.fromhex(credentials.fingerprint(key, json.dumps(shared)))


async def bring_others_in_line(
    store: StoreWorker, config: Config, settings: RowSettings, now: datetime
) -> bool:
    """Bring connections that are not in the file in line with what all of them have in common.

    Some at a time, and only where that was changed since it was last done; tells whether it was.
    """
    key = await store.read(lambda tx: credentials.find_key(tx, credentials.FINGERPRINT_KEY))
    digest = _digest_shared(config, key or b"")
    if await store.read(lambda tx: credentials.find_key(tx, SHARED)) == digest:
        return False
    after = ""

    def follow_some(tx: Transaction) -> str:
        names = entries.list_beside(tx, OWNER_FILE, after)
        connections.bring_in_line(tx, settings.entries_of(tx, names), now)
        return names[-1] if names else ""

    while after := await store.write(follow_some):
        pass
    await store.write(lambda tx: credentials.save_key(tx, SHARED, digest))
    return True


def open_former(settings: RowSettings, row: StoredEntry) -> FormerEntry | None:
    """Return what *row* says, with its secrets as far as they can be read; None for nothing."""
    if not isinstance(row.content, dict):
        return None
    secrets = settings.secrets_of(row)
    readable = {path: text for path, text in secrets.items() if isinstance(text, str)}
    return FormerEntry(row.content, readable, is_unreadable=len(readable) < len(secrets))
