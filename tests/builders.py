"""
Build plans, outcomes and databases with connections in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from monitor.alerting.outbox import StoredOutbox
from monitor.config.model import Config
from monitor.config.plan import MemorySettings, Plan
from monitor.engine.batch import FinishedCheck
from monitor.engine.checkers import CheckerSet
from monitor.engine.connectivity import ConnectivityCheck
from monitor.engine.evaluate import evaluate
from monitor.engine.live import Snapshot
from monitor.engine.sweep import sweep
from monitor.judge.applications import SECRET_VALID_DAYS
from monitor.judge.authorizations import Declared
from monitor.judge.connections import Entry, Watched
from monitor.judge.incidents import Connectivity
from monitor.judge.outbox import NotificationState
from monitor.judge.outcome import Outcome, QuotaReading, Reason, Rules
from monitor.judge.routing import ChannelRoute, Subject
from monitor.notify.apprise import AppriseSender
from monitor.notify.delivery import Delivery, DeliveryTerms
from monitor.providers.base import GrantLocks
from monitor.providers.tokens import HandshakeTokens
from monitor.providers.transport import HttpClients
from monitor.store import applications, connections, history
from monitor.store.schema import notifications
from tests.fakes import NOON, FakeSender

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitor.engine.evaluate import Evaluated
    from monitor.engine.sweep import Swept
    from monitor.judge.connections import ConnectionRecord
    from monitor.providers.base import Checker
    from monitor.store.engine import Database, StoreWorker
    from monitor.store.history import AlertRow

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EVERY = 5 * MINUTE
RESETS_AT = datetime(2026, 12, 1, tzinfo=UTC)

NA_HOST = "sellingpartnerapi-na.amazon.com"
EU_HOST = "sellingpartnerapi-eu.amazon.com"
LWA_HOST = "api.amazon.com"

OPS = ChannelRoute("ops")
OK = Outcome(Reason.OK, latency_ms=40.0)
REFUSED = Outcome(Reason.TOKEN_REJECTED, "The API refused the token (401).", latency_ms=41.5)
DENIED = Outcome(Reason.PERMISSION_DENIED, "The token may not do this (403).")
UNREACHED = Outcome(Reason.TIMEOUT, "No answer within 10 s.")
REVOKED = Outcome(Reason.AUTHORIZATION_REVOKED, "Amazon refuses the refresh token.")
CLIENT_REJECTED = Outcome(Reason.CLIENT_REJECTED, "Amazon refuses client id or secret.")
SECRET_EXPIRED = Outcome(Reason.CLIENT_SECRET_EXPIRED, "The client secret has expired.")
NO_TOKEN = Outcome(Reason.SERVER_ERROR, "Amazon failed (503).", failed_host=LWA_HOST)
UNEXPLAINED = Outcome(
    Reason.PERMISSION_DENIED,
    "Amazon refuses, without a word why.",
    is_unexplained=True,
    failed_host=NA_HOST,
)


def throttled(until: datetime | None = None) -> Outcome:
    return Outcome(Reason.THROTTLED, "Too many requests (429).", retry_at=until)


def ok_with(
    remaining: int,
    limit: int = 10_000,
    resets_at: datetime = RESETS_AT,
    account: str | None = "Acme Ltd",
) -> Outcome:
    """
    A success whose answer shows a quota.
    """
    reading = QuotaReading(limit, remaining, resets_at)
    return Outcome(Reason.OK, latency_ms=40.0, account=account, quota=reading)


def entry(
    name: str,
    *,
    every: timedelta = EVERY,
    is_enabled: bool = True,
    renamed_from: str | None = None,
    provider: str = "soldscope",
    host: str = "api.example.com",
) -> Entry:
    return Entry(
        name, provider, host, every, is_enabled, renamed_from, steps=Rules().expiring_soon_days
    )


def amazon_store(name: str, *, host: str = NA_HOST, application: str = "our-app") -> Entry:
    """
    An Amazon store of one application, checked at its region's host.
    """
    one = entry(name, provider="amazon", host=host)
    return replace(one, application=application, token_host=LWA_HOST)


def plan_of(
    *entries: Entry,
    channels: Sequence[ChannelRoute] = (OPS,),
    subjects: Sequence[Subject] = (),
    secret_created_at: datetime | None = None,
    authorized_at: datetime | None = None,
    valid_days: int = 365,
    renew_url: str | None = None,
) -> Plan:
    """
    A plan with the usual rules; *subjects* replace those without tags.
    """
    special = {subject.name: subject for subject in subjects}
    grouped = {subject.name: subject.group for subject in subjects}
    entries = tuple(replace(one, group=grouped.get(one.name)) for one in entries)
    watched = {
        one.name: Watched(
            special.get(one.name, Subject(one.name)), Rules(every=one.every), renew_url
        )
        for one in entries
    }
    if authorized_at is not None:
        declared = Declared(authorized_at, valid_days)
        entries = tuple(replace(one, declared=declared) for one in entries)
    secret = Declared(secret_created_at, SECRET_VALID_DAYS)
    steps = Rules().expiring_soon_days
    applications = {one.application: (secret, steps) for one in entries if one.application}
    return Plan(MemorySettings(watched, entries), tuple(channels), applications=applications)


def in_memory(plan: Plan) -> MemorySettings:
    """
    The settings of connections of a plan that was made from a file or by hand.
    """
    assert isinstance(plan.settings, MemorySettings)
    return plan.settings


def entries_of(plan: Plan) -> tuple[Entry, ...]:
    """
    The connections of *plan* as the store needs them.
    """
    return in_memory(plan).entries


def watched_of(plan: Plan) -> Mapping[str, Watched]:
    """
    The connections of *plan* as the rules see them.
    """
    return in_memory(plan).watched


def with_watched(plan: Plan, watched: Mapping[str, Watched]) -> Plan:
    """
    The plan, with other settings of its connections.
    """
    return replace(plan, settings=MemorySettings(watched, entries_of(plan)))


def delivery_of(
    store: StoreWorker,
    plan: Plan,
    sender: FakeSender,
    clock: Callable[[], datetime],
    *,
    owner: str = "run",
    retry_for: timedelta = DAY,
) -> Delivery:
    """
    The delivery of a daemon: without links, and without chance.
    """
    terms = DeliveryTerms(sender, retry_for, lambda _: None)
    outbox = StoredOutbox(store, owner, lambda: plan)
    return Delivery(outbox, lambda: terms, clock=clock, jitter=lambda: 0.0)


def snapshot_of(
    plan: Plan,
    checkers: Mapping[str, Checker] | None = None,
    config: Config | None = None,
    connectivity: ConnectivityCheck | None = None,
) -> Snapshot:
    """
    What is in force where no real service is called.
    """

    def fingerprint(value: str) -> str:
        return value

    known = {} if checkers is None else checkers
    calls = CheckerSet(
        lambda _, names: {name: known[name] for name in names if name in known},
        HttpClients(1),
        GrantLocks(),
        HandshakeTokens(fingerprint),
        fingerprint,
        HandshakeTokens(fingerprint),
    )
    return Snapshot(
        config or Config(), plan, calls, connectivity or ConnectivityCheck(None), AppriseSender({})
    )


@dataclass
class Story:
    """
    A database with the connections of *plan* in it, first due at noon.
    """

    database: Database
    plan: Plan
    uplink: Connectivity = Connectivity.UNKNOWN
    """What the URLs of `checks.uplink` say."""

    @classmethod
    def begin(cls, database: Database, plan: Plan, at: datetime = NOON) -> Story:
        with database.write() as tx:
            connections.sync(tx, entries_of(plan), at)
            applications.sync(tx, plan.applications, at)
        return cls(database, plan)

    def evaluate(self, at: datetime, **outcomes: Outcome) -> list[Evaluated]:
        """
        Settle one batch: the outcome of each connection, by its name.
        """
        with self.database.write() as tx:
            finished = []
            for name, outcome in outcomes.items():
                record = connections.find_record(tx, name)
                assert record is not None
                finished.append(FinishedCheck(record.id, record.next_check_at, at, outcome))
            return evaluate(tx, finished, self.plan, self.uplink)

    def sweep(self, at: datetime) -> list[Swept]:
        """
        Look at the clocks, as the daemon does every second.
        """
        with self.database.write() as tx:
            return sweep(tx, self.plan, at)

    def send_all(
        self, at: datetime = NOON, state: NotificationState = NotificationState.SENT
    ) -> None:
        """
        Have all that is due taken by its channel *at* an instant, or whatever *state* says.
        """
        is_due = notifications.c.state == NotificationState.DUE
        sent_at = at if state is NotificationState.SENT else None
        with self.database.write() as tx:
            tx.execute(update(notifications).where(is_due).values(state=state, sent_at=sent_at))

    def record(self, name: str) -> ConnectionRecord:
        with self.database.read() as tx:
            record = connections.find_record(tx, name)
        assert record is not None, name
        return record

    def alerts(self) -> list[AlertRow]:
        """
        All alerts, the oldest first.
        """
        with self.database.read() as tx:
            return history.list_alerts(tx, 1000)[::-1]

    def kinds(self) -> list[tuple[str, tuple[str, ...]]]:
        """
        Kind and connections of all alerts, the oldest first.
        """
        return [(alert.kind, alert.connections) for alert in self.alerts()]

    def channels(self) -> list[str]:
        """
        The channels of all notifications, the oldest first.
        """
        with self.database.read() as tx:
            query = select(notifications.c.channel).order_by(notifications.c.id)
            return list(tx.execute(query).scalars())
