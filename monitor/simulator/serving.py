"""
Serve an application on a port of this machine.

Decides how a server starts, what it logs and which address it is told by. What
it answers is left to the application.
"""

from __future__ import annotations

import ipaddress
import logging
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    import ssl

STOP_WITHIN_S = 0.5
"""How long a request under way may take to end once the simulator stops."""

MAX_BODY = 64 * 2**10


async def serve(
    app: web.Application, host: str, port: int, ssl_context: ssl.SSLContext | None
) -> tuple[web.AppRunner, str]:
    """
    Serve *app* and return the server with its root URL once it listens.

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
    """
    Return a logger, which aiohttp wants, that keeps silent about what strangers send.

    A mistake in the simulator itself still shows.
    """
    logger = logging.getLogger(__name__)
    logger.addFilter(_is_our_mistake)
    return logger


def _is_our_mistake(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


def _reachable(host: str) -> str:
    """
    Return *host* as it can stand in a URL of this machine.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:  # noqa: PLR2004 - the version of the protocol
        return "127.0.0.1" if address.is_unspecified else host
    return "[::1]" if address.is_unspecified else f"[{host}]"
