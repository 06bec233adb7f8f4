"""Show how the monitor itself is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import Response  # noqa: TC002 - likewise

from monitor.judge.health import is_late
from monitor.notify.times import format_span
from monitor.report.conditions import describe_failure
from monitor.store import outbox
from monitor.store.migrate import HEAD
from monitor.store.schedule import lateness
from monitor.web.overview import STATES
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.templating import render
from monitor.web.times import with_times
from monitor.web.visibility import for_all_groups

if TYPE_CHECKING:
    from datetime import timedelta

    from monitor.judge.conditions import FailingChannel
    from monitor.store.engine import Transaction
    from monitor.store.outbox import ChannelCounts

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel as the page shows it.

    Args:
        failure: Since when it fails, why and when it is tried again; empty if it does not.
        error: What the library said of that.
    """

    name: str
    counts: ChannelCounts
    failure: str
    error: str


@router.get("/monitor", dependencies=[for_all_groups])
async def show_monitor(request: Request, here: Here) -> Response:
    """Show lateness, the latest reading of the file, channels, database and version."""
    now, zone = here.clock(), here.config.alerts.zone

    def read(
        tx: Transaction,
    ) -> tuple[timedelta, dict[str, ChannelCounts], int, dict[str, FailingChannel]]:
        counts = here.overview.counts(tx)
        n_watched = sum(counts[state] for state in STATES) - counts["paused"]
        return (
            lateness(tx, here.plan.names(tx), now),
            outbox.count_by_channel(tx),
            n_watched,
            {one.name: one for one in outbox.list_failing_channels(tx)},
        )

    late, counts, n_watched, failing = await here.reader.read(read)
    channels = [
        ChannelRow(
            name,
            counts.get(name, outbox.ChannelCounts()),
            with_times(
                describe_failure(failing[name], now, zone),
                [failing[name].next_attempt_at],
                now,
                zone,
            )
            if name in failing
            else "",
            failing[name].error if name in failing else "",
        )
        for name in (channel.name for channel in here.plan.channels)
    ]
    context = {
        "late": late,
        "is_late": is_late(late, here.plan.intervals.timeout),
        "late_words": format_span(late),
        "n_watched": n_watched,
        "channels": channels,
        "revision": HEAD,
        "running": format_span(now - here.started_at),
        "started_at": here.started_at,
        "database": here.config.monitor.database,
        "config_path": here.config.path,
        "reloads": here.reloads,
        "n_sources": len(here.config.sources),
    }
    return render(request, "monitor.html", context)
