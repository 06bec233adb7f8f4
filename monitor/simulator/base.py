"""Offer what the parts of the simulator share: clock, answers, refusals, HTTP server.

Decides what time it is inside the simulator, which names and addresses are accepted, what is kept
of a secret value, and how a server starts. Waiting (slow answers, latency) stays in real seconds.
What an answer says is left to the services.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import logging
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from monitor.clock import utc_now

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping
    from datetime import datetime


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SimulatedAnswer:
    """An HTTP answer before it is sent.

    Args:
        is_of_account: Whether the quota headers of a SoldScope account belong to it.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_of_account: bool = True


def json_answer(
    status: int, body: Any, headers: Mapping[str, str] | None = None
) -> SimulatedAnswer:
    """Return an answer whose body is JSON."""
    return SimulatedAnswer(status, json.dumps(body).encode(), headers=headers or {})


def write_instant(instant: datetime) -> str:
    """Write an instant as RFC 3339, in UTC, to the second."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


class SimulatorError(ValueError):
    """A wish that cannot be fulfilled, with a sentence that says why."""


class UnknownNameError(SimulatorError):
    """Something was named that does not exist."""

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str]) -> Self:
        """Say that *name* is none of those that are *known*."""
        return cls(f"no {kind} {name[:40]!r}; there are: {', '.join(known) or 'none'}")


def find_known(kind: str, name: str, known: Mapping[str, T]) -> T:
    """Return what is *known* by *name*, or refuse a name that is not."""
    try:
        return known[name]
    except KeyError:
        raise UnknownNameError.among(kind, name, known) from None


class QuotaUsedUpError(SimulatorError):
    """A metered call was made and nothing is left."""


MAX_OFFSET = timedelta(days=36_525)
"""A century: far enough for any test, near enough for every calendar."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(?P<count>[0-9]{1,8})(?P<unit>[smhdw])")


def parse_duration(text: str) -> timedelta:
    """Read a length such as `90s`, `5m`, `36h`, `3d` or `2w`."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise SimulatorError(f"a length looks like 90s, 5m, 36h, 3d or 2w, got {text[:40]!r}")
    return timedelta(**{_UNITS[match["unit"]]: int(match["count"])})


class MovableClock:
    """The present instant plus an offset."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        """Return the simulator's present instant, aware, in UTC."""
        return utc_now() + self.offset

    def advance(self, by: timedelta) -> None:
        """Move the clock forward; it goes on running from there."""
        if by <= timedelta():
            raise SimulatorError("the clock moves forward only; reset it to come back")
        if self.offset + by > MAX_OFFSET:
            raise SimulatorError("the clock cannot be more than 100 years ahead; reset it first")
        self.offset += by

    def reset(self) -> None:
        """Return to the real time."""
        self.offset = timedelta()


STOP_WITHIN_S = 0.5
"""How long a request under way may take to end once the simulator stops."""

MAX_BODY = 64 * 2**10


async def serve(
    app: web.Application, host: str, port: int, ssl_context: ssl.SSLContext | None
) -> tuple[web.AppRunner, str]:
    """Serve *app* and return the server with its root URL once it listens.

    Raises `OSError` if the address cannot be had.
    """
    # Requests that hang must not outlive the client that gave up on them.
    runner = web.AppRunner(
        app,
        logger=_quiet_logger(),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=STOP_WITHIN_S,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=ssl_context).start()
    except BaseException:
        await runner.cleanup()
        raise
    bound_port = runner.addresses[0][1]
    scheme = "http" if ssl_context is None else "https"
    return runner, f"{scheme}://{_reachable(host)}:{bound_port}"


def _quiet_logger() -> logging.Logger:
    """Return a logger, which aiohttp wants, that keeps silent about what strangers send.

    A mistake in the simulator itself still shows.
    """
    logger = logging.getLogger(__name__)
    logger.addFilter(_is_our_mistake)
    return logger


def _is_our_mistake(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


def _reachable(host: str) -> str:
    """Return *host* as it can stand in a URL of this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:  # noqa: PLR2004 - the version of the protocol
        return "127.0.0.1" if address.is_unspecified else host
    return "[::1]" if address.is_unspecified else f"[{host}]"


MAX_NAME = 100


def checked_name(field_name: str, name: str) -> str:
    """Return a name without the space around it, or refuse it."""
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise SimulatorError(f"{field_name}: 1 to {MAX_NAME} printable characters")
    return name


def is_web_address(text: str) -> bool:
    """Tell whether *text* is an http or https address that can stand in a header."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )


def digest(value: str) -> bytes:
    """Return what is kept of a secret value."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()
