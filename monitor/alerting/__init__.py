"""Decide which alerts are dispatched, to which channels and when, over what the store knows.

`dispatch` stores an alert with its notifications; `incidents` ends what was one cause of many
problems; `suppression`, `reminders` and `digests` decide about time, `outbox` about channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import lazily

if TYPE_CHECKING:
    from monitor.alerting import dispatch, reminders, suppression

__all__ = [
    "dispatch",
    "reminders",
    "suppression",
]

__getattr__ = lazily(
    {
        "dispatch": "monitor.alerting",
        "reminders": "monitor.alerting",
        "suppression": "monitor.alerting",
    }
)
