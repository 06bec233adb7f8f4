"""Look over an installation, and say what to fix.

Each function looks at one thing, yields findings and changes nothing: the daemon and its
channels; the clock and the ways to the hosts, as far as TLS, where nothing is sent; the
file, all that it refers to and who may read the secrets; the files of the database and
their disk. In which order they are called and how findings look is left to
`monitor.cli.doctor`.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import pwd
import shutil
import stat
import sys
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.config.connections import AmazonConnection
from monitor.config.describe import walk
from monitor.config.errors import Notice, Problem, as_argument, format_count
from monitor.config.remarks import check_files, check_secrets, exposed_secrets, notices
from monitor.config.secret import Secret, SourceKind
from monitor.judge.conditions import ConditionKind
from monitor.judge.health import is_late
from monitor.notify.apprise import validate_url
from monitor.notify.samples import try_template
from monitor.notify.times import format_expiry, format_span
from monitor.providers.limits import shares_of
from monitor.providers.reachability import Hop, probe_host
from monitor.report.conditions import (
    NO_CHANNEL,
    advise_condition,
    describe_condition,
    describe_failure,
    find_failed_reload,
    read_conditions,
)
from monitor.report.validation import CERTIFICATE_SOON, Mark, urls_of
from monitor.store import outbox
from monitor.store.damage import find_damage, read_set_aside
from monitor.store.engine import StoreError, is_locked
from monitor.store.migrate import HEAD, current_revision, require_head
from monitor.store.outbox import ChannelCounts, count_by_channel
from monitor.store.schedule import find_most_overdue

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from monitor.config.hosts import AllowedHosts
    from monitor.config.model import Config
    from monitor.config.remarks import SecretsChecked
    from monitor.store.engine import Database, Transaction


class Area(StrEnum):
    """What was looked at."""

    SETTINGS = "settings"
    SECRETS = "secrets"
    DATABASE = "database"
    DISK = "disk"
    DAEMON = "daemon"
    CHANNELS = "channels"
    CLOCK = "clock"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Args:
        state: SKIPPED where it cannot be told from here.
        words: What is so, on what.
        remedy: What to do next; empty where there is nothing to do.
    """

    area: Area
    state: Mark
    words: str
    remedy: str = ""


def _may_others_read(facts: os.stat_result) -> bool:
    """Tell whether more than the owner may read a file."""
    return bool(facts.st_mode & (stat.S_IRGRP | stat.S_IROTH))


# --- the daemon and its channels


def examine_daemon(
    database: Database, tx: Transaction, config: Config, names: Collection[str], now: datetime
) -> Iterator[Finding]:
    """Yield whether a daemon runs on *database*, and whether it keeps up.

    Args:
        names: All that is watched.
    """
    if not is_locked(database):
        words = f"no daemon runs on {database.path}: no checks and no alerts"
        remedy = "systemctl start connwatch, or connwatch run"
        yield Finding(Area.DAEMON, Mark.FAILED, words, remedy)
        return
    overdue = find_most_overdue(tx, names, now)
    if overdue is not None and is_late(
        overdue[1], max(config.longest_timeout, config.checks.timeout)
    ):
        name, late = overdue
        words = f"it is behind: the check of {name} is {format_span(late)} late"
        remedy = "read its log, and check whether this machine is overloaded"
        yield Finding(Area.DAEMON, Mark.FAILED, words, remedy)
    else:
        yield Finding(Area.DAEMON, Mark.OK, "it is running, and no check is overdue")
    if config.heartbeat.url is None:
        words = "no [heartbeat] is set: if this machine dies, no alert is sent"
        remedy = "set heartbeat.url to a check of Healthchecks or a similar service"
        yield Finding(Area.DAEMON, Mark.WARNING, words, remedy)


_CONDITION_AREAS = {
    ConditionKind.MUTED_ALL: Area.CHANNELS,
    ConditionKind.RELOAD_FAILED: Area.SETTINGS,
}
"""The settings name a missing channel, and each channel says itself that it fails."""


