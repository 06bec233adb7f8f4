"""Describe every table of the database, and how its values are stored.

Tables stand by subject: connections and their checks, alerts and their way to the channels,
handshakes, quotas, the web. Of what lets somebody in, only hashes are kept. Instants are whole
microseconds since 1970 UTC: they sort, they take eight bytes, and every database agrees on them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)

from monitor.judge.access import Role
from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.audit import Action
from monitor.judge.authorizations import ClockSource
from monitor.judge.outbox import NotificationState
from monitor.judge.outcome import QuotaUnit, Reason, State
from monitor.judge.sources import SourceState
from monitor.judge.suppression import Scope, SuppressedBy
from monitor.store.values import FIRST_INSTANT, LAST_INSTANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what is stored for *value*."""
        return None if value is None else (value - EPOCH) // MICROSECOND

    def result_processor(
        self,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
        coltype: object,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> Callable[[int | None], datetime | None]:
        """Return the function that reads what was stored.

        There are twenty instants in a row: they are read without a detour.
        """
        return _read_instant


def _read_instant(value: int | None) -> datetime | None:
    if value is None:
        return None
    if FIRST_INSTANT <= value <= LAST_INSTANT:
        return EPOCH + timedelta(microseconds=value)
    raise ValueError("a value of the database is no instant")


class EnumText(TypeDecorator[StrEnum]):
    """A member of an enum, stored as its value; a plain string is taken for one."""

    impl = String
    cache_ok = True

    def __init__(self, kind: type[StrEnum], length: int) -> None:
        super().__init__(length)
        self.kind = kind

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the function that makes a string of a member."""
        return _write_member

    def result_processor(
        self,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
        coltype: object,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> Callable[[str | None], StrEnum | None]:
        """Return the function that reads what was stored; to look up is quicker than to call."""
        members: dict[str | None, StrEnum | None] = {each.value: each for each in self.kind}
        return {**members, None: None}.__getitem__


def _write_member(value: str | None) -> str | None:
    return None if value is None else str(value)


# SQLite counts ids of BigInteger columns only when they are plain INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")


def of_connection() -> Column[int]:
    """Return the key of a table whose rows belong to a connection and go with it."""
    return Column(
        "connection_id",
        Id,
        ForeignKey("connections.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )


def about_connection() -> Column[int]:
    """Return the column of a table of which several rows belong to a connection, and go with it."""
    return Column(
        "connection_id",
        Id,
        ForeignKey("connections.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    )


connections = Table(
    "connections",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("provider", String(50), nullable=False),
    Column("host", String(300), nullable=False),
    # From the file: an entry taken out is hidden and keeps its history.
    Column("is_configured", Boolean, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    # From `pause`; the state below it is kept for `resume`.
    Column("is_paused", Boolean, nullable=False),
    Column("next_check_at", Instant, index=True),  # NULL: never
    Column("state", EnumText(State, 10), nullable=False),
    Column("reason", EnumText(Reason, 30), nullable=False),
    Column("detail", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("checked_at", Instant),
    Column("latency_ms", Float),
    Column("last_reason", EnumText(Reason, 30)),
    Column("successes", Integer, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("refusals_of_any_reason", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("announced_state", EnumText(State, 10)),
    Column("announced_reason", EnumText(Reason, 30)),
    Column("account", Text),
    # An OAuth client shared with others, and the host that gives it tokens.
    Column("application", String(100), index=True),
    Column("token_host", String(300)),
    # The host against which the latest check speaks; NULL in good times.
    Column("failed_host", String(300), index=True),
    Column("is_unexplained", Boolean, nullable=False, server_default=false()),
    # The customer or team it belongs to; NULL: nobody's in particular.
    Column("group_name", String(100), index=True),
    Index("ix_connections_host", "host", "is_configured", "is_enabled", "is_paused"),
    Index(
        "ix_connections_token_host",
        "token_host",
        "host",
        "is_configured",
        "is_enabled",
        "is_paused",
    ),
    sqlite_autoincrement=True,  # an id is never given twice: late results find nobody
)

# What is to be watched, as its owner wrote it; of several of one name the lowest rank counts.
# Kept in the order of its key: a name is found where it stands.
entries = Table(
    "entries",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("owner", String(100), primary_key=True),
    Column("rank", Integer, nullable=False),
    Column("position", Integer, nullable=False),  # among those of its owner, from 0
    # Without the secrets in it: {"set": true} stands in the place of each.
    Column("content", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("secrets", LargeBinary),  # encrypted with `web.key`; the file's are never kept
    Index("ix_entries_owner", "owner", "name"),
    sqlite_with_rowid=False,
)

# Channels that are not in the file, as they were written; the file's count before these.
channels = Table(
    "channels",
    metadata,
    Column("name", String(100), primary_key=True),
    # Without the URL, which is a secret: {"set": true} stands in its place.
    Column("content", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("secrets", LargeBinary),  # encrypted with `web.key`
)

# How the lists are that connections come from, each by its name in the file.
sources = Table(
    "sources",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("state", EnumText(SourceState, 10), nullable=False),
    Column("read_at", Instant),
    Column("tried_at", Instant),
    Column("rows", Integer, nullable=False),
    Column("bad", Integer, nullable=False),
    Column("pending", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("since", Instant),
    # What tells removals from any others: those held, last shown to people, accepted by one.
    Column("held", String(64), nullable=False),
    Column("shown", String(64), nullable=False),
    Column("accepted", String(64), nullable=False),
    Column("is_failure_reported", Boolean, nullable=False),
    Column("is_hold_reported", Boolean, nullable=False),
    Column("problems", JSON, nullable=False),  # a text for each of the first bad rows
    Column("etag", Text, nullable=False),
    Column("settings_mark", String(64), nullable=False),  # by which settings that was read
    Column("most_removed", Float, nullable=False),
    Column("wanted_at", Instant),  # a command wants it read at once
)

# The connections that the last good reading of their source lacked.
missing_entries = Table(
    "missing_entries",
    metadata,
    Column("owner", String(100), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("since", Instant, nullable=False),
    sqlite_with_rowid=False,
)

quotas = Table(
    "quotas",
    metadata,
    of_connection(),
    Column("account_key", Text, index=True),
    Column("shown_limit", BigInteger),
    Column("shown_remaining", BigInteger),
    Column("shown_resets_at", Instant),
    Column("known_limit", BigInteger),
    Column("known_remaining", BigInteger),
    Column("known_resets_at", Instant),
    Column("window_s", BigInteger),
    Column("seen_at", Instant),
    Column("longest_reset_s", BigInteger),
    Column("is_payment_required", Boolean, nullable=False),
    Column("told_step", Integer),
    Column("told_limit", BigInteger),
    Column("window", String(60), nullable=False, server_default=text("''")),  # "" if only one
    Column("unit", EnumText(QuotaUnit, 20), nullable=False, server_default="requests"),
    Column("has_others", Boolean, nullable=False, server_default=false()),  # in quota_windows
)

# Of the connections whose authorization somebody has dated.
authorizations = Table(
    "authorizations",
    metadata,
    of_connection(),
    Column("authorized_at", Instant),
    Column("ends_at", Instant),
    Column("source", EnumText(ClockSource, 10), nullable=False),
    Column("file_authorized_at", Instant),  # the date last seen in the file
    Column("told_step", Integer),
    Column("is_renewal_pending", Boolean, nullable=False),
    Column("is_renewal_unrecorded", Boolean, nullable=False),
    Column("next_step_at", Instant, index=True),  # NULL: time alone changes nothing more
    # Which refresh token was used last, and which when a renewal was recorded.
    Column("fingerprint", String(64)),
    Column("renewal_fingerprint", String(64)),
    Column("token_ends_at", Instant),  # observed
)

# OAuth clients of the file, and what is wrong with them.
applications = Table(
    "applications",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("is_configured", Boolean, nullable=False),
    Column("secret_created_at", Instant),
    Column("secret_ends_at", Instant),
    Column("told_step", Integer),
    Column("next_step_at", Instant, index=True),
    Column("refused_reason", EnumText(Reason, 30)),  # NULL: nothing is known against it
    Column("refused_detail", Text),
    Column("refused_at", Instant),
    Column("asker_id", Id),  # the one connection that is asked until it is accepted again
    Column("announced_reason", EnumText(Reason, 30)),
)

# The last three months' hosts that were out; one without an end is out now.
outages = Table(
    "outages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(300), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, index=True),
    Column("is_told", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

# Neighbours of a connection that was refused unexplained, asked and yet to answer.
inquiries = Table(
    "inquiries",
    metadata,
    of_connection(),
    Column("host", String(300), nullable=False),
    Column("asked_at", Instant, nullable=False),
)

# What Amazon accounts sell in, as they were last seen.
participations = Table(
    "participations", metadata, of_connection(), Column("marketplaces", JSON, nullable=False)
)

# Random keys of this installation, made when first needed.
keys = Table(
    "keys",
    metadata,
    Column("name", String(30), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# Only ever appended to, and pruned from its front. Without an index or a key on
# the connection a row costs about 60 bytes of writing instead of several
# kilobytes; the latest rows of one connection are found by walking back from
# the end.
checks = Table(
    "checks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("connection_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("reason", EnumText(Reason, 30), nullable=False),
    Column("latency_us", Integer),
    Column("detail", Text),
)


def _rollup(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("starts_at", Instant, primary_key=True),
        Column("connection_id", Id, primary_key=True, autoincrement=False),
        Column("n_success", Integer, nullable=False),
        Column("n_refusal", Integer, nullable=False),
        Column("n_inconclusive", Integer, nullable=False),
        Column("latency_us_sum", BigInteger, nullable=False),
        Column("latency_us_max", BigInteger, nullable=False),
        Column("n_latency", Integer, nullable=False),
        Index(f"ix_{name}_connection_id", "connection_id", "starts_at"),
    )


check_hours = _rollup("check_hours")
check_days = _rollup("check_days")

transitions = Table(
    "transitions",
    metadata,
    Column("id", Id, primary_key=True),
    about_connection(),
    Column("at", Instant, nullable=False),
    Column("from_state", EnumText(State, 10), nullable=False),
    Column("to_state", EnumText(State, 10), nullable=False),
    Column("reason", EnumText(Reason, 30), nullable=False),
    Column("detail", Text, nullable=False),
)

# Names that `delete` took out although the file still has them.
deletions = Table(
    "deletions",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("at", Instant, nullable=False),
)

# Instants by name: how far the roll-ups have come, and suchlike.
watermarks = Table(
    "watermarks",
    metadata,
    Column("name", String(30), primary_key=True),
    Column("at", Instant, nullable=False),
)


alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", EnumText(AlertKind, 30), nullable=False),
    Column("severity", EnumText(Severity, 10), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("born_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

alert_connections = Table(
    "alert_connections",
    metadata,
    Column("alert_id", Id, ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "connection_id",
        Id,
        ForeignKey("connections.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True),
    Column("alert_id", Id, ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("channel", String(100), nullable=False),
    Column("state", EnumText(NotificationState, 10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_since", Instant, nullable=False),  # `retry_for` counts from here
    Column("next_attempt_at", Instant, nullable=False),
    Column("claimed_by", String(50)),
    Column("claimed_until", Instant),
    Column("sent_at", Instant),
    Column("error", Text),
    # Why and until when it is held back; NULL where it is not.
    Column("held_by", EnumText(SuppressedBy, 20)),
    Column("held_until", Instant, index=True),
    # Those that went out in one message bear the id of the first of them.
    Column("message_id", Id),
    Index("ix_notifications_state", "state", "channel"),
    Index("ix_notifications_sent_at", "channel", "sent_at"),
    sqlite_autoincrement=True,
)

# What nobody is told for a while: of one connection, of a tag, or of all.
silences = Table(
    "silences",
    metadata,
    Column("id", Id, primary_key=True),
    Column("scope", EnumText(Scope, 10), nullable=False),
    Column("target", String(100)),  # the name or tag; NULL for all
    Column("reason", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
    sqlite_autoincrement=True,
)

# Trouble that somebody has taken on: nobody is reminded of it.
acknowledgements = Table(
    "acknowledgements",
    metadata,
    of_connection(),
    Column("at", Instant, nullable=False),
    Column("until", Instant),  # NULL: for as long as the trouble lasts
    Column("note", Text, nullable=False),
)

# Critical alerts that are told again while what they say lasts.
reminders = Table(
    "reminders",
    metadata,
    Column(
        "alert_id",
        Id,
        ForeignKey("alerts.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("due_at", Instant, nullable=False, index=True),
    Column("n_sent", Integer, nullable=False),
)

# Connections whose state changes too often to be told each time.
flappings = Table(
    "flappings",
    metadata,
    of_connection(),
    Column("since", Instant, nullable=False),
    Column("last_change_at", Instant, nullable=False, index=True),
)

# How channels are: since when one fails, and when its last digest went out.
channel_states = Table(
    "channel_states",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("failed_since", Instant),
    Column("is_failure_told", Boolean, nullable=False, server_default=false()),
    Column("digest_at", Instant),
)

# The times when this machine had no link; one without an end lasts.
offline_times = Table(
    "offline_times",
    metadata,
    Column("id", Id, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, index=True),
    Column("n_missed", Integer, nullable=False),
    Column("alert_id", Id),
    sqlite_autoincrement=True,
)


# Handshakes that were answered: each counts once.
handshakes = Table(
    "handshakes",
    metadata,
    Column("nonce_hash", String(64), primary_key=True),
    # NULL: for a store that there was no connection of.
    Column(
        "connection_id",
        Id,
        ForeignKey("connections.id", ondelete="CASCADE"),
        nullable=True,
        index=True,
    ),
    Column("session_hash", String(64), nullable=False),
    Column("started_at", Instant, nullable=False),
)

# Refresh tokens that a handshake brought, encrypted.
stored_tokens = Table(
    "stored_tokens",
    metadata,
    of_connection(),
    Column("token", LargeBinary, nullable=False),
    # Which token the file had then: another one there is newer than this.
    Column("file_fingerprint", String(64)),
    Column("seller_id", String(100)),
    Column("obtained_at", Instant, nullable=False),
)


# Kept in the order of its key, without a second copy of it: about 35 bytes a row.
quota_samples = Table(
    "quota_samples",
    metadata,
    of_connection(),
    Column("window", String(60), primary_key=True),  # empty where a service has only one
    Column("at", Instant, primary_key=True),
    Column("remaining", BigInteger, nullable=False),
    Column("limit", BigInteger, nullable=False),
    Column("resets_at", Instant),
    sqlite_with_rowid=False,
)

# The windows that do not decide, of services that have several.
quota_windows = Table(
    "quota_windows",
    metadata,
    of_connection(),
    Column("windows", JSON, nullable=False),
    Column("seen_at", Instant),
)

# Of windows that decide: the last sample, what is foreseen, what was told of it.
quota_forecasts = Table(
    "quota_forecasts",
    metadata,
    of_connection(),
    Column("window", String(60), primary_key=True),
    Column("sampled_at", Instant, nullable=False),
    Column("sampled_remaining", BigInteger, nullable=False),
    Column("sampled_limit", BigInteger, nullable=False),
    Column("sampled_resets_at", Instant),
    Column("foreseen_at", Instant),
    Column("foreseen_remaining", BigInteger),
    Column("is_foreseen", Boolean, nullable=False),
    Column("exhausts_at", Instant),
    Column("earliest_at", Instant),
    Column("latest_at", Instant),
    Column("told_exhausts_at", Instant),
)


api_tokens = Table(
    "api_tokens",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("is_read_only", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant),
    Column("role", EnumText(Role, 10), nullable=False, server_default="admin"),
    Column("groups", JSON(none_as_null=True)),  # NULL: all
)

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("session_hash", String(64), primary_key=True),
    Column("password_mark", String(64), nullable=False),  # another password ends it
    Column("created_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
    Column("user", String(100), nullable=False, server_default="admin"),
)

# People who were added in the dashboard; the file's users count before these.
people = Table(
    "people",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("role", EnumText(Role, 10), nullable=False),
    Column("groups", JSON(none_as_null=True)),  # NULL: all
    Column("password_hash", Text),  # NULL: only a proxy lets them in
    Column("created_at", Instant, nullable=False),
)

# Who changed what: names of keys, never a value. The names are those of then.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("who", String(200), nullable=False),
    Column("action", EnumText(Action, 10), nullable=False),
    Column("connection", String(100)),  # NULL: of none, or of several
    Column("group_name", String(100)),
    Column("keys", JSON, nullable=False),
    Column("count", Integer, nullable=False),
    Index("ix_audit_connection", "connection", "id"),
    sqlite_autoincrement=True,
)

# Links with which somebody without a login renews one connection. One whose connection
# was deleted stays for a while, so that its page says so.
invites = Table(
    "invites",
    metadata,
    Column("id", Id, primary_key=True),
    Column("connection_id", Id, ForeignKey("connections.id", ondelete="SET NULL"), index=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("valid_until", Instant, nullable=False, index=True),
    Column("by", String(200), nullable=False),  # as in the audit
    Column("used_at", Instant),
    Column("revoked_at", Instant),
    sqlite_autoincrement=True,
)

# The tries of the last hour to renew by an invite.
invite_tries = Table(
    "invite_tries",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "invite_id", Id, ForeignKey("invites.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("at", Instant, nullable=False),
)

# Credentials that an invite brought and nobody could compare: an operator decides.
proposals = Table(
    "proposals",
    metadata,
    Column("id", Id, primary_key=True),
    about_connection(),
    Column("invite_id", Id),
    Column("at", Instant, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # encrypted with `web.key`
    Column("account", Text),  # whom it answers for, if that shows
    Column("authorized_at", Instant),
    Column("fingerprint", String(64), nullable=False),
    sqlite_autoincrement=True,
)
