"""Say what the configuration means for judging and routing.

Built once from the settings; `monitor.engine.evaluate` reads it for every check. What all
connections have in common stands in the plan itself; those of each come from a `SettingsSource`,
which is the file in memory for the commands, and the rows of the database for the daemon.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from monitor.config.connections import AmazonConnection, Probe
from monitor.config.renewal import renewal_page_of
from monitor.config.zones import read_zone
from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.applications import SECRET_VALID_DAYS
from monitor.judge.authorizations import Declared, start_of
from monitor.judge.connections import Entry, Watched
from monitor.judge.outcome import Rules
from monitor.judge.routing import ChannelRoute, DigestTime, QuietInterval, Subject

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from monitor.config.connections import Connection
    from monitor.config.model import Channel, Config


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often connections are checked, and how long that may take.

    Args:
        shortest: How soon the connection that is checked most often is checked again.
        longest: How long it takes until all connections were checked once.
        timeout: How long a check may take at most.
    """

    shortest: timedelta = timedelta()
    longest: timedelta = timedelta()
    timeout: timedelta = timedelta()

    @classmethod
    def over(cls, rhythms: Iterable[tuple[timedelta, timedelta]]) -> Intervals:
        """Return those of connections, of which each has an interval and a timeout."""
        found = None
        for every, timeout in rhythms:
            one = cls(every, every, timeout)
            found = one if found is None else found.joined(one)
        return found or cls()

    def joined(self, other: Intervals) -> Intervals:
        """Return the intervals of both; none has a shortest of nothing."""
        if not self.longest or not other.longest:
            return self if self.longest else other
        return Intervals(
            min(self.shortest, other.shortest),
            max(self.longest, other.longest),
            max(self.timeout, other.timeout),
        )


class SettingsSource(Protocol):
    """Where the settings of connections come from: the file in memory, or rows.

    Each question is asked within a transaction, which only rows need.
    """

    def watched_of(self, tx: Any, names: Iterable[str]) -> Mapping[str, Watched]:
        """Return the settings of those of *names* that are watched, as the rules see them."""
        ...

    def connections_of(self, tx: Any, names: Iterable[str]) -> Mapping[str, Connection]:
        """Return the settings of those of *names* that are watched, as their owner wrote them."""
        ...

    def entries_of(self, tx: Any, names: Iterable[str]) -> list[Entry]:
        """Return those of *names* that are watched, as the store needs them."""
        ...

    def names(self, tx: Any) -> Collection[str]:
        """Return the names of all that is watched; of rows, each is looked up when asked for."""
        ...

    def names_of(self, tx: Any, names: Iterable[str]) -> Collection[str]:
        """Return those of *names* that are watched, looked up at once."""
        ...

    def list_tags(self, tx: Any) -> set[str]:
        """Return the tags that any connection has."""
        ...

    @property
    def intervals(self) -> Intervals:
        """Return how often connections are checked, and how long that may take."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that judging and routing need of the configuration.

    Args:
        settings: The settings of each connection.
        rules: By which connections without a rhythm of their own are judged.
        applications: When each one's secret was made, and the steps to be told.
        outage_hold: How long refusals without a word why count as an outage.
        group_wait: How long an alert waits for others of its kind.
        remind_every: How often people are reminded of what is critical.
        uplink: The URLs that tell whether our own link is there.
    """

    settings: SettingsSource
    channels: tuple[ChannelRoute, ...]
    rules: Rules = field(default_factory=Rules)
    applications: Mapping[str, tuple[Declared, tuple[int, ...]]] = field(default_factory=dict)
    outage_hold: timedelta = timedelta(hours=1)
    group_wait: timedelta = timedelta(0)
    remind_every: timedelta = timedelta(hours=24)
    uplink: tuple[str, ...] = ()

    def find(self, tx: Any, name: str) -> Watched | None:
        """Return the settings of one connection; None where it is not watched."""
        return self.settings.watched_of(tx, (name,)).get(name)

    def watched_of(self, tx: Any, names: Iterable[str]) -> Mapping[str, Watched]:
        """Return the settings of those of *names* that are watched."""
        return self.settings.watched_of(tx, names)

    def connection(self, tx: Any, name: str) -> Connection | None:
        """Return what its owner wrote of one connection; None where it is not watched."""
        return self.settings.connections_of(tx, (name,)).get(name)

    def entry(self, tx: Any, name: str) -> Entry | None:
        """Return one connection as the store needs it; None where it is not watched."""
        return next(iter(self.settings.entries_of(tx, (name,))), None)

    def names(self, tx: Any) -> Collection[str]:
        """Return the names of all that is watched, of which one or all are asked for.

        Whoever asks for some asks `names_of`: each is a question to the database here.
        """
        return self.settings.names(tx)

    def names_of(self, tx: Any, names: Iterable[str]) -> Collection[str]:
        """Return those of *names* that are watched."""
        return self.settings.names_of(tx, names)

    @property
    def intervals(self) -> Intervals:
        """Return how often connections are checked, and how long that may take."""
        return self.settings.intervals


