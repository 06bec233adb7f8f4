"""Build the checkers, with what the database knows of their credentials.

The daemon and the commands make their checks with them; the dashboard validates and shakes
hands. Of two tokens the file's wins once it is another one than when a handshake or a renewal
link brought the stored one. Stored tokens are encrypted with the key of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from monitor.config.renewal import aim_of, credential_of
from monitor.engine.ciphers import Cipher, KeyUnusable
from monitor.judge.connections import OWNER_FILE
from monitor.judge.outcome import Outcome, Reason
from monitor.providers.base import GrantLocks
from monitor.providers.registry import build_checker
from monitor.providers.tokens import HandshakeToken, HandshakeTokens
from monitor.store import credentials, entries, results

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from monitor.config.connections import Connection
    from monitor.config.model import Config
    from monitor.engine.settings import ReadyConnection, RowSettings
    from monitor.providers.base import Checker
    from monitor.providers.transport import HttpClients
    from monitor.store.engine import Transaction


log = structlog.get_logger()

_REMEDY = "put the former key into web.old_keys, or renew the authorization on the dashboard"


@dataclass(frozen=True, slots=True)
class StoredAccess:
    """What the database knows of the credentials that checkers use.

    Args:
        held: The refresh tokens that handshakes brought, and what tells tokens
            apart; None where there is no key for that yet.
        worked: The Amazon stores that were let in before, as `build_checker` takes them.
    """

    held: HandshakeTokens | None = None
    worked: Mapping[str, str | None] = field(default_factory=dict)


def read_access(
    tx: Transaction,
    config: Config,
    connections: Mapping[str, Connection],
    on_unreadable: Callable[[str, KeyUnusable], None],
) -> StoredAccess:
    """Return what is stored for *connections*, which are given by name.

    Args:
        on_unreadable: Called for a token that cannot be decrypted; unless it raises,
            the connection is not checked until it can be.
    """
    worked = results.list_authorized(tx, connections.keys())
    key = credentials.find_key(tx, credentials.FINGERPRINT_KEY)
    if key is None:
        return StoredAccess(None, worked)
    tokens = _read_tokens(tx, config, connections, on_unreadable)
    return StoredAccess(HandshakeTokens(partial(credentials.fingerprint, key), tokens), worked)


def _read_tokens(
    tx: Transaction,
    config: Config,
    connections: Mapping[str, Connection],
    on_unreadable: Callable[[str, KeyUnusable], None],
    after: datetime | None = None,
) -> dict[str, HandshakeToken]:
    found = {}
    for name, stored in credentials.list_refresh_tokens(tx, after).items():
        connection = connections.get(name)
        if connection is None or credential_of(connection) is None:
            continue
        try:
            value = Cipher.of(config.web).decrypt(stored.encrypted)
        except KeyUnusable as error:
            on_unreadable(name, error)
            why = f"{error}; {_REMEDY}"
            found[name] = HandshakeToken("", stored.file_fingerprint, why)
        else:
            found[name] = HandshakeToken(value, stored.file_fingerprint)
    return found


def _warn(name: str, error: KeyUnusable) -> None:
    log.warning(
        "stored_token.unreadable",
        connection=name,
        error=str(error),
        remedy=_REMEDY,
    )


def find_outdated_tokens(connections: Mapping[str, Connection], held: HandshakeTokens) -> list[str]:
    """Return the connections whose token in the file is newer than the one held, and drop that."""
    outdated = []
    for name in held:
        connection = connections[name]
        configured = credential_of(connection)
        assert configured is not None, "only such are held"
        if held.choose(name, configured, aim_of(connection)) is None:
            outdated.append(name)
    return outdated


def build_checkers(
    config: Config,
    clients: HttpClients,
    grants: GrantLocks,
    access: StoredAccess,
    names: Collection[str],
) -> dict[str, Checker]:
    """Build the checkers of the connections called *names*.

    Raises:
        ValueError: A setting cannot work, such as a CA file that was emptied just now.
    """
    return {
        connection.name: build_checker(
            connection,
            config,
            clients,
            grants,
            access.held,
            worked=access.worked,
            allowed=config.reach_of(connection),
        )
        for connection in config.connections
        if connection.name in names
    }


class TokenFollower:
    """Takes in the tokens that others than the daemon store, such as an accepting command.

    Args:
        since: When the daemon read all of them.
    """

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._seen_change: datetime | None = None

    def look(
        self, tx: Transaction, config: Config, settings: RowSettings, calls: CheckerSet
    ) -> list[str]:
        """Use what came since the last look; return the connections that have another token now."""
        change = entries.find_change(tx)
        if change == self._seen_change:
            return []
        self._seen_change = change
        stored = credentials.list_refresh_tokens(tx, self._since)
        if not stored:
            return []
        found = _read_tokens(tx, config, settings.connections_of(tx, stored), _warn, self._since)
        for name, token in found.items():
            calls.held.take_in(name, token)
        settings.build_anew(found)
        self._since = max(one.obtained_at for one in stored.values())
        return list(found)


MakeCheckers = Callable[["Transaction", "Collection[str]"], "Mapping[str, Checker]"]


@dataclass(frozen=True, slots=True)
class CheckerSet:
    """What calls services.

    Args:
        make: Returns the checkers of some connections, made now where there is none yet;
            those that are gone or switched off have none.
        clients: Carry all calls; those that a reload brings are given out by them.
        held: The refresh tokens that handshakes brought.
        fingerprint: Tells refresh tokens apart without keeping them.
        stored: Those of the tokens that the database had.
        gone: Connections with a token that are not watched any more.
    """

    make: MakeCheckers
    clients: HttpClients
    grants: GrantLocks
    held: HandshakeTokens
    fingerprint: Callable[[str], str]
    stored: HandshakeTokens
    gone: frozenset[str] = frozenset()

    def find(self, tx: Transaction, name: str) -> Checker | None:
        """Return what checks *name*; None for what is gone or switched off."""
        return self.make(tx, (name,)).get(name)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes checkers when they are needed, and leaves them with the settings that they are of."""

    config: Config
    settings: RowSettings
    clients: HttpClients
    grants: GrantLocks
    held: HandshakeTokens

    def make(self, tx: Transaction, names: Collection[str]) -> dict[str, Checker]:
        """Return the checkers of *names*; one that cannot work now says so, and is made again."""
        ready = self.settings.ready_of(tx, names)
        lacking = [one for one in ready.values() if one.checker is None and one.connection.enabled]
        named = [one.connection.name for one in lacking]
        worked = results.list_authorized(tx, named) if named else {}
        broken: dict[str, Checker] = {}
        for one in lacking:
            try:
                one.checker = self.build(one, worked)
            except ValueError as error:
                broken[one.connection.name] = _BrokenChecker(str(error))
        made = {name: one.checker for name, one in ready.items() if one.checker is not None}
        return made | broken

    def build(self, one: ReadyConnection, worked: Mapping[str, str | None]) -> Checker:
        """Return the checker of *one*; raise ValueError if its settings cannot work."""
        return build_checker(
            one.connection,
            self.config,
            self.clients,
            self.grants,
            self.held,
            worked=worked,
            allowed=None if one.watched.owner == OWNER_FILE else self.config.web.reachable,
        )


