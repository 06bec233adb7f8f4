"""
Run the migrations on the connection that `monitor.store.migrate` hands in.

`alembic` on the command line works as well: `alembic -x url=sqlite:///file.db …`.
"""

# Revisions are only ever added: databases out there were made by those that exist, so a
# test keeps a hash of each. `0001` is followed by `0008`: the numbers between were used
# before the first release, by revisions that `0001` replaced, and some database may still
# have one of them (see `monitor/store/migrate.py`).

from __future__ import annotations

from typing import Any

from alembic import context

from monitor.store.engine import Database
from monitor.store.schema import metadata


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
        target_metadata=metadata,
        render_as_batch=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
