"""
A database with rows in each of its tables, and what damages it.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.store.migrate import HEAD

if TYPE_CHECKING:
    from monitor.store.engine import Database

SCHEMA = Path(__file__).parent / "schemas" / f"{HEAD}.sql"

READABLE = (
    """UPDATE participations SET marketplaces = '[{"country": "US", "id": "ATVPDKIKX0DER",
    "is_participating": true, "has_suspended_listings": false, "is_configured": true}]'""",
    "UPDATE applications SET announced_reason = NULL",
    "UPDATE quota_windows SET windows = '[]'",
)
"""What the rows of the schema's test hold in place of what the code writes."""


def write_sound_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.executescript(SCHEMA.read_text("utf-8"))
        for statement in READABLE:
            raw.execute(statement)


def execute(database: Database, *statements: str) -> None:
    """
    Change what no command of ours would.
    """
    with closing(sqlite3.connect(database.path)) as raw, raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            raw.execute(statement)


def records_of(path: Path) -> list[dict[str, Any]]:
    """
    Return what was set aside in a file.
    """
    lines = path.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line]