def examine_conditions(
    database: Database, tx: Transaction, config: Config, now: datetime
) -> Iterator[Finding]:
    """Yield what else keeps alerts from being sent: everything muted, a failed reload."""
    failed_at = find_failed_reload(tx) if is_locked(database) else None
    names = [channel.name for channel in config.channels]
    for condition in read_conditions(tx, names, failed_at, now):
        area = _CONDITION_AREAS.get(condition.kind)
        if area is not None:
            is_failed = condition.kind is ConditionKind.RELOAD_FAILED
            words, remedy = (
                describe_condition(condition, now, config.alerts.zone),
                advise_condition(condition),
            )
            yield Finding(area, Mark.FAILED if is_failed else Mark.WARNING, words, remedy)


def examine_limits(config: Config) -> Iterator[Finding]:
    """Yield whether a daemon can have as many files open as its settings want."""
    shares = shares_of(config, of_hard_limit=True)
    if shares.is_enough:
        words = f"{shares.limit:,} files can be open, {shares.wanted:,} are needed"
        yield Finding(Area.DAEMON, Mark.OK, words)
        return
    words = (
        f"only {shares.limit:,} files can be open here: of checks.concurrency ="
        f" {config.checks.concurrency:,} no more than {shares.checks:,} checks run at once"
    )
    remedy = f"raise it to {shares.wanted:,} (LimitNOFILE in the unit, ulimit -n)"
    yield Finding(Area.DAEMON, Mark.WARNING, words, remedy)


def examine_channels(tx: Transaction, config: Config, now: datetime) -> Iterator[Finding]:
    """Yield how each channel of *config* fares."""
    known = count_by_channel(tx)
    failures = {one.name: one for one in outbox.list_failing_channels(tx)}
    for channel in config.channels:
        counts = known.get(channel.name, ChannelCounts())
        failing = failures.get(channel.name)
        if failing is not None:
            words = f"{channel.name}: {describe_failure(failing, now, config.alerts.zone)}"
            remedy = f"fix its URL, then: connwatch alerts test {as_argument(channel.name)}"
            yield Finding(Area.CHANNELS, Mark.FAILED, words, remedy)
        elif counts.last_sent_at is None:
            # A test message leaves no trace here.
            words = f"{channel.name}: not used yet"
            remedy = f"to test it: connwatch alerts test {as_argument(channel.name)}"
            yield Finding(Area.CHANNELS, Mark.SKIPPED, words, remedy)
        else:
            ago = format_span(now - counts.last_sent_at)
            yield Finding(
                Area.CHANNELS, Mark.OK, f"{channel.name}: last message delivered {ago} ago"
            )
        if counts.n_dead:
            words = f"{format_count(counts.n_dead, 'message')} to {channel.name} failed"
            remedy = (
                "connwatch alerts list --dead shows them, connwatch alerts retry sends them again"
            )
            yield Finding(Area.CHANNELS, Mark.WARNING, words, remedy)


# --- the machine

MOST_HOSTS = 50
_AT_ONCE = 10

_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronized."""

_ROOM_FOR_TIMEX = 512
"""More than any kernel's `struct timex`; all zeros asks without changing anything."""


def read_kernel_clock() -> int:
    """Return what adjtimex(2) says of the clock; a negative number where it may not be asked."""
    if sys.platform != "linux":
        return -1
    asked = ctypes.create_string_buffer(_ROOM_FOR_TIMEX)
    verdict: int = ctypes.CDLL(None).adjtimex(asked)
    return verdict


def examine_clock(verdict: int) -> Iterator[Finding]:
    """Yield whether the kernel holds the clock to be synchronized.

    Args:
        verdict: What `read_kernel_clock` returned.
    """
    if verdict < 0:
        words = "whether it is synchronized is unknown here"
        yield Finding(Area.CLOCK, Mark.SKIPPED, words)
    elif verdict == _TIME_ERROR:
        words = "it is not synchronized: dates and alerts may be wrong"
        remedy = "timedatectl set-ntp true; in a container, look at the host's clock"
        yield Finding(Area.CLOCK, Mark.WARNING, words, remedy)
    else:
        yield Finding(Area.CLOCK, Mark.OK, "it is synchronized")


@dataclass(frozen=True, slots=True)
class _Target:
    """A host that checks go to."""

    url: str
    ca_file: Path | None
    timeout: timedelta
    proxy: Secret | None
    allowed: AllowedHosts | None = None

    @property
    def key(self) -> tuple[str, str, Path | None, Secret | None, AllowedHosts | None]:
        parts = urlsplit(self.url)
        return parts.scheme, parts.netloc, self.ca_file, self.proxy, self.allowed


