"""
Write a database as an earlier release left it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from monitor.store import migrate
from monitor.store.engine import Database
from tests.old_schema import make_last_unreleased

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


INSERT = """
INSERT INTO connections (name, provider, host, is_configured, is_enabled, is_paused,
  state, reason, detail, since, successes, refusals, refusals_of_any_reason, failures,
  announced_state, announced_reason)
VALUES (:name, 'soldscope', 'api.example.com', 1, 1, 0,
  'error', 'token_rejected', '', :since, 0, 9, 9, 0, 'error', 'token_rejected')
RETURNING id
"""
INSERT_QUOTA = "INSERT INTO quotas (connection_id, is_payment_required) VALUES (:number, 0)"


def write_old_database(path: Path, name: str, since: datetime) -> None:
    """
    Write a database of the schema before `0001` in which the connection *name* is refused.
    """
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    make_last_unreleased(database)
    with database.write() as tx:
        row = {"name": name, "since": int(since.timestamp()) * 1_000_000}
        number = tx.execute(text(INSERT), row).scalar_one()
        tx.execute(text(INSERT_QUOTA), {"number": number})
    database.close()
