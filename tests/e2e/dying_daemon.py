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
from functools import partial, wraps
from pathlib import Path
from typing import Any

from monitor.alerting.outbox import StoredOutbox
from monitor.config.load import load_config
from monitor.engine import actions, app, evaluate, parts, reload, runner, sweep
from monitor.log import configure_logging
from monitor.notify.apprise import AppriseSender
from monitor.notify.delivery import Delivery
from monitor.store import migrate, outbox
from monitor.web.dashboard import WebDashboard
from tests.forking import run_command


class When(Enum):
    BEFORE = "before"
    AFTER = "after"


# From the end of a check to the record that people were told: what is called, in order.
STEPS: dict[str, tuple[Any, str, When]] = {
    "batch not judged yet": (runner, "evaluate", When.BEFORE),
    "batch loaded, not judged": (evaluate, "judge_checks", When.BEFORE),
    "batch dispatched, not saved": (evaluate, "save", When.BEFORE),
    "batch saved, not committed": (evaluate, "save", When.AFTER),
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


# What else the daemon writes: what time has changed, and what the file says now.
SWEEP_STEPS: dict[str, tuple[Any, str, When]] = {
    "steps passed, not swept": (sweep, "sweep", When.BEFORE),
    "swept, not committed": (sweep, "sweep", When.AFTER),
}
RELOAD_STEPS: dict[str, tuple[Any, str, When]] = {
    "file read, not in force": (reload, "_bring_in_line", When.BEFORE),
    "in force, not committed": (reload, "_bring_in_line", When.AFTER),
    "reload committed": (reload.Reloader, "_note_success", When.BEFORE),
}

# What commands do at once: each is whole or has not happened.
ORDER_STEPS: dict[str, tuple[Any, str, When]] = {
    "not renewed yet": (actions, "renew", When.BEFORE),
    "renewed, not committed": (actions, "renew", When.AFTER),
    "copy not looked through": (migrate, "_require_fit", When.BEFORE),
    "old database not set aside": (migrate, "_set_aside", When.BEFORE),
    "old database set aside": (migrate, "_set_aside", When.AFTER),
    "copy in its place": (migrate, "_keep_names", When.BEFORE),
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
    stop, wanted = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, wanted.set)
    load = partial(load_config, config)
    await app.App(load(), WebDashboard, load=load).run(stop, wanted)


def order(step: str, *arguments: str) -> None:
    """
    Run a command, and kill it at one step.
    """
    die_at(*ORDER_STEPS[step], nth=1)
    run_command(*arguments)


def main(config: str, step: str = "", nth: str = "1") -> None:
    configure_logging()
    runner.COLLECT_FOR_S = 0.05
    parts.DELIVER_EVERY = timedelta(seconds=0.2)
    if step:
        die_at(*(STEPS | SWEEP_STEPS | RELOAD_STEPS)[step], nth=int(nth))
    asyncio.run(run(Path(config)))