async def examine_network(config: Config, now: datetime) -> list[Finding]:
    """Return for each host of *config* how far the way to it leads."""
    targets = {target.key: target for target in _list_targets(config)}
    chosen = list(targets.values())[:MOST_HOSTS]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def examine(target: _Target) -> Finding:
        async with slots:
            return await _examine_host(target, now)

    findings = list(await asyncio.gather(*map(examine, chosen)))
    if len(targets) > len(chosen):
        left = f"{len(targets) - len(chosen):,} more hosts were not checked"
        findings.append(Finding(Area.NETWORK, Mark.SKIPPED, left))
    return findings


def _list_targets(config: Config) -> Iterator[_Target]:
    for url in config.checks.uplink:
        yield _Target(url, None, config.checks.timeout, config.own_proxy)
    for connection in config.connections:
        if connection.enabled:
            for url in urls_of(connection, config):
                timeout, proxy = config.timeout_of(connection), config.proxy_of(connection)
                reach = None
                if not isinstance(connection, AmazonConnection):
                    reach = config.reach_of(connection)
                yield _Target(url, connection.ca_file, timeout, proxy, reach)


async def _examine_host(target: _Target, now: datetime) -> Finding:
    host = urlsplit(target.url).netloc
    took_ms = 0.0
    ends_at = None
    try:
        probe = probe_host(target.url, target.ca_file, target.timeout, target.proxy, target.allowed)
        async with aclosing(probe) as way:
            async for reached in way:
                if reached.failure is not None:
                    remedy = _REMEDIES[reached.hop]
                    return Finding(Area.NETWORK, Mark.FAILED, reached.failure.detail, remedy)
                took_ms += reached.took_ms or 0
                ends_at = reached.certificate_ends_at
    except ValueError as error:
        return Finding(Area.NETWORK, Mark.FAILED, f"{host}: {error}", "fix its ca_file")
    if ends_at is not None and ends_at - now <= CERTIFICATE_SOON:
        return judge_certificate(host, ends_at, now)
    return Finding(Area.NETWORK, Mark.OK, f"{host} can be reached ({took_ms:,.0f} ms)")


def judge_certificate(host: str, ends_at: datetime, now: datetime) -> Finding:
    """Return what is to be said of a certificate that expires soon."""
    words = f"{host}: its certificate {format_expiry(ends_at, now)}"
    remedy = "the admin of that host has to renew it"
    return Finding(Area.NETWORK, Mark.WARNING, words, remedy)


_REMEDIES = {
    Hop.RESOLVE: "check the name, and this machine's name servers",
    Hop.CONNECT: "check the address, and the firewalls between here and there",
    Hop.TLS: "check this machine's clock and certificates; a CA of your own goes into ca_file",
}


# --- the settings

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH

_OF_CONTAINERS = "/run/secrets/"
"""Docker makes secrets readable by all, in a container that nobody else is in."""


def list_problems(
    config: Config, secrets: SecretsChecked, database: Path, now: datetime
) -> list[Problem]:
    """Return all that would keep the daemon from working with *config*.

    Args:
        secrets: What became of trying to read them.
        database: The file that the settings name.
    """
    return [
        *_bad_database(database),
        *secrets.problems,
        *exposed_secrets(config),
        *check_files(config),
        *_bad_channels(config, secrets),
        *bad_templates(config, now),
    ]


NO_CONNECTION = Notice("connections", "there is none, so nothing is watched")
"""True of the file alone: others may have connections in the database."""


def list_remarks(config: Config, secrets: SecretsChecked) -> list[Notice]:
    """Return what the owner of *config* should know, and what stops nothing."""
    remarks = [*notices(config), *secrets.notices]
    if not config.connections and not config.sources:
        remarks.append(NO_CONNECTION)
    if not config.channels:
        remarks.append(Notice("channels", NO_CHANNEL))
    return remarks


