"""
Take a database back to the last schema before the first release, which is that of `0001`.
"""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from monitor.resources import migrations_path
from monitor.store.engine import Database
from monitor.store.migrate import UNRELEASED_HEAD

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


def alembic_on(tx: Connection) -> Config:
    """
    Return what Alembic's commands take, to work in *tx* and to print nothing.
    """
    config = Config(stdout=StringIO())
    config.set_main_option("script_location", str(migrations_path()))
    config.attributes["connection"] = tx
    return config


def set_revision(database: Database, revision: str) -> None:
    """
    Have a database say that it has a schema, whatever it has.
    """
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})


def make_last_unreleased(database: Database) -> None:
    """
    Undo each revision since `0001`, and say what said so before the first release.
    """
    with database.write() as tx:
        command.downgrade(alembic_on(tx), "0001")
    set_revision(database, UNRELEASED_HEAD)


def make_file_unreleased(path: Path) -> None:
    """
    Do the same to the file of a database that nobody has open here.
    """
    database = Database(f"sqlite:///{path}")
    make_last_unreleased(database)
    database.close()
