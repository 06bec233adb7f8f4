"""
Open what a command needs: the configuration, its secrets and its database.

Commands that only read never create, migrate or write anything, and see the
connections as the file has them now, whatever the database has heard of it.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from monitor.cli.ending import CommandError, complain
from monitor.cli.known import as_configured, find_former, never_checked
from monitor.clock import utc_now
from monitor.config.amazon import AmazonConnection
from monitor.config.application import Application
from monitor.config.errors import ConfigError, Problem
from monitor.config.load import check_files, find_config, load_config
from monitor.config.model import Channel, Connection
from monitor.config.secret import Secret, SecretUnavailable
from monitor.config.walk import walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from monitor.config.model import Config
    from monitor.config.walk import Leaf
    from monitor.judge.connections import ConnectionRecord
    from monitor.plan import Plan
    from monitor.store.engine import Database, Transaction

_FEW = 500


class Session:
    """
    One run of the command line.

    Args:
        config_path: The value of `--config`.
        is_verbose: The value of `--verbose`.
    """

    def __init__(self, config_path: str | None, *, is_verbose: bool) -> None:
        self._config_path = config_path
        self.is_verbose = is_verbose
        self._told_deleted: set[str] = set()

    def anew(self) -> Session:
        """
        Return a session over the same file, that reads it again.
        """
        return Session(str(self.path), is_verbose=self.is_verbose)

    @cached_property
    def path(self) -> Path:
        """
        Return the configuration file.

        Raises:
            ConfigError: There is none.
        """
        return find_config(self._config_path)

    @cached_property
    def config(self) -> Config:
        """
        Return the settings; no secret is read for that.

        Raises:
            ConfigError: With everything that is wrong in the file.
        """
        return load_config(self.path)

    @cached_property
    def plan(self) -> Plan:
        """
        Return what the settings mean for judging and routing.
        """
        from monitor.plan import make_plan

        return make_plan(self.config)

    @cached_property
    def database(self) -> Database:
        """
        Return the database of the settings, not opened yet; root becomes its owner.

        Raises:
            CommandError: Root may not become that user.
        """
        from monitor.cli.owner import become_owner
        from monitor.store.engine import Database

        become_owner(self.config.monitor.database_path)
        return Database(self.config.monitor.database)

    def open_for_reading(self) -> Database | None:
        """
        Return the database if it exists and can be read as it is.

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

    def open_for_writing(self, about: str | None = None) -> Database:
        """
        Return the database, made and migrated if need be, and in line with the file.

        Args:
            about: The connection that the command is about; that it is deleted
                is then for the command to say.

        Raises:
            StoreError: It cannot be written.
        """
        from monitor.store import applications, connections, keys, migrate

        migrate.upgrade_beside_daemon(self.database)
        now = utc_now()
        with self.database.write() as tx:
            ignored = connections.sync(tx, self.plan.entries, now)
            applications.sync(tx, self.plan.applications, now)
            keys.find_or_make(tx, keys.FINGERPRINT)
        for name in sorted(ignored - {about}):
            self._tell_deleted(name)
        return self.database

    def close(self) -> None:
        """
        Close the database, if it was opened.
        """
        if "database" in self.__dict__:
            self.database.close()

    def find(self, database: Database, name: str) -> ConnectionRecord:
        """
        Return the record of the connection called *name*.

        Raises:
            CommandError: Nobody knows that name, or it was deleted.
        """
        from monitor.store import connections

        self.require_known(name)
        with database.read() as tx:
            record = connections.find_record(tx, name)
        if record is None or not record.is_configured:
            raise self.deleted_name(name)
        return record

    def require_known(self, *names: str) -> None:
        """
        Refuse a name that the file does not have.

        Raises:
            CommandError: Says which, and the nearest known one.
        """
        from monitor.config.wording import did_you_mean

        for name in names:
            if self.config.connection(name) is None:
                known = [connection.name for connection in self.config.connections]
                raise CommandError(f'no connection is called "{name}"{did_you_mean(name, known)}')

    def deleted_name(self, name: str) -> CommandError:
        """
        Return the complaint about a connection that was deleted.
        """
        from monitor.config.wording import as_argument

        return CommandError(
            f'connection "{name}" was deleted and is ignored although the file has it; '
            f"connwatch resume {as_argument(name)} brings it back"
        )

    def choose(self, names: Sequence[str]) -> list[Connection]:
        """
        Return the connections called *names*, or all, in the order of the file.

        Raises:
            CommandError: There are none at all, or none of that name.
        """
        if not self.config.connections:
            raise CommandError(
                f"no connection is configured: add a [[connections]] table to {self.path}, with "
                "name, provider and what that needs; `connwatch config check` tells whether it is"
                " right"
            )
        self.require_known(*names)
        wanted = set(names)
        return [each for each in self.config.connections if not wanted or each.name in wanted]

    def records(
        self, tx: Transaction | None, names: Collection[str], now: datetime
    ) -> list[ConnectionRecord]:
        """
        Return what is known of the connections called *names*, in the order of the file.

        Those that the database has not heard of were never checked. Deleted
        ones are left out, with a word on stderr.

        Args:
            tx: None where there is no database yet.
        """
        from monitor.store import connections

        entries = [entry for entry in self.plan.entries if entry.name in names]
        if tx is None:
            return [never_checked(entry, now) for entry in entries]
        deleted = connections.list_deleted(tx)
        # Databases limit how many names a question may have.
        asked = list(names) if len(names) < _FEW else ()
        known = {record.name: record for record in connections.list_records(tx, asked)}
        records = []
        for entry in entries:
            if entry.name in deleted:
                self._tell_deleted(entry.name)
                continue
            record = known.get(entry.name) or find_former(tx, entry)
            records.append(
                as_configured(record, entry, now) if record else never_checked(entry, now)
            )
        return records

    def read_ahead(self, names: Collection[str], *, with_channels: bool) -> None:
        """
        Read secrets while this is still root: the owner of the database may not be able to.

        What cannot be read is told by who requires it.
        """
        if os.geteuid() == 0:
            list(_unreadable_secrets(self._find_leaves(names, with_channels=with_channels)))

    def require_usable(self, names: Collection[str], *, with_channels: bool) -> None:
        """
        Read the secrets and certificates of the connections called *names*.

        Raises:
            ConfigError: With all that cannot be read.
        """
        leaves = self._find_leaves(names, with_channels=with_channels)
        problems = list(_unreadable_secrets(leaves))
        trusted = {leaf.place for leaf in leaves if leaf.key == "ca_file" and leaf.value}
        if trusted:
            problems += [each for each in check_files(self.config) if each.place in trusted]
        if problems:
            raise ConfigError(problems, self.path)

    def _find_leaves(self, names: Collection[str], *, with_channels: bool) -> list[Leaf]:
        applications = {
            connection.application
            for connection in self.config.connections
            if isinstance(connection, AmazonConnection) and connection.name in names
        }
        return [
            leaf
            for leaf in walk(self.config)
            if (isinstance(leaf.table, Connection) and leaf.table.name in names)
            or (isinstance(leaf.table, Application) and leaf.table.name in applications)
            or (with_channels and isinstance(leaf.table, Channel))
        ]

    def _tell_deleted(self, name: str) -> None:
        if name not in self._told_deleted:
            self._told_deleted.add(name)
            complain(str(self.deleted_name(name)))


def _unreadable_secrets(leaves: Sequence[Leaf]) -> Iterator[Problem]:
    for leaf in leaves:
        if isinstance(leaf.value, Secret) and isinstance(
            leaf.table, Application | Connection | Channel
        ):
            try:
                leaf.value.reveal()
            except SecretUnavailable as error:
                yield Problem(leaf.place, f'{error} (needed for "{leaf.table.name}")')