def _bad_database(path: Path) -> Iterable[Problem]:
    """Return why no database can ever stand where the file wants it."""
    try:
        if path.is_dir():
            yield Problem("monitor.database", f"{path} is a folder: name a file in it")
        elif not path.parent.is_dir():
            yield Problem("monitor.database", f"its folder {path.parent} does not exist: create it")
    except PermissionError:
        return  # as of a unit's state: who opens it says that it cannot be looked at from here


def _bad_channels(config: Config, secrets: SecretsChecked) -> Iterable[Problem]:
    """Return the channels whose URL can be read and is of no use."""
    unread = {problem.place for problem in secrets.problems}
    unread |= {notice.place for notice in secrets.notices}
    for position, channel in enumerate(config.channels):
        place = f"channels[{position}].url"
        if place not in unread:
            why = validate_url(channel.url)
            if why is not None:
                yield Problem(place, why)


def bad_templates(config: Config, now: datetime) -> Iterable[Problem]:
    """Return the templates that cannot word an alert of every kind their channel receives."""
    for position, channel in enumerate(config.channels):
        if channel.template is not None:
            why = try_template(channel, now)
            if why is not None:
                yield Problem(f"channels[{position}].template", why)


def examine_settings(config: Config, database: Path, now: datetime) -> Iterator[Finding]:
    """Yield what is wrong with *config*, and what its owner should know."""
    secrets = check_secrets(config)
    problems = list_problems(config, secrets, database, now)
    for problem in problems:
        yield Finding(Area.SETTINGS, Mark.FAILED, str(problem))
    for remark in list_remarks(config, secrets):
        is_elsewhere = remark in secrets.notices
        yield Finding(Area.SETTINGS, Mark.SKIPPED if is_elsewhere else Mark.WARNING, str(remark))
    if config.path.stat().st_mode & _OTHERS_MAY_WRITE:
        words = f"others may change {config.path}, and with it where tokens are sent"
        remedy = f"chmod go-w {config.path}"
        yield Finding(Area.SETTINGS, Mark.FAILED, words, remedy)
    if not problems:
        words = (
            f"{config.path}: {format_count(len(config.connections), 'connection')},"
            f" {format_count(len(config.channels), 'channel')}"
        )
        yield Finding(Area.SETTINGS, Mark.OK, words)


def examine_secrets(config: Config) -> Iterator[Finding]:
    """Yield the files with secrets that others may read."""
    files = sorted(_secret_files(config))
    for path in files:
        if _may_others_read(path.stat()):
            words = f"others on this machine may read {path}, which holds a secret"
            remedy = f"chmod go-rwx {path}"
            yield Finding(Area.SECRETS, Mark.WARNING, words, remedy)
    if files:
        yield Finding(
            Area.SECRETS, Mark.OK, f"{format_count(len(files), 'file')} with secrets looked at"
        )


def _secret_files(config: Config) -> set[Path]:
    paths = {
        leaf.value.path
        for leaf in walk(config)
        if isinstance(leaf.value, Secret) and leaf.value.kind is SourceKind.FILE
    }
    return {
        path
        for path in paths
        if path is not None
        and os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises where it may not look
        and not str(path).startswith(_OF_CONTAINERS)
    }


# --- the database and its disk

_BESIDE = ("-wal", "-shm", ".lock")
"""What stands beside the file while somebody uses it."""

MOST_VALUES = 100
_LARGE_LOG = 256 << 20
_SCARCE = 200 << 20
_FULL = 20 << 20
_MB = 1 << 20


