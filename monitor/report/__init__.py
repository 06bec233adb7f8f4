"""Say what is known, for people and for programs: status, history, validation, advice, doctor.

The same objects serve the commands, the API and the pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import lazily

if TYPE_CHECKING:
    from monitor.report.history import history_json
    from monitor.report.status import connection_json
    from monitor.report.validation import validate

__all__ = [
    "connection_json",
    "history_json",
    "validate",
]

__getattr__ = lazily(
    {
        "connection_json": "monitor.report.status",
        "history_json": "monitor.report.history",
        "validate": "monitor.report.validation",
    }
)
