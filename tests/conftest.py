"""
Fixtures that every test may use.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts us in the background has it ignored, and what we start
    # would inherit that: Ctrl-C could not be tried.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hypothesis's deadline is in time on the wall: how busy the machine is would decide.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _free_loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Keep one test's configuration of logging from the loggers of the next.
    """
    configure = structlog.configure

    def configure_uncached(*args: Any, **settings: Any) -> None:
        configure(*args, **settings | {"cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", configure_uncached)
    yield
    structlog.reset_defaults()
