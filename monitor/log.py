"""Configure logging: the only module that does.

Lines go to stderr, for people on a terminal and as JSON otherwise; stdout
carries data only.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


class _Forgiving:
    """A stream that keeps its troubles to itself.

    Where the disk is full or nobody reads any more, the line is lost. Raised
    from a log call, the same would end the daemon's loops one after another,
    and have what was just sent sent again.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: it was closed
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure_logging(*, is_verbose: bool = False, is_quiet: bool = False) -> None:
    """Send log lines to stderr from now on.

    Args:
        is_verbose: One line for each check as well.
        is_quiet: Warnings and errors only, for commands that print data.
    """
    level = logging.DEBUG if is_verbose else logging.WARNING if is_quiet else logging.INFO
    is_terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        # By default it prints every variable on the way to a fault, secrets included.
        structlog.dev.ConsoleRenderer(
            colors="NO_COLOR" not in os.environ,
            exception_formatter=structlog.dev.plain_traceback,
        )
        if is_terminal
        else structlog.processors.JSONRenderer(default=str)
    )
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not is_terminal:
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Forgiving(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    # Libraries speak only of trouble, and their texts may quote requests.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.ERROR)
