"""Check the services: all the I/O of a check, ending in an outcome.

A plug-in imports what it needs from here, and from nowhere else: its settings are a `Connection`
with `Secret` and `BaseUrl` fields, its checker returns an `Outcome`, and `fetch` keeps the limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import lazily

if TYPE_CHECKING:
    from monitor.config.connections import Connection
    from monitor.config.secret import Secret
    from monitor.config.values import BaseUrl
    from monitor.judge.outcome import Outcome, QuotaReading, Reason
    from monitor.providers.base import Checker
    from monitor.providers.fetcher import Answer, Failure, fetch
    from monitor.providers.registry import build_checker

__all__ = [
    "Answer",
    "BaseUrl",
    "Checker",
    "Connection",
    "Failure",
    "Outcome",
    "QuotaReading",
    "Reason",
    "Secret",
    "build_checker",
    "fetch",
]

__getattr__ = lazily(
    {
        "Answer": "monitor.providers.fetcher",
        "BaseUrl": "monitor.config.values",
        "Checker": "monitor.providers.base",
        "Connection": "monitor.config.connections",
        "Failure": "monitor.providers.fetcher",
        "Outcome": "monitor.judge.outcome",
        "QuotaReading": "monitor.judge.outcome",
        "Reason": "monitor.judge.outcome",
        "Secret": "monitor.config.secret",
        "build_checker": "monitor.providers.registry",
        "fetch": "monitor.providers.fetcher",
    }
)
