"""
Look whether a daemon is at work: what is overdue, and what its channels took.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.alert.words import say_span
from monitor.config.wording import as_argument, say_count
from monitor.doctor.finding import Area, Finding
from monitor.judge.wellbeing import is_late
from monitor.store import channel_states
from monitor.store.deliveries import ChannelCounts, count_by_channel
from monitor.store.due import find_most_overdue
from monitor.store.lock import is_held
from monitor.validation import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from monitor.config.model import Config
    from monitor.store.engine import Database, Transaction


def examine_daemon(
    database: Database, tx: Transaction, config: Config, now: datetime
) -> Iterator[Finding]:
    """
    Yield whether a daemon runs on *database*, and whether it keeps up.
    """
    if not is_held(database):
        yield Finding(
            Area.DAEMON,
            Mark.FAILED,
            f"no daemon runs on {database.path}: nothing is watched, nobody is told",
            "systemctl start connwatch, or connwatch run",
        )
        return
    names = {connection.name for connection in config.connections}
    overdue = find_most_overdue(tx, names, now)
    if overdue is not None and is_late(overdue[1], config.longest_timeout):
        name, late = overdue
        yield Finding(
            Area.DAEMON,
            Mark.FAILED,
            f"it is behind: the check of {name} has been due for {say_span(late)}",
            "look into its log, and whether this machine is overloaded",
        )
    else:
        yield Finding(Area.DAEMON, Mark.OK, "it runs, and no check is overdue")
    if config.heartbeat.url is None:
        yield Finding(
            Area.DAEMON,
            Mark.WARNING,
            "no [heartbeat] is set: if this machine dies, nobody hears of it",
            "set heartbeat.url to a check of Healthchecks or a service like it",
        )


def examine_channels(tx: Transaction, config: Config, now: datetime) -> Iterator[Finding]:
    """
    Yield how each channel of *config* fares.
    """
    known = count_by_channel(tx)
    for channel in config.channels:
        counts = known.get(channel.name, ChannelCounts())
        failing = channel_states.find_failing(tx, channel.name)
        if failing is not None:
            yield Finding(
                Area.CHANNELS,
                Mark.FAILED,
                f"{channel.name} has taken no message for {say_span(now - failing.since)}",
                f"mend its URL, then: connwatch alerts test {as_argument(channel.name)}",
            )
        elif counts.last_sent_at is None:
            yield Finding(
                Area.CHANNELS,
                Mark.SKIPPED,  # a test message leaves no trace here
                f"{channel.name}: nothing was due yet, so nothing is known of it",
                f"to try it: connwatch alerts test {as_argument(channel.name)}",
            )
        else:
            ago = say_span(now - counts.last_sent_at)
            yield Finding(Area.CHANNELS, Mark.OK, f"{channel.name} took its last message {ago} ago")
        if counts.n_dead:
            yield Finding(
                Area.CHANNELS,
                Mark.WARNING,
                f"{say_count(counts.n_dead, 'message')} to {channel.name}"
                f" {'was' if counts.n_dead == 1 else 'were'} given up",
                "connwatch alerts list --dead shows them, connwatch alerts retry sends them again",
            )
