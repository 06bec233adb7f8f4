"""Say what the configuration means for judging and routing.

Built once from the settings; `monitor.engine.evaluate` reads it for every check.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

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
class Plan:
    """Everything that judging and routing need of the configuration.

    Args:
        applications: When each one's secret was made, and the steps to be told.
        outage_hold: How long refusals without a word why count as an outage.
        group_wait: How long an alert waits for others of its kind.
        remind_every: How often people are reminded of what is critical.
        uplink: The URLs that tell whether our own link is there.
    """

    watched: Mapping[str, Watched]
    channels: tuple[ChannelRoute, ...]
    entries: tuple[Entry, ...]
    applications: Mapping[str, tuple[Declared, tuple[int, ...]]] = field(default_factory=dict)
    outage_hold: timedelta = timedelta(hours=1)
    group_wait: timedelta = timedelta(0)
    remind_every: timedelta = timedelta(hours=24)
    uplink: tuple[str, ...] = ()

    def find(self, name: str) -> Watched | None:
        """Return the settings of one connection; None where it is not watched."""
        return self.watched.get(name)

    def watched_of(self, names: Iterable[str]) -> Mapping[str, Watched]:
        """Return the settings of those of *names* that are watched."""
        watched = self.watched
        return {name: watched[name] for name in names if name in watched}

    def entries_of(self, names: Collection[str]) -> list[Entry]:
        """Return those of *names* as the store needs them."""
        return [entry for entry in self.entries if entry.name in names]

    @property
    def shortest_interval(self) -> timedelta:
        """Return how soon the connection that is checked most often is checked again."""
        return min((one.rules.every for one in self.watched.values()), default=timedelta())

    @property
    def longest_interval(self) -> timedelta:
        """Return how long it takes until all connections were checked once."""
        return max((one.rules.every for one in self.watched.values()), default=timedelta())


def make_plan(config: Config) -> Plan:
    """Return the plan of *config*."""
    rules_by_rhythm: dict[timedelta, Rules] = {}
    secrets = {
        one.name: _declare(one.client_secret_created_on, SECRET_VALID_DAYS)
        for one in config.applications
    }
    watched = {}
    for connection in config.connections:
        every = config.every_of(connection)
        rules = rules_by_rhythm.setdefault(every, _rules(config, every))
        renewal = renewal_page_of(config, connection)
        watched[connection.name] = Watched(
            Subject(
                connection.name,
                frozenset(connection.tags),
                None if connection.channels is None else frozenset(connection.channels),
            ),
            rules,
            renewal.url,
            _application_of(connection),
            secrets.get(_application_of(connection) or ""),
            connection.provider,
            connection.notes,
            renewal.is_here,
        )
    steps = tuple(config.alerts.expiring_soon_days)
    return Plan(
        watched,
        tuple(_channel_route(channel, config) for channel in config.channels),
        tuple(_entry(connection, config) for connection in config.connections),
        {name: (secret, steps) for name, secret in secrets.items()},
        config.checks.outage_hold,
        config.alerts.group_wait,
        config.alerts.remind_every,
        config.checks.uplink,
    )


def _application_of(connection: Connection) -> str | None:
    return connection.application if isinstance(connection, AmazonConnection) else None


def _entry(connection: Connection, config: Config) -> Entry:
    entry = Entry(
        connection.name,
        connection.provider,
        connection.host,
        config.every_of(connection),
        connection.enabled,
        connection.renamed_from,
        _declare(connection.authorized_on, connection.valid_days),
        tuple(config.alerts.expiring_soon_days),
    )
    if not isinstance(connection, AmazonConnection):
        return entry
    application = config.application(connection.application)
    token_host = application.token_host if application else None
    # Without the second step, nothing is known of the region's host.
    host = entry.host if connection.probe is Probe.SELLERS else token_host or ""
    return replace(entry, host=host, application=connection.application, token_host=token_host)


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
    )
