"""
Say what the configuration means for judging and routing.

Built once from the settings; `cycle` reads it for every check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.expiry import declare_authorization
from monitor.judge.renewal import Declared
from monitor.judge.route import ChannelRoute, Subject
from monitor.judge.rules import Rules
from monitor.store.connections import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from monitor.config.model import Channel, Config, Connection


@dataclass(frozen=True, slots=True)
class Watched:
    """
    One connection as the rules see it.

    Args:
        renew_url: The page on which a person can renew its authorization.
    """

    subject: Subject
    rules: Rules
    renew_url: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Everything that judging and routing need of the configuration.
    """

    watched: Mapping[str, Watched]
    channels: tuple[ChannelRoute, ...]
    entries: tuple[Entry, ...]


def make_plan(config: Config) -> Plan:
    """
    Return the plan of *config*.
    """
    rules_by_rhythm: dict[timedelta, Rules] = {}
    watched = {}
    for connection in config.connections:
        every = config.every_of(connection)
        rules = rules_by_rhythm.setdefault(every, _rules(config, every))
        watched[connection.name] = Watched(
            Subject(
                connection.name,
                frozenset(connection.tags),
                None if connection.channels is None else frozenset(connection.channels),
            ),
            rules,
            connection.renew_url,
        )
    return Plan(
        watched,
        tuple(_channel_route(channel) for channel in config.channels),
        tuple(
            Entry(
                connection.name,
                connection.provider,
                connection.host,
                config.every_of(connection),
                connection.enabled,
                connection.renamed_from,
                _declared(connection),
                config.alerts.expiring_soon_days,
            )
            for connection in config.connections
        ),
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


def _declared(connection: Connection) -> Declared:
    if connection.authorized_on is None:
        return Declared(valid_days=connection.valid_days)
    authorization = declare_authorization(connection.authorized_on, connection.valid_days)
    return Declared(authorization.authorized_at, connection.valid_days)


def _channel_route(channel: Channel) -> ChannelRoute:
    known = set(AlertKind)
    return ChannelRoute(
        channel.name,
        None
        if channel.kinds is None
        else frozenset(AlertKind(kind) for kind in channel.kinds if kind in known),
        Severity(channel.min_severity),
        frozenset(channel.tags),
        frozenset(channel.connections),
    )
