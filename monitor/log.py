"""
Configure logging: the only module that does.

Lines go to stderr, for people on a terminal and as JSON otherwise; stdout
carries data only.
"""

from __future__ import annotations

import logging
import os
import sys

import structlog


def configure_logging(*, is_verbose: bool = False, is_quiet: bool = False) -> None:
    """
    Send log lines to stderr from now on.

    Args:
        is_verbose: One line for each check as well.
        is_quiet: Warnings and errors only, for commands that print data.
    """
    level = logging.DEBUG if is_verbose else logging.WARNING if is_quiet else logging.INFO
    is_terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors="NO_COLOR" not in os.environ)
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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries speak only of trouble, and their texts may quote requests.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.ERROR)
