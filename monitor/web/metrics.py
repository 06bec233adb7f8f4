"""Count what the daemon does, and measure what it knows, for Prometheus.

What happens is counted as it happens; how connections stand is read from the
database when somebody asks. Labels are names of the file: never a secret, an
address or a text from outside.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from monitor import __version__
from monitor.store.history import count_dead
from monitor.store.outbox import list_failing_channels, oldest_wait
from monitor.store.overview import list_measures
from monitor.store.schedule import lateness

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from prometheus_client import Metric

    from monitor.engine.evaluate import Evaluated
    from monitor.store.engine import Transaction
    from monitor.store.overview import Measure

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one daemon.

    Args:
        registry: Where they are kept; nobody else's may be in it.
        channels: The names of those whose deliveries are counted, from zero on.
    """

    def __init__(self, registry: CollectorRegistry, channels: Sequence[str] = ()) -> None:
        self._checks = Counter(
            "connwatch_checks",
            "Checks by what they saw.",
            ["provider", "reason"],
            registry=registry,
        )
        self._duration = Histogram(
            "connwatch_check_duration_seconds",
            "How long services took to answer.",
            ["provider"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._notifications = Counter(
            "connwatch_notifications",
            "Attempts to send a message, by how they ended.",
            ["channel", "result"],
            registry=registry,
        )
        self._channels: set[str] = set()
        self.show_channels(channels)
        self._is_read = Gauge(
            "connwatch_config_reload_success",
            "Whether the file was read without an error when it was last read.",
            registry=registry,
        )
        self._is_read.set(1)
        self._read_at = Gauge(
            "connwatch_config_last_reload_success_timestamp_seconds",
            "When the settings in force were read from the file, in seconds since 1970.",
            registry=registry,
        )
        Gauge("connwatch_build_info", "Which version runs.", ["version"], registry=registry).labels(
            __version__
        ).set(1)
        self._registry = registry
        self._stored = _Stored()
        registry.register(self._stored)

    def note_checks(self, evaluated: Iterable[Evaluated]) -> None:
        """Count checks that were stored."""
        for one in evaluated:
            outcome, provider = one.finished.outcome, one.record.provider
            self._checks.labels(provider, outcome.reason.value).inc()
            if outcome.latency_ms is not None:
                self._duration.labels(provider).observe(outcome.latency_ms / 1000)

    def note_sent(self, channel: str, *, is_sent: bool) -> None:
        """Count an attempt to send a message."""
        self._notifications.labels(channel, "sent" if is_sent else "failed").inc()

    def note_reading(self, at: datetime, *, is_success: bool) -> None:
        """Note when the settings in force were read, and whether the latest reading went well."""
        self._is_read.set(int(is_success))
        self._read_at.set(at.timestamp())

    def show_channels(self, channels: Sequence[str]) -> None:
        """Show the counts of *channels* from zero on, and of no others."""
        for channel in self._channels.difference(channels):
            for result in ("sent", "failed"):
                self._notifications.remove(channel, result)
        self._channels = set(channels)
        for channel in channels:
            for result in ("sent", "failed"):
                self._notifications.labels(channel, result)

    def write(self, tx: Transaction, names: Collection[str], now: datetime) -> bytes:
        """Return all of them as Prometheus reads them.

        Args:
            names: The connections that this daemon watches.
        """
        self._stored.look(tx, names, self._channels, now)
        return generate_latest(self._registry)


class _Stored(Collector):
    """What the database knows, as it was when somebody last looked."""

    def __init__(self) -> None:
        self._measures: list[Measure] = []
        self._late = timedelta()
        self._n_dead = 0
        self._outbox_age = timedelta()
        self._failing: dict[str, int] = {}

    def look(
        self,
        tx: Transaction,
        names: Collection[str],
        channels: Collection[str],
        now: datetime,
    ) -> None:
        known = set(names)  # listed once: each is looked up otherwise
        self._measures = [one for one in list_measures(tx) if one.name in known]
        self._late = lateness(tx, names, now)
        self._n_dead = count_dead(tx)
        self._outbox_age = oldest_wait(tx, now)
        failing = {one.name for one in list_failing_channels(tx)}
        self._failing = {channel: int(channel in failing) for channel in sorted(channels)}

    def describe(self) -> Iterator[Metric]:
        # Else the registry would ask for everything when this is registered.
        return iter(())

    def collect(self) -> Iterator[Metric]:
        yield self._family(
            "connwatch_connection_state",
            "The state that a connection is in: one series each, always 1.",
            ("connection", "provider", "state"),
            (((one.name, one.provider, one.state), 1) for one in self._measures),
        )
        yield self._of_connections(
            "connwatch_authorization_expiry_timestamp_seconds",
            "When the authorization ends, in seconds since 1970.",
            ((one.name, one.ends_at_us and one.ends_at_us / 1_000_000) for one in self._measures),
        )
        yield self._of_connections(
            "connwatch_quota_limit",
            "How many calls the present period of the quota allows.",
            ((one.name, one.quota_limit) for one in self._measures),
        )
        yield self._of_connections(
            "connwatch_quota_remaining",
            "How many calls are left in the present period of the quota.",
            ((one.name, one.quota_remaining) for one in self._measures),
        )
        yield GaugeMetricFamily(
            "connwatch_check_lateness_seconds",
            "How long the most overdue check has been due.",
            self._late.total_seconds(),
        )
        yield GaugeMetricFamily(
            "connwatch_outbox_age_seconds",
            "How long the oldest notification has waited for its channel.",
            self._outbox_age.total_seconds(),
        )
        yield GaugeMetricFamily(
            "connwatch_notifications_dead",
            "Notifications that failed and are not retried.",
            self._n_dead,
        )
        yield self._family(
            "connwatch_channel_failing",
            "Whether a channel has taken no message since its latest failure.",
            ("channel",),
            (((name,), value) for name, value in self._failing.items()),
        )

    def _of_connections(
        self, name: str, text: str, values: Iterable[tuple[str, float | None]]
    ) -> Metric:
        known = (((one,), value) for one, value in values if value is not None)
        return self._family(name, text, ("connection",), known)

    def _family(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        values: Iterable[tuple[tuple[str, ...], float]],
    ) -> Metric:
        family = GaugeMetricFamily(name, text, labels=labels)
        for of, value in values:
            family.add_metric(of, value)
        return family
