"""
Run the checks of providers that other packages bring, and let no fault of theirs out.

Decides what an outcome is where a plug-in fails: the connection is told to be
unchecked, with the name of the plug-in. All other connections go on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from monitor.check.plugin_outcome import find_flaw
from monitor.judge.outcome import Outcome, Reason

if TYPE_CHECKING:
    from datetime import timedelta

    import httpx

    from monitor.check.base import Checker
    from monitor.config.connection import Connection
    from monitor.config.plugins import Plugin

log = structlog.get_logger()


class PluginChecker:
    """
    Check one connection through a plug-in.
    """

    def __init__(
        self,
        plugin: Plugin,
        connection: Connection,
        client: httpx.AsyncClient,
        timeout: timedelta,
    ) -> None:
        self._plugin = plugin
        self._connection = connection
        self._client = client
        self._timeout = timeout
        self._checker: Checker | None = None

    async def check(self) -> Outcome:
        """
        Let the plug-in check, within the time that a check has.
        """
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
        if flaw := find_flaw(outcome):
            return self._fault(f"its outcome has no usable {flaw}")
        return outcome

    def _fault(self, what: str) -> Outcome:
        return Outcome(
            Reason.UNEXPECTED_RESPONSE,
            f'The plug-in for "{self._plugin.name}" failed: {what}. Report it to its author.',
        )


class UnusableChecker:
    """
    Stand in for a plug-in that cannot be used.
    """

    def __init__(self, provider: str, problem: str) -> None:
        self._detail = (
            f'Nobody checks this: the plug-in for "{provider}" cannot be used: {problem}.'
            " Install it again, or ask its author."
        )

    async def check(self) -> Outcome:
        """
        Say that nothing was asked.
        """
        return Outcome(Reason.UNEXPECTED_RESPONSE, self._detail)


def _is_stopped_by_us(error: BaseException) -> bool:
    # A plug-in may pass on a cancellation within itself, which is its own fault.
    task = asyncio.current_task()
    is_asked_to_stop = task is not None and task.cancelling() > 0
    return isinstance(error, asyncio.CancelledError) and is_asked_to_stop


def _place_of(error: BaseException) -> str:
    """
    Return the innermost line that raised *error*.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
