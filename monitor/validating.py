"""
Validate one connection step by step, and tell of each step as it finishes.

Decides the order: the way to a host, then what was said there. The check itself
is made by the caller, the way it makes all its checks, so that its result is
judged and stored like any other. What the steps say is decided in `validation`.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.check.reach import reach
from monitor.clock import utc_now
from monitor.config.amazon import AmazonConnection, Probe
from monitor.config.countdown import CountdownConnection
from monitor.config.http import HttpConnection
from monitor.config.soldscope import SoldscopeConnection
from monitor.validation import (
    BLIND,
    WAY,
    Mark,
    StepName,
    read_clocks,
    read_marketplaces,
    read_permission,
    read_quota,
    read_token,
    read_way,
    skip,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from monitor.config.application import Application
    from monitor.config.model import Config, Connection
    from monitor.validation import Answered, Step

    Ask = Callable[[], Awaitable[Answered]]

_AFTER_TOKEN = (StepName.PERMISSION, StepName.MARKETPLACES)


async def validate(connection: Connection, config: Config, ask: Ask) -> AsyncGenerator[Step, None]:
    """
    Check *connection* once, and yield what was found, step by step.

    The check is made even where there is no way to the host: that it failed is
    a result as well.

    Raises ValueError if the connection's `ca_file` holds no certificate.

    Args:
        ask: Makes the check, judges and stores it.
    """
    match connection:
        case AmazonConnection():
            application = config.application(connection.application)
            assert application is not None, "the configuration was checked for that"
            steps = _validate_store(connection, application, config, ask)
        case SoldscopeConnection():
            steps = _validate_token(connection, connection.base_url, config, ask)
        case HttpConnection():
            steps = _validate_token(connection, connection.url, config, ask)
        case CountdownConnection():
            steps = _validate_clock(ask)
        case _:
            steps = _validate_foreign(connection, ask)
    async with aclosing(steps):
        async for step in steps:
            yield step


async def _go_to(url: str, connection: Connection, config: Config) -> AsyncGenerator[Step, None]:
    """
    Yield the way to the host of *url*, the part that failed included and the rest skipped.
    """
    host = urlsplit(url).netloc
    left = list(WAY.values())
    way = reach(url, connection.ca_file, config.timeout_of(connection))
    async with aclosing(way):
        async for reached in way:
            step = read_way(reached, host, utc_now())
            left.remove(step.name)
            yield step
    for step in skip(tuple(left), host, "not tried after that"):
        yield step


async def _validate_store(
    connection: AmazonConnection, application: Application, config: Config, ask: Ask
) -> AsyncGenerator[Step, None]:
    """
    Yield the way to the token service and what it said, then the same of the region's host.
    """
    is_reached = True
    async for step in _go_to(application.token_address, connection, config):
        is_reached = is_reached and step.state is not Mark.FAILED
        yield step
    answered = await ask()
    outcome = answered.outcome
    token = read_token(outcome, application.token_host, is_reached=is_reached)
    yield token
    if connection.probe is Probe.TOKEN:
        for step in skip(_AFTER_TOKEN, connection.host, BLIND):
            yield step
    elif token.state is not Mark.OK:
        for step in skip(_AFTER_TOKEN, connection.host, "not asked without a token"):
            yield step
    else:
        # One that serves as both was reached already.
        if connection.host != application.token_host:
            async for step in _go_to(connection.address, connection, config):
                is_reached = is_reached and step.state is not Mark.FAILED
                yield step
        yield read_permission(outcome, connection.host, is_reached=is_reached)
        yield read_marketplaces(outcome, connection.host)
    for step in read_clocks(answered, application.name):
        yield step


async def _validate_token(
    connection: Connection, url: str, config: Config, ask: Ask
) -> AsyncGenerator[Step, None]:
    is_reached = True
    async for step in _go_to(url, connection, config):
        is_reached = is_reached and step.state is not Mark.FAILED
        yield step
    answered = await ask()
    yield read_token(answered.outcome, connection.host, is_reached=is_reached)
    yield read_quota(answered.outcome, answered.each, connection.host)
    for step in read_clocks(answered, None):
        yield step


async def _validate_foreign(connection: Connection, ask: Ask) -> AsyncGenerator[Step, None]:
    """
    Yield what a plug-in's checker found: only it knows the way to its service.
    """
    answered = await ask()
    target = connection.host or connection.provider
    yield read_token(answered.outcome, target, is_reached=True)
    yield read_quota(answered.outcome, answered.each, target)
    for step in read_clocks(answered, None):
        yield step


async def _validate_clock(ask: Ask) -> AsyncGenerator[Step, None]:
    for step in read_clocks(await ask(), None):
        yield step
