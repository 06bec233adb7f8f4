"""Run the checks of providers that other packages bring, and let no fault of theirs out.

Decides what the outcome is where a plug-in fails, which is named then, and whether each part of an
outcome is of the kind that judging and storing rely on: one bad outcome must not keep those of
other connections from being stored.
"""

from __future__ import annotations

import asyncio
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog

from monitor.config.model import list_secrets
from monitor.judge.outcome import Marketplace, Outcome, QuotaReading, QuotaUnit, Reason
from monitor.judge.shortage import find_shortage
from monitor.providers.headers import MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    import httpx

    from monitor.config.connections import Connection
    from monitor.config.registry import Plugin
    from monitor.providers.base import Checker


MAX_TEXT = 2000
MAX_NAME = 60
"""Of a window: what is stored of it has no more room."""


def _find_flaw(value: object, parts: Mapping[str, Callable[[Any], bool]]) -> str | None:
    """Return the name of the first of *parts* that is not what it should be."""
    return next(
        (name for name, is_good in parts.items() if not is_good(getattr(value, name))), None
    )


def _is_reason(value: object) -> bool:
    return isinstance(value, Reason) and value is not Reason.NOT_CHECKED


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _is_instant(value: object) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is not None


def _is_reading(value: object) -> bool:
    return isinstance(value, QuotaReading) and _find_flaw(value, _READING) is None


def _is_marketplace(value: object) -> bool:
    return isinstance(value, Marketplace) and _is_text(value.country) and _is_text(value.id)


def _or_none(is_good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or is_good(value)


def _all(is_good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(map(is_good, value))


_READING = {
    "limit": _or_none(_is_count),
    "remaining": _or_none(_is_count),
    "resets_at": _or_none(_is_instant),
    "window_s": _or_none(_is_count),
    "name": lambda value: isinstance(value, str) and len(value) <= MAX_NAME,
    "unit": lambda value: isinstance(value, QuotaUnit),
}
_OUTCOME = {
    "reason": _is_reason,
    "detail": _is_text,
    "advice": _is_text,
    "latency_ms": _or_none(_is_time),
    "http_status": _or_none(_is_count),
    "account": _or_none(_is_text),
    "quota": _or_none(_is_reading),
    "retry_at": _or_none(_is_instant),
    "marketplaces": _or_none(_all(_is_marketplace)),
    "failed_host": _or_none(_is_text),
    "fingerprint": _or_none(_is_text),
    "request_id": _or_none(_is_text),
    "windows": _all(_is_reading),
    "token_ends_at": _or_none(_is_instant),
}


log = structlog.get_logger()


class PluginChecker:
    """Check one connection through a plug-in."""

    def __init__(
        self, plugin: Plugin, connection: Connection, client: httpx.AsyncClient, timeout: timedelta
    ) -> None:
        self._plugin = plugin
        self._connection = connection
        self._client = client
        self._timeout = timeout
        self._checker: Checker | None = None

    async def check(self) -> Outcome:
        """Let the plug-in check, within the time that a check has."""
        for _, secret in list_secrets(self._connection):
            await secret.make_ready()
        try:
            async with asyncio.timeout(self._timeout.total_seconds()) as deadline:
                if self._checker is None:
                    self._checker = self._plugin.build(
                        self._connection, self._client, self._timeout
                    )
                outcome = await self._checker.check()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a foreign package may raise anything
            if _is_stopped_by_us(error):
                raise
            if find_shortage(error) is not None:
                raise
            if isinstance(error, TimeoutError) and deadline.expired():
                return Outcome(
                    Reason.TIMEOUT,
                    f'The plug-in for "{self._plugin.name}" gave no outcome within'
                    f" {self._timeout.total_seconds():g} s.",
                )
            # Only the kind of error: its text is the plug-in's, and may hold a secret.
            log.error(  # noqa: TRY400 - a traceback shows the error's text
                "plugin.fault",
                connection=self._connection.name,
                provider=self._plugin.name,
                error=type(error).__name__,
                at=_place_of(error),
            )
            return self._fault(f"it raised {type(error).__name__}")
        if not isinstance(outcome, Outcome):
            return self._fault(f"it returned {type(outcome).__name__} instead of an outcome")
        if flaw := _find_flaw(outcome, _OUTCOME):
            return self._fault(f"its outcome has no usable {flaw}")
        return outcome

    def _fault(self, what: str) -> Outcome:
        return Outcome(
            Reason.UNEXPECTED_RESPONSE,
            f'The plug-in for "{self._plugin.name}" failed: {what}. Report it to its author.',
        )


class UnusableChecker:
    """Stand in for a plug-in that cannot be used."""

    def __init__(self, provider: str, problem: str) -> None:
        self._detail = (
            f'This is not checked: the plug-in for "{provider}" cannot be used: {problem}.'
            " Install it again, or ask its author."
        )

    async def check(self) -> Outcome:
        """Say that nothing was asked."""
        return Outcome(Reason.UNEXPECTED_RESPONSE, self._detail)


def _is_stopped_by_us(error: BaseException) -> bool:
    # A plug-in may pass on a cancellation within itself, which is its own fault.
    task = asyncio.current_task()
    is_asked_to_stop = task is not None and task.cancelling() > 0
    return isinstance(error, asyncio.CancelledError) and is_asked_to_stop


def _place_of(error: BaseException) -> str:
    """Return the innermost line that raised *error*."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
