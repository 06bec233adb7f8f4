"""Run the daemon: schedule and run checks, evaluate them, sweep, reload, supervise.

Start with `evaluate`: what one batch of checks leads to. `app` builds the parts, `scheduler` runs
the jobs, `runner` the checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import lazily

if TYPE_CHECKING:
    from monitor.engine import actions, evaluate, sweep
    from monitor.engine.app import App

__all__ = [
    "App",
    "actions",
    "evaluate",
    "sweep",
]

__getattr__ = lazily(
    {
        "App": "monitor.engine.app",
        "actions": "monitor.engine",
        "evaluate": "monitor.engine",
        "sweep": "monitor.engine",
    }
)
