"""Open what a command needs: the configuration, its secrets and its database.

Commands that only read never create, migrate or write anything. They see the connections of
all owners: those of the file as it has them now, whatever the database has heard of that, and those
that others wrote, by name. Started by root, a command
becomes the user who owns the database: what root creates beside it, its log or its lock,
would stop the daemon, which runs as another user.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from monitor.cli.errors import CommandError, print_error
from monitor.clock import utc_now
from monitor.config.connections import (
    AmazonConnection,
    Application,
    Connection,
    CountdownConnection,
)
from monitor.config.describe import walk, walk_table
from monitor.config.errors import ConfigError, Problem, as_argument, did_you_mean
from monitor.config.load import find_config, load_config
from monitor.config.model import Channel
from monitor.config.remarks import check_certificates
from monitor.config.secret import MalformedSecret, Secret, SecretUnavailable
from monitor.judge.authorizations import AuthorizationClock, declare_date
from monitor.judge.outcome import Standing
from monitor.judge.quota import Quota

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from monitor.cli.settings import CommandSettings
    from monitor.config.describe import Leaf
    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.engine.checkers import StoredAccess
    from monitor.judge.connections import ConnectionRecord, Entry, Watched
    from monitor.store.engine import Database, Transaction


def find_former(tx: Transaction, entry: Entry) -> ConnectionRecord | None:
    """Return the history that *entry* will continue: its own from before, or its former name's."""
    from monitor.store import connections

    record = connections.find_record(tx, entry.name)
    if record is None and entry.renamed_from is not None:
        record = connections.find_record(tx, entry.renamed_from)
    return record


def as_configured(record: ConnectionRecord, entry: Entry, now: datetime) -> ConnectionRecord:
    """Return *record* with what its owner says of it now."""
    return replace(
        record,
        name=entry.name,
        provider=entry.provider,
        host=entry.host,
        is_configured=True,
        is_enabled=entry.is_enabled,
        clock=declare_date(record.clock, entry.declared, now),
    )


def never_checked(entry: Entry, now: datetime) -> ConnectionRecord:
    """Return the record of a connection that the database has not heard of."""
    from monitor.judge.connections import ConnectionRecord

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
        clock=declare_date(AuthorizationClock(), entry.declared, now),
    )


ResultT = TypeVar("ResultT")
FoundT = TypeVar("FoundT")

_MANY = 20_000
"""Of so many, all records are read at once, else those asked for."""

_NEAR = 100
"""So many names of each other owner, before and after a wrong one, are compared with it."""


_LEFTOVERS = (".restoring", ".part-")
"""In the names of what killed commands leave; what it is exactly, `store.migrate` decides."""


