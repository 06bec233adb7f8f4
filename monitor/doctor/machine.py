"""
Look at what the daemon needs of its machine: a clock that is right, and ways to the hosts.

Hosts are reached as a check reaches them, up to TLS; nothing is sent to them.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.check.reach import Hop, reach
from monitor.config.amazon import AmazonConnection
from monitor.config.http import HttpConnection
from monitor.config.soldscope import SoldscopeConnection
from monitor.doctor.finding import Area, Finding
from monitor.validation import CERTIFICATE_SOON, Mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from monitor.config.model import Config, Connection

MOST_HOSTS = 50
_AT_ONCE = 10

_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronized."""

_ROOM_FOR_TIMEX = 512
"""More than any kernel's `struct timex`; all zeros asks without changing anything."""


def ask_kernel() -> int:
    """
    Return what adjtimex(2) says of the clock; a negative number where it may not be asked.
    """
    if sys.platform != "linux":
        return -1
    asked = ctypes.create_string_buffer(_ROOM_FOR_TIMEX)
    verdict: int = ctypes.CDLL(None).adjtimex(asked)
    return verdict


def examine_clock(verdict: int) -> Iterator[Finding]:
    """
    Yield whether the kernel holds the clock to be synchronized.

    Args:
        verdict: What `ask_kernel` returned.
    """
    if verdict < 0:
        words = "whether it is synchronized cannot be told here"
        yield Finding(Area.CLOCK, Mark.SKIPPED, words)
    elif verdict == _TIME_ERROR:
        yield Finding(
            Area.CLOCK,
            Mark.WARNING,
            "the kernel does not know it to be synchronized: dates and alerts may be off",
            "timedatectl set-ntp true; in a container, look at the host's clock",
        )
    else:
        yield Finding(Area.CLOCK, Mark.OK, "it is synchronized")


@dataclass(frozen=True, slots=True)
class _Target:
    """
    A host that checks go to.
    """

    url: str
    ca_file: Path | None
    timeout: timedelta

    @property
    def key(self) -> tuple[str, str, Path | None]:
        parts = urlsplit(self.url)
        return parts.scheme, parts.netloc, self.ca_file


async def examine_network(config: Config, now: datetime) -> list[Finding]:
    """
    Return for each host of *config* how far the way to it leads.
    """
    targets = {target.key: target for target in _list_targets(config)}
    chosen = list(targets.values())[:MOST_HOSTS]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def examine(target: _Target) -> Finding:
        async with slots:
            return await _examine_host(target, now)

    findings = list(await asyncio.gather(*map(examine, chosen)))
    if len(targets) > len(chosen):
        left = f"{len(targets) - len(chosen):,} more hosts were not looked at"
        findings.append(Finding(Area.NETWORK, Mark.SKIPPED, left))
    return findings


def _list_targets(config: Config) -> Iterator[_Target]:
    for url in config.checks.uplink:
        yield _Target(url, None, config.checks.timeout)
    for connection in config.connections:
        if connection.enabled:
            for url in _urls_of(connection, config):
                yield _Target(url, connection.ca_file, config.timeout_of(connection))


def _urls_of(connection: Connection, config: Config) -> Iterator[str]:
    match connection:
        case SoldscopeConnection():
            yield connection.base_url
        case HttpConnection():
            yield connection.url
        case AmazonConnection():
            application = config.application(connection.application)
            if application is not None:
                yield application.token_address
            yield connection.address


async def _examine_host(target: _Target, now: datetime) -> Finding:
    host = urlsplit(target.url).netloc
    took_ms = 0.0
    ends_at = None
    try:
        async with aclosing(reach(target.url, target.ca_file, target.timeout)) as way:
            async for reached in way:
                if reached.failure is not None:
                    remedy = _REMEDIES[reached.hop]
                    return Finding(Area.NETWORK, Mark.FAILED, reached.failure.detail, remedy)
                took_ms += reached.took_ms or 0
                ends_at = reached.certificate_ends_at
    except ValueError as error:
        return Finding(Area.NETWORK, Mark.FAILED, f"{host}: {error}", "mend its ca_file")
    if ends_at is not None and ends_at - now <= CERTIFICATE_SOON:
        words = f"{host}: its certificate ends on {ends_at:%Y-%m-%d}"
        remedy = "whoever runs that host has to renew it"
        return Finding(Area.NETWORK, Mark.WARNING, words, remedy)
    return Finding(Area.NETWORK, Mark.OK, f"{host} can be reached ({took_ms:,.0f} ms)")


_REMEDIES = {
    Hop.RESOLVE: "check the name, and this machine's name servers",
    Hop.CONNECT: "check the address, and the firewalls between here and there",
    Hop.TLS: "check this machine's clock and certificates; a CA of your own goes into ca_file",
}