class _BrokenChecker:
    """Stand in for a checker whose settings cannot work just now."""

    def __init__(self, problem: str) -> None:
        self._problem = problem

    async def check(self) -> Outcome:
        """Say that nothing was asked."""
        return Outcome(Reason.PROTOCOL, self._problem)


def prepare_checkers(
    tx: Transaction,
    config: Config,
    settings: RowSettings,
    clients: HttpClients,
    former: CheckerSet | None = None,
) -> CheckerSet:
    """Return what makes the checkers of connections that are switched on.

    Those of the connections that are ready in *settings* are made now, so that what cannot
    work is found at once. Stored refresh tokens that the file has newer ones for are forgotten.

    Args:
        config: What all connections have in common.
        clients: What the checkers call with.
        former: What calls services now, if anything does: exchanges under way and
            tokens held go on, and those that come meanwhile are not lost.

    Raises:
        ValueError: A setting cannot work, such as a CA file that was emptied just now.
    """
    key = credentials.find_or_make_key(tx, credentials.FINGERPRINT_KEY)
    connections = settings.connections_of(tx, credentials.list_refresh_tokens(tx))
    fingerprint = partial(credentials.fingerprint, key)
    stored = HandshakeTokens(fingerprint, _read_tokens(tx, config, connections, _warn))
    for name in find_outdated_tokens(connections, stored):
        credentials.drop_refresh_token(tx, name)
    grants = former.grants if former else GrantLocks()
    held = former.held if former else stored
    maker = _Maker(config, settings, clients, grants, held)
    ready = [one for one in settings.list_ready() if one.connection.enabled]
    worked = results.list_authorized(tx, [one.connection.name for one in ready]) if ready else {}
    for one in ready:
        one.checker = maker.build(one, worked)
    kept = former.clients if former else clients
    gone = frozenset({*held} - settings.connections_of(tx, held).keys())
    return CheckerSet(maker.make, kept, grants, held, fingerprint, stored, gone)
