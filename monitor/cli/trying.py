"""
Try a connection or a channel that was just named, and say what came of it.

Nothing is stored: there is no installation yet.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.cli.questions import say
from monitor.clock import utc_now
from monitor.config.amazon import AmazonConnection
from monitor.config.countdown import CountdownConnection
from monitor.config.secret import Secret, SecretUnavailable
from monitor.config.walk import walk

if TYPE_CHECKING:
    from monitor.config.base import Settings
    from monitor.config.model import Channel, Config, Connection
    from monitor.judge.outcome import Outcome

SEND_TIMEOUT = timedelta(seconds=30)


def try_connection(config: Config, name: str) -> bool | None:
    """
    Check the connection called *name* once, say how that went, and tell whether it worked.

    Returns None where it could not be tried.
    """
    connection = config.connection(name)
    if connection is None or isinstance(connection, CountdownConnection):
        return None  # nobody can be asked
    missing = _find_unreadable(config, connection)
    if missing is not None:
        say(f"{name} is not tried yet: {missing}")
        return None
    from monitor.cli.asking import ask_all
    from monitor.judge.outcome import OutcomeClass
    from monitor.log import configure_logging

    configure_logging(is_verbose=False, is_quiet=True)
    say(f"Trying {name} ...")
    answers = asyncio.run(ask_all(config, {name}, {}, None, {}, lambda: None))
    outcome = answers[name][1]
    is_good = outcome.reason.outcome_class is OutcomeClass.SUCCESS
    say(f"  {'✓' if is_good else '✗'} {_describe(outcome)}")
    return is_good


def _find_unreadable(config: Config, connection: Connection) -> SecretUnavailable | None:
    """
    Return why a secret of *connection*, or of its application, cannot be read yet.
    """
    tables: list[Settings | None] = [connection]
    if isinstance(connection, AmazonConnection):
        tables.append(config.application(connection.application))
    for leaf in walk(config):
        if isinstance(leaf.value, Secret) and any(leaf.table is table for table in tables):
            try:
                leaf.value.reveal()
            except SecretUnavailable as error:
                return error
    return None


def _describe(outcome: Outcome) -> str:
    from monitor.alert.words import explain, say_number
    from monitor.judge.outcome import Reason

    if outcome.reason is not Reason.OK:
        return f"{explain(outcome.reason, None).name}: {outcome.detail}"
    words = "it works"
    if outcome.account:
        words += f", for the account {outcome.account}"
    if outcome.quota is not None and outcome.quota.remaining is not None:
        words += f"; {say_number(outcome.quota.remaining)} requests left"
    return words


def try_channel(channel: Channel) -> bool | None:
    """
    Send a test message to *channel*, say how that went, and tell whether it was taken.

    Returns None where it could not be tried.
    """
    from monitor.alert.errors import AlertError
    from monitor.alert.post import Post
    from monitor.alert.samples import sample_message
    from monitor.alert.sender import AppriseSender
    from monitor.judge.alerts import AlertKind

    try:
        channel.url.reveal()
    except SecretUnavailable as error:
        say(f"It is not tried yet: {error}")
        return None
    sender = AppriseSender({channel.name: channel.url})
    message = sample_message(AlertKind.TEST, utc_now())
    try:
        asyncio.run(
            Post(SEND_TIMEOUT).send(sender, channel.name, (0,), message, AlertKind.TEST.value)
        )
    except AlertError as error:
        say(f"  ✗ not sent: {error}")
        return False
    say("  ✓ sent: look whether it arrived")
    return True