class Describer:
    """Says what the settings of a connection mean, by what it has in common with others."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._rules: dict[timedelta, Rules] = {}
        self._secrets = _secrets_of(config)

    def watched(self, connection: Connection) -> Watched:
        """Return *connection* as the rules see it."""
        config, application = self._config, _application_of(connection)
        every = config.every_of(connection)
        rules = self._rules.get(every)
        if rules is None:
            rules = self._rules[every] = _rules(config, every)
        renewal = renewal_page_of(config, connection)
        return Watched(
            Subject(
                connection.name,
                frozenset(connection.tags),
                None if connection.channels is None else frozenset(connection.channels),
                connection.group,
            ),
            rules,
            renewal.url,
            application,
            self._secrets.get(application or ""),
            connection.provider,
            connection.notes,
            renewal.is_here,
        )

    def entry(self, connection: Connection) -> Entry:
        """Return *connection* as the store needs it."""
        return _entry(connection, self._config)

    def rhythm(self, connection: Connection) -> tuple[timedelta, timedelta]:
        """Return how often *connection* is checked, and how long that may take."""
        return self._config.every_of(connection), self._config.timeout_of(connection)


class MemorySettings:
    """Settings that are all in memory: those of the file, while a command runs."""

    def __init__(
        self,
        watched: Mapping[str, Watched],
        entries: Iterable[Entry] = (),
        connections: Mapping[str, Connection] | None = None,
        intervals: Intervals | None = None,
    ) -> None:
        self.watched = watched
        self.entries = tuple(entries)
        self._connections = connections or {}
        self._intervals = intervals

    @classmethod
    def of(cls, config: Config) -> MemorySettings:
        """Return those of the file."""
        say = Describer(config)
        return cls(
            {one.name: say.watched(one) for one in config.connections},
            (say.entry(one) for one in config.connections),
            {one.name: one for one in config.connections},
            Intervals.over(map(say.rhythm, config.connections)),
        )

    def watched_of(self, tx: Any, names: Iterable[str]) -> Mapping[str, Watched]:  # noqa: ARG002 - as for rows
        """Return the settings of those of *names* that are watched, as the rules see them."""
        watched = self.watched
        return {name: watched[name] for name in names if name in watched}

    def connections_of(self, tx: Any, names: Iterable[str]) -> Mapping[str, Connection]:  # noqa: ARG002 - as for rows
        """Return the settings of those of *names* that are watched, as their owner wrote them."""
        known = self._connections
        return {name: known[name] for name in names if name in known}

    def entries_of(self, tx: Any, names: Iterable[str]) -> list[Entry]:  # noqa: ARG002 - as for rows
        """Return those of *names* that are watched, as the store needs them."""
        wanted = set(names)
        return [entry for entry in self.entries if entry.name in wanted]

    def names(self, tx: Any) -> Collection[str]:  # noqa: ARG002 - as for rows
        """Return the names of all that is watched."""
        return self.watched.keys()

    def names_of(self, tx: Any, names: Iterable[str]) -> Collection[str]:  # noqa: ARG002 - as for rows
        """Return those of *names* that are watched."""
        return self.watched.keys() & set(names)

    def list_tags(self, tx: Any) -> set[str]:  # noqa: ARG002 - as for rows
        """Return the tags that any connection has."""
        return {tag for one in self.watched.values() for tag in one.subject.tags}

    @property
    def intervals(self) -> Intervals:
        """Return how often connections are checked, and how long that may take."""
        if self._intervals is not None:
            return self._intervals
        return Intervals.over((one.rules.every, timedelta()) for one in self.watched.values())


def make_plan(config: Config, settings: SettingsSource | None = None) -> Plan:
    """Return the plan of *config*.

    Args:
        settings: Where those of connections come from; by default they are the file's.
    """
    steps = tuple(config.alerts.expiring_soon_days)
    return Plan(
        MemorySettings.of(config) if settings is None else settings,
        tuple(_channel_route(channel, config) for channel in config.channels),
        _rules(config, config.checks.every),
        {name: (secret, steps) for name, secret in _secrets_of(config).items()},
        config.checks.outage_hold,
        config.alerts.group_wait,
        config.alerts.remind_every,
        config.checks.uplink,
    )


def _secrets_of(config: Config) -> dict[str, Declared]:
    return {
        one.name: _declare(one.client_secret_created_on, SECRET_VALID_DAYS)
        for one in config.applications
    }


def _application_of(connection: Connection) -> str | None:
    return connection.application if isinstance(connection, AmazonConnection) else None


def _entry(connection: Connection, config: Config) -> Entry:
    host, token_host, name = connection.host, None, None
    if isinstance(connection, AmazonConnection):
        name = connection.application
        application = config.application(name)
        token_host = application.token_host if application else None
        # Without the second step, nothing is known of the region's host.
        host = host if connection.probe is Probe.SELLERS else token_host or ""
    return Entry(
        connection.name,
        connection.provider,
        host,
        config.every_of(connection),
        connection.enabled,
        connection.renamed_from,
        _declare(connection.authorized_on, connection.valid_days),
        tuple(config.alerts.expiring_soon_days),
        name,
        token_host,
        connection.group,
    )


def _rules(config: Config, every: timedelta) -> Rules:
    return Rules(
        every=every,
        recheck_after=config.checks.recheck_after,
        alert_after_refusals=config.checks.alert_after_refusals,
        error_after_failures=config.checks.error_after_failures,
        quota_low_percent=tuple(config.alerts.quota_low_percent),
        quota_min_window=config.alerts.quota_min_window,
        expiring_soon_days=tuple(config.alerts.expiring_soon_days),
    )


def _declare(day: date | None, valid_days: int) -> Declared:
    return Declared(None if day is None else start_of(day), valid_days)


def _channel_route(channel: Channel, config: Config) -> ChannelRoute:
    known = set(AlertKind)
    own = config.zone_of(channel.name)
    # The hours of all channels are those of one night, wherever each is read.
    quiet, zone = channel.quiet_hours, own
    if quiet is None:
        quiet, zone = config.alerts.quiet_hours, config.alerts.zone
    named = read_zone(quiet.zone) if quiet and quiet.zone else None
    return ChannelRoute(
        channel.name,
        None
        if channel.kinds is None
        else frozenset(AlertKind(kind) for kind in channel.kinds if kind in known),
        Severity(channel.min_severity),
        frozenset(channel.tags),
        frozenset(channel.connections),
        QuietInterval(named or zone, quiet.start, quiet.end) if quiet else None,
        DigestTime(channel.digest, named or own) if channel.digest else None,
        frozenset(channel.groups),
    )
