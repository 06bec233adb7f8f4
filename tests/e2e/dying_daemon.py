"""
Run the daemon, and kill it without warning at one step of its work.

It dies when a step is taken for the nth time. Without a step it runs until SIGTERM.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
from datetime import timedelta
from enum import Enum
from functools import wraps
from pathlib import Path
from typing import Any

from monitor.alerting.outbox import StoredOutbox
from monitor.config.load import load_config
from monitor.engine import app, parts, runner
from monitor.log import configure_logging
from monitor.notify.apprise import AppriseSender
from monitor.notify.delivery import Delivery
from monitor.store import outbox
from monitor.web.dashboard import WebDashboard


class When(Enum):
    BEFORE = "before"
    AFTER = "after"


# From the end of a check to the record that people were told: what is called, in order.
STEPS: dict[str, tuple[Any, str, When]] = {
    "batch not judged yet": (runner, "evaluate", When.BEFORE),
    "batch judged, not committed": (runner, "evaluate", When.AFTER),
    "batch committed": (Delivery, "wake", When.BEFORE),
    "group chosen, not claimed": (outbox, "choose_next", When.AFTER),
    "claimed, not committed": (outbox, "claim_next", When.AFTER),
    "claim committed": (StoredOutbox, "claim_next", When.AFTER),
    "not sent yet": (AppriseSender, "send", When.BEFORE),
    "sent": (AppriseSender, "send", When.AFTER),
    "arrival recorded, not committed": (outbox, "mark_sent", When.AFTER),
    "arrival committed": (StoredOutbox, "mark_sent", When.AFTER),
}


def die_at(owner: Any, name: str, when: When, nth: int) -> None:
    """
    Replace a function by itself and the end of this process.
    """
    function = getattr(owner, name)
    n_calls = 0

    def count(at: When) -> None:
        nonlocal n_calls
        n_calls += at is when
        if at is when and n_calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    @wraps(function)
    async def call_async(*args: Any, **options: Any) -> Any:
        count(When.BEFORE)
        result = await function(*args, **options)
        count(When.AFTER)
        return result

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        count(When.BEFORE)
        result = function(*args, **options)
        count(When.AFTER)
        return result

    setattr(owner, name, call_async if inspect.iscoroutinefunction(function) else call)


async def run(config: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await app.App(load_config(config), WebDashboard).run(stop)


def main(config: str, step: str = "", nth: str = "1") -> None:
    configure_logging()
    runner.COLLECT_FOR_S = 0.05
    parts.DELIVER_EVERY = timedelta(seconds=0.2)
    if step:
        die_at(*STEPS[step], nth=int(nth))
    asyncio.run(run(Path(config)))
