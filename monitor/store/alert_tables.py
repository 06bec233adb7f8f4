"""
Declare the tables of alerts, and of their way to the channels.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    false,
)

from monitor.store.columns import Id, Instant, metadata, of_connection

alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(30), nullable=False),
    Column("severity", String(10), nullable=False),
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
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_since", Instant, nullable=False),  # `retry_for` counts from here
    Column("next_attempt_at", Instant, nullable=False),
    Column("claimed_by", String(50)),
    Column("claimed_until", Instant),
    Column("sent_at", Instant),
    Column("error", Text),
    # Why and until when it is held back; NULL where it is not.
    Column("held_by", String(20)),
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
    Column("scope", String(10), nullable=False),
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
