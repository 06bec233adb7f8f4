"""Read lists of connections from elsewhere, row by row: files, services, databases.

`rows` says what a row is, `formats` takes JSON and CSV apart as they come, `files`, `services`
and `databases` fetch them. What a row means is left to the settings, what becomes of it to whoever
reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import lazily

if TYPE_CHECKING:
    from monitor.sources.databases import read_database
    from monitor.sources.files import read_files
    from monitor.sources.rows import SourceRow, UnreadableSource
    from monitor.sources.services import read_service

__all__ = ["SourceRow", "UnreadableSource", "read_database", "read_files", "read_service"]

__getattr__ = lazily(
    {
        "SourceRow": "monitor.sources.rows",
        "UnreadableSource": "monitor.sources.rows",
        "read_database": "monitor.sources.databases",
        "read_files": "monitor.sources.files",
        "read_service": "monitor.sources.services",
    }
)