def _find_user() -> str:
    """Return who of this machine runs the command."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"{number}"


class Session:
    """One run of the command line.

    Args:
        config_path: The value of `--config`.
        is_verbose: The value of `--verbose`.

    Attributes:
        who: How the audit names who runs it.
    """

    def __init__(self, config_path: str | None, *, is_verbose: bool) -> None:
        self._config_path = config_path
        self.is_verbose = is_verbose
        self._reported_deleted: set[str] = set()
        # Before root becomes the owner of the database.
        self.who = f"cli:{_find_user()}"

    def anew(self) -> Session:
        """Return a session over the same file, that reads it again."""
        return Session(str(self.path), is_verbose=self.is_verbose)

    def quiet_logs(self) -> None:
        """Log nothing but what a person wants to see beside the output of a command."""
        from monitor.log import configure_logging

        configure_logging(is_verbose=self.is_verbose, is_quiet=True)

    @cached_property
    def path(self) -> Path:
        """Return the configuration file.

        Raises:
            ConfigError: There is none.
        """
        return find_config(self._config_path)

    @cached_property
    def config(self) -> Config:
        """Return the settings; no secret is read for that.

        Raises:
            ConfigError: With everything that is wrong in the file.
        """
        return load_config(self.path)

    def take_config(self) -> Config:
        """Return the settings, and keep nothing of them: whoever asks again reads the file again.

        Raises:
            ConfigError: With everything that is wrong in the file.
        """
        config = self.config
        for name in ("config", "settings", "plan", "config_with_channels"):
            self.__dict__.pop(name, None)
        return config

    @cached_property
    def settings(self) -> CommandSettings:
        """Return the settings of the connections of all owners."""
        from monitor.cli.settings import CommandSettings

        return CommandSettings(self.config, self.quiet_logs)

    @cached_property
    def plan(self) -> Plan:
        """Return what the settings mean for judging and routing."""
        from monitor.config.plan import make_plan

        return make_plan(self.config_with_channels, self.settings)

    @cached_property
    def config_with_channels(self) -> Config:
        """Return the settings with the channels that are stored beside those of the file."""
        self._read_keys()
        database = self.open_for_reading()
        if database is None:
            return self.config
        from monitor.store.channels import list_channel_names

        with database.read() as tx:
            if not list_channel_names(tx):
                return self.config
            from monitor.engine.channels import with_stored_channels

            self.quiet_logs()
            return with_stored_channels(tx, self.config)

    def _read_keys(self) -> None:
        """Read what decrypts, while this is still root."""
        if os.geteuid() != 0:
            return
        web = self.config.web
        for key in (web.key, *web.old_keys):
            if key is not None and key.command is None:
                with suppress(SecretUnavailable):
                    key.reveal()

    @property
    def entries(self) -> Sequence[Entry]:
        """Return the connections of the file, in its order, as the store needs them."""
        return self.settings.file.entries

    def watched_of(self, names: Collection[str]) -> Mapping[str, Watched]:
        """Return the settings of those of *names* that are known, as the rules see them."""
        return self._look_up(names, self.settings.watched_of)

    def watched(self, name: str) -> Watched:
        """Return the settings of the connection called *name*, as the rules see them.

        Raises:
            CommandError: It has none that mean anything.
        """
        watched = self.watched_of((name,)).get(name)
        if watched is None:
            raise unusable_entry(name)
        return watched

    def connection(self, name: str) -> Connection:
        """Return what its owner says of the connection called *name*.

        Raises:
            CommandError: There is none, or what is kept of it means nothing.
        """
        self.require_known(name)
        connection = self._look_up((name,), self.settings.connections_of).get(name)
        if connection is None:
            raise unusable_entry(name)
        return connection

    def connections_outside(self, names: Collection[str]) -> Mapping[str, Connection]:
        """Return what other owners than the file say of those of *names* that it does not have."""
        return self._look_up(names, self.settings.connections_outside)

    def config_of(self, names: Collection[str]) -> Config:
        """Return the settings with the connections called *names*, whoever owns them."""
        outside = self.connections_outside(names)
        if not outside:
            return self.config
        inside = [each for each in self.config.connections if each.name in names]
        return self.config.with_connections([*inside, *outside.values()], outside)

    def _look_up(
        self,
        names: Collection[str],
        ask: Callable[[Transaction | None, Collection[str]], Mapping[str, FoundT]],
    ) -> Mapping[str, FoundT]:
        """Return what *ask* finds of *names*; the database is left alone if the file has all."""
        if all(self.config.connection(name) is not None for name in names):
            return ask(None, names)
        found = self.read(lambda tx: ask(tx, names))
        return ask(None, names) if found is None else found

    @cached_property
    def database(self) -> Database:
        """Return the database of the settings, not opened yet; root becomes its owner.

        Raises:
            CommandError: Root may not become that user.
        """
        from monitor.store.engine import Database

        become_owner(self.config.monitor.database_path)
        database = Database(self.config.monitor.database)
        self._remove_leftovers(database)
        return database

    def _remove_leftovers(self, database: Database) -> None:
        """Remove what killed commands left beside *database*, where there is such."""
        folder = database.path.parent
        try:
            is_any = any(
                name.startswith(database.path.name) and any(word in name for word in _LEFTOVERS)
                for name in os.listdir(folder)  # noqa: PTH208 - names are all that is needed
            )
        except OSError:
            return  # whoever reads or writes there says what is wrong
        if is_any:
            from monitor.store.migrate import remove_leftovers

            for path in remove_leftovers(database):
                print_error(f"{path}: removed, a command that was killed had left it")

    def open_for_reading(self) -> Database | None:
        """Return the database if it exists and can be read as it is.

        Raises:
            CommandError: A folder stands where it should be.
            StoreError: It is damaged, or its schema is not this program's.
        """
        from monitor.store.migrate import current_revision, require_head

        if os.path.isdir(self.database.path):  # noqa: PTH112 - Path.is_dir raises where it may not look
            raise CommandError(f"the database {self.database.path} is a folder: name a file in it")
        # Without tables yet, the daemon is just making them for the first time.
        if current_revision(self.database) is None:
            return None
        require_head(self.database)
        return self.database

    def read(self, ask: Callable[[Transaction], ResultT]) -> ResultT | None:
        """Return what *ask* finds in the database; None where there is no database yet."""
        database = self.open_for_reading()
        if database is None:
            return None
        with database.read() as tx:
            return ask(tx)

    def open_for_writing(self, about: str | None = None) -> Database:
        """Return the database, made and migrated if need be, and in line with the file.

        Args:
            about: The connection that the command is about; that it is deleted
                is then for the command to say.

        Raises:
            StoreError: It cannot be written.
        """
        from monitor.store import applications, connections, credentials, migrate

        migrate.upgrade_beside_daemon(self.database)
        now, plan = utc_now(), self.plan  # its channels are read before anything is written
        with self.database.write() as tx:
            ignored = connections.sync(tx, self.entries, now)
            applications.sync(tx, plan.applications, now)
            credentials.find_or_make_key(tx, credentials.FINGERPRINT_KEY)
        for name in sorted(ignored - {about}):
            self._report_deleted(name)
        return self.database

    def close(self) -> None:
        """Close the database, if it was opened."""
        if "database" in self.__dict__:
            self.database.close()

    def entry(self, name: str) -> Entry:
        """Return the connection called *name* as the store needs it.

        Raises:
            CommandError: There is none, or what is kept of it means nothing.
        """
        from monitor.config.plan import Describer

        return Describer(self.config).entry(self.connection(name))

    def find_record(self, tx: Transaction, name: str) -> ConnectionRecord:
        """Return the record that a command will change, within its own transaction.

        Raises:
            CommandError: It was deleted.
        """
        from monitor.store import connections

        record = connections.find_record(tx, name)
        if record is None:
            raise self.deleted_name(name)
        return record

    def require_known(self, *names: str) -> None:
        """Refuse a name that no owner has.

        Raises:
            CommandError: Says which, and the nearest known one.
            StoreError: The file does not have it, and the database cannot be asked.
        """
        missing = [name for name in names if self.config.connection(name) is None]
        if not missing:
            return
        found = self.read(lambda tx: self.settings.names_of(tx, missing)) or ()
        for name in missing:
            if name not in found:
                known = [connection.name for connection in self.config.connections]
                known += self._list_names_near(name)
                raise CommandError(f'no connection is called "{name}"{did_you_mean(name, known)}')

    def is_tag_outside(self, tag: str) -> bool:
        """Tell whether connections have that *tag* that are not in the file."""
        from monitor.cli.settings import is_tag_of_others

        return self.read(lambda tx: is_tag_of_others(tx, tag)) or False

    def _list_names_near(self, name: str) -> list[str]:
        from monitor.cli.settings import list_names_near

        return self.read(lambda tx: list_names_near(tx, name, _NEAR)) or []

    def deleted_name(self, name: str) -> CommandError:
        """Return the complaint about a connection that was deleted."""
        from monitor.cli.settings import describe_owner

        has_it = describe_owner(self.settings.owner_of(name))
        return CommandError(
            f'connection "{name}" was deleted and is ignored although {has_it} has it; '
            f"connwatch resume {as_argument(name)} brings it back"
        )

    def choose(self, names: Collection[str] | None) -> set[str]:
        """Return *names*, or those of all connections.

        Raises:
            CommandError: There are none at all, or none of that name.
        """
        from monitor.store.engine import StoreError

        if names:
            self.require_known(*names)
            return set(names)
        try:
            known = self.read(lambda tx: list(self.settings.names(tx)))
        except StoreError:
            # A schema to be migrated, perhaps; what is worse shows when it is opened.
            known = None
        chosen = set(self.settings.names(None) if known is None else known)
        if not chosen:
            raise CommandError(
                f"no connection is configured: add a [[connections]] table to {self.path}, with "
                "name, provider and what that needs; `connwatch config check` tells whether it is"
                " right"
            )
        return chosen

    def records(
        self, tx: Transaction | None, names: Collection[str], now: datetime
    ) -> list[ConnectionRecord]:
        """Return what is known of the connections called *names*.

        Those of the file come first, in its order, then the others by name. Those that the
        database has not heard of were never checked. Deleted ones are left out, with a word
        on stderr.

        Args:
            tx: None where there is no database yet.
        """
        from monitor.store import connections

        if tx is None:
            return [never_checked(one, now) for one in self.settings.entries_of(None, names)]
        deleted = connections.list_deleted(tx)
        known = {record.name: record for record in _list_records(tx, names)}
        # What the database alone has is in line with its settings, which need not be read then.
        in_line = [n for n in self.settings.list_in_line(tx, names) if n in known]
        records = []
        for entry in self.settings.entries_of(tx, set(names).difference(in_line)):
            if entry.name in deleted:
                self._report_deleted(entry.name)
                continue
            record = known.get(entry.name) or find_former(tx, entry)
            records.append(
                as_configured(record, entry, now) if record else never_checked(entry, now)
            )
        if not in_line:
            return records
        of_file = [one for one in records if self.config.connection(one.name) is not None]
        others = [*records[len(of_file) :], *(known[name] for name in in_line)]
        return [*of_file, *sorted(others, key=attrgetter("name"))]

    def read_ahead(self, names: Collection[str] | None, *, with_channels: bool) -> None:
        """Read secrets while this is still root: the owner of the database may not be able to.

        What cannot be read is told by who requires it.

        Args:
            names: The connections that will be called; None for all.
        """
        if os.geteuid() != 0:
            return
        named = [each.name for each in self.config.connections] if names is None else names
        list(_unreadable_secrets(find_leaves(self.config, named, with_channels=with_channels)))
        list(unusable_proxy(self.config))
        self._read_keys()

    def require_usable(self, names: Collection[str], *, with_channels: bool) -> None:
        """Read the secrets and certificates of the connections called *names*.

        Raises:
            ConfigError: With all that cannot be read.
        """
        outside = self.connections_outside(names)
        leaves = find_leaves(self.config, names, outside.values(), with_channels=with_channels)
        problems = list(_unreadable_secrets(leaves))
        if _needs_proxy(self.config_of(names), names):
            problems += unusable_proxy(self.config)
        problems += check_certificates(leaves)
        if problems:
            raise ConfigError(problems, self.path)

    def _report_deleted(self, name: str) -> None:
        if name not in self._reported_deleted:
            self._reported_deleted.add(name)
            print_error(str(self.deleted_name(name)))


def unusable_entry(name: str) -> CommandError:
    """Return the complaint about settings in the database that cannot be read."""
    return CommandError(
        f'the settings of "{name}" cannot be read: save it again, or see why in the daemon\'s log'
    )


def _list_records(tx: Transaction, names: Collection[str]) -> Iterator[ConnectionRecord]:
    from monitor.store import connections
    from monitor.store.statements import in_pieces

    if len(names) > _MANY:
        yield from connections.list_records(tx)
        return
    for some in in_pieces(names):
        yield from connections.list_records(tx, some)


def find_leaves(
    config: Config,
    names: Collection[str],
    outside: Collection[Connection] = (),
    *,
    with_channels: bool = False,
) -> list[Leaf]:
    """Return the settings of the connections called *names* and of their applications.

    Args:
        outside: Those of them that are not in the file.
    """
    applications = {
        connection.application
        for connection in (*config.connections, *outside)
        if isinstance(connection, AmazonConnection) and connection.name in names
    }
    leaves = [
        leaf
        for leaf in walk(config)
        if (isinstance(leaf.table, Connection) and leaf.table.name in names)
        or (isinstance(leaf.table, Application) and leaf.table.name in applications)
        or (with_channels and isinstance(leaf.table, Channel))
    ]
    for connection in outside:
        leaves += walk_table(f'connection "{connection.name}"', connection)
    return leaves


def _unreadable_secrets(leaves: Sequence[Leaf]) -> Iterator[Problem]:
    for leaf in leaves:
        if isinstance(leaf.value, Secret) and isinstance(
            leaf.table, Application | Connection | Channel
        ):
            try:
                # A command is run by who needs it, and its failure is no reason not to start.
                if leaf.value.command is None:
                    leaf.value.reveal()
            except MalformedSecret as error:
                # Its own checks say so; others go on.
                if isinstance(leaf.table, Channel):
                    yield Problem(leaf.place, f'{error} (needed for "{leaf.table.name}")')
            except SecretUnavailable as error:
                yield Problem(leaf.place, f'{error} (needed for "{leaf.table.name}")')


def _needs_proxy(config: Config, names: Collection[str]) -> bool:
    """Tell whether one of the connections called *names* is called through `checks.proxy`."""
    return any(
        connection.name in names
        and connection.proxy is None
        and not isinstance(connection, CountdownConnection)
        for connection in config.connections
    )


def unusable_proxy(config: Config) -> Iterator[Problem]:
    """Yield why `checks.proxy` cannot be used: no check that needs it could say anything else."""
    try:
        if config.own_proxy is not None and config.own_proxy.command is None:
            config.own_proxy.reveal()
    except SecretUnavailable as error:
        yield Problem("checks.proxy", str(error))


def read_access(
    session: Session, database: Database | None, names: Collection[str]
) -> StoredAccess:
    """Return what the database knows of the credentials of *names*.

    Raises:
        CommandError: A token that a handshake brought cannot be read: a check with the
            file's would only find out that it is an old one.
    """
    from monitor.engine import checkers

    if database is None:
        return checkers.StoredAccess()
    with database.read() as tx:
        connections = session.settings.connections_of(tx, names)
        return checkers.read_access(tx, session.config, connections, _refuse_unreadable)


def _refuse_unreadable(name: str, error: Exception) -> None:
    raise CommandError(
        f"{name} was renewed on the dashboard, and its token cannot be read from here: {error}"
    )


_KEEP_CAPABILITIES = 8  # PR_SET_KEEPCAPS
_CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_MAY_PASS = 1 << 2  # CAP_DAC_READ_SEARCH: read and pass through, never write
_PRIVATE = 0o077


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def become_owner(database: Path) -> None:
    """Become the owner of *database*, or of its folder while there is none; for good.

    Does nothing unless this is root and the owner is another user.

    Raises:
        CommandError: This root may not become another user.
    """
    owner = _find_owner(database) if os.geteuid() == 0 else None
    if owner is None:
        return
    uid, gid = owner
    # The program is as necessary as the database: most of it is loaded when it is used.
    needed = (database.parent, Path(__file__).parent, Path(os.__file__).parent, Path(sys.prefix))
    try:
        _leave_root(uid, gid)
        _keep(0 if all(os.access(folder, os.X_OK) for folder in needed) else _MAY_PASS)
    except OSError as error:
        raise CommandError(
            f"the database {database} belongs to user {_name_of(uid) or uid}, which this root may"
            f" not become ({error.strerror}): run the command as that user"
        ) from error


def _find_owner(database: Path) -> tuple[int, int] | None:
    for path in (database, database.parent):
        try:
            found = path.stat()
        except OSError:
            continue
        return (found.st_uid, found.st_gid) if found.st_uid else None
    return None


def _leave_root(uid: int, gid: int) -> None:
    os.umask(_PRIVATE)
    name = _name_of(uid)
    if name is None:
        os.setgroups([])
    else:
        os.initgroups(name, gid)
    os.setgid(gid)
    if sys.platform == "linux":
        _call("prctl", _KEEP_CAPABILITIES, 1, 0, 0, 0)
    os.setuid(uid)


def _name_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None  # a number made up by systemd, or of a container


def _keep(capabilities: int) -> None:
    """Give up all capabilities that are left but these."""
    if sys.platform != "linux":
        return
    header = _Header(_CAPABILITY_VERSION, 0)
    low, high = _Sets(capabilities, capabilities, 0), _Sets(0, 0, 0)
    _call("capset", ctypes.byref(header), (_Sets * 2)(low, high))


def _call(name: str, *arguments: object) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
