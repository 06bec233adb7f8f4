"""
Give all requests of one check one limit of time.

A check that takes several steps must end when its settings say so, however the
time was spent; waiting for one's turn counts as well.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from monitor.check.http import Failure, fetch
from monitor.judge.outcome import Reason

if TYPE_CHECKING:
    import httpx

    from monitor.check.http import Answer


class Deadline:
    """
    The end of a check that begins now and may take *timeout*.
    """

    def __init__(self, timeout: timedelta) -> None:
        self.timeout = timeout
        self._ends_at = monotonic() + timeout.total_seconds()

    @property
    def left(self) -> timedelta:
        """
        The time left; never negative.
        """
        return timedelta(seconds=max(0.0, self._ends_at - monotonic()))

    def explain(self, host: str) -> Failure:
        """
        Say that *host* was not done in time.
        """
        seconds = self.timeout.total_seconds()
        return Failure(
            Reason.TIMEOUT,
            f"{host} did not answer completely within the {seconds:g} s that a check may take.",
        )


async def fetch_before(
    deadline: Deadline, client: httpx.AsyncClient, request: httpx.Request
) -> Answer | Failure:
    """
    Send *request* and read the whole answer, if the time left suffices.
    """
    host = request.url.netloc.decode("ascii", "replace")
    left = deadline.left
    if not left:
        return deadline.explain(host)
    fetched = await fetch(client, request, left)
    if isinstance(fetched, Failure) and fetched.reason is Reason.TIMEOUT and not deadline.left:
        # The seconds that were left to this request are nobody's setting.
        return replace(fetched, detail=deadline.explain(host).detail)
    return fetched
