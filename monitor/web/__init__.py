"""Show what the daemon knows to people and programs: pages, API, metrics, feeds.

`app` builds the application out of `parts`; `security` lets nobody in who may not enter, before any
route is called. Nothing in here judges, checks or sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import lazily

if TYPE_CHECKING:
    from monitor.web.dashboard import WebDashboard

__all__ = [
    "WebDashboard",
]

__getattr__ = lazily(
    {
        "WebDashboard": "monitor.web.dashboard",
    }
)