def examine_files(path: Path) -> Iterator[Finding]:
    """Yield what is wrong with the owners, the permissions and the sizes of the files."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        words = f"there is no database at {path} yet"
        yield Finding(Area.DATABASE, Mark.WARNING, words, "connwatch run creates it")
        return
    except OSError as error:
        words = f"{path} cannot be read: {error.strerror}"
        yield Finding(Area.DATABASE, Mark.FAILED, words, "run this as its owner, or as root")
        return
    for name in _BESIDE:
        other = path.with_name(path.name + name)
        if other.exists() and other.stat().st_uid != facts.st_uid:
            words = (
                f"{other} belongs to {_user(other.stat().st_uid)}, the database to"
                f" {_user(facts.st_uid)}: the daemon will not be able to write"
            )
            remedy = f"chown --reference={path} {other}"
            yield Finding(Area.DATABASE, Mark.FAILED, words, remedy)
    if _may_others_read(facts):
        words = f"others on this machine may read {path}"
        yield Finding(Area.DATABASE, Mark.WARNING, words, f"chmod 600 {path}")
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size > _LARGE_LOG:
        words = (
            f"{log} has grown to {_size(log.stat().st_size)}: a program holds the database open, so"
            " the log cannot be merged"
        )
        remedy = f"find the program (fuser -v {path})"
        yield Finding(Area.DATABASE, Mark.WARNING, words, remedy)


def examine_schema(database: Database) -> Iterator[Finding]:
    """Yield whether the database can be read, is whole, and has this program's schema."""
    try:
        if current_revision(database) is None:
            return
        require_head(database)
        faults = database.list_faults()
    except StoreError as error:
        yield Finding(Area.DATABASE, Mark.FAILED, str(error))
        return
    for fault in faults:
        words = f"{database.path} is damaged: {fault}"
        remedy = "stop the daemon, then: connwatch db restore COPY"
        yield Finding(Area.DATABASE, Mark.FAILED, words, remedy)
    if not faults:
        size = _size(database.path.stat().st_size)
        words = f"{database.path}: whole, schema {HEAD}, {size}"
        yield Finding(Area.DATABASE, Mark.OK, words)


def examine_rows(database: Database) -> Iterator[Finding]:
    """Yield the values in *database* that cannot be read, and those that were set aside."""
    try:
        if current_revision(database) != HEAD:
            return
        with database.read() as tx:
            damaged = find_damage(tx)
    except StoreError:
        return  # reported already, with what is wrong with it
    for value in damaged[:MOST_VALUES]:
        words = f"{value}: its value is damaged"
        remedy = (
            "the daemon sets the row aside when it starts or reads it, and continues without it"
        )
        yield Finding(Area.DATABASE, Mark.FAILED, words, remedy)
    kept = read_set_aside(database.set_aside_path)
    for value in kept[:MOST_VALUES]:
        words = f"{value}: its value was damaged, and was set aside"
        if value.removed_with:
            words = f"{value}: was set aside with what it belonged to, {value.removed_with}"
        remedy = (
            f"the row as it was is in {database.set_aside_path}, with the statement that puts it"
            " back; delete that file after a look"
        )
        yield Finding(Area.DATABASE, Mark.WARNING, words, remedy)
    n_more = max(len(damaged) - MOST_VALUES, 0) + max(len(kept) - MOST_VALUES, 0)
    if n_more:
        words = f"{n_more:,} more values are damaged"
        yield Finding(Area.DATABASE, Mark.FAILED, words, "connwatch db restore COPY")


def examine_disk(path: Path) -> Iterator[Finding]:
    """Yield how much room there is for the database at *path* to grow and to be copied."""
    folder = path.parent
    try:
        free = shutil.disk_usage(folder).free
        nodes = os.statvfs(folder)
        size = path.stat().st_size if path.is_file() else 0
    except OSError as error:
        words = f"{folder} cannot be read: {error.strerror}"
        yield Finding(Area.DISK, Mark.SKIPPED, words)
        return
    words = f"{_size(free)} free in {folder}"
    if nodes.f_flag & os.ST_RDONLY:
        words = f"the disk of {folder} is mounted read-only"
        remedy = "read the kernel's log, and mount it for writing again"
        yield Finding(Area.DISK, Mark.FAILED, words, remedy)
    elif free < _FULL:
        remedy = "make room now: results and alerts wait in memory until there is some"
        yield Finding(Area.DISK, Mark.FAILED, words, remedy)
    elif free < max(_SCARCE, 2 * size):
        remedy = "make room: an upgrade copies the database first"
        yield Finding(Area.DISK, Mark.WARNING, words, remedy)
    else:
        yield Finding(Area.DISK, Mark.OK, words)
    if nodes.f_files and not nodes.f_favail:
        words = f"no more files can be created in {folder}"
        yield Finding(Area.DISK, Mark.FAILED, words, "delete some: its table of files is full")


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _size(count: int) -> str:
    return f"{count / _MB:,.0f} MB" if count >= 10 * _MB else f"{count / _MB:,.1f} MB"
