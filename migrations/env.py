"""
Run the migrations on the connection that `monitor.store.migrate` hands in.

`alembic` on the command line works as well: `alembic -x url=sqlite:///file.db …`.
"""

from __future__ import annotations

from typing import Any

from alembic import context

from monitor.store import quota_tables
from monitor.store.engine import Database


def run() -> None:
    """
    Migrate, in one transaction a revision.
    """
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection)
        return
    database = Database(context.get_x_argument(as_dictionary=True)["url"])
    database.create_file()
    with database.write() as own_connection:
        _migrate(own_connection)
    database.close()


def _migrate(connection: Any) -> None:
    context.configure(
        connection=connection,
        target_metadata=quota_tables.quota_samples.metadata,
        render_as_batch=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
