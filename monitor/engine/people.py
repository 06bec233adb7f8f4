"""Read the people who were added in the dashboard, and put them in force beside those of the file.

Whether one can be used is decided in `monitor.config.people`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from monitor.config.entries import EntryUnusable
from monitor.config.people import read_person
from monitor.store import people

if TYPE_CHECKING:
    from monitor.config.model import Config, WebUser
    from monitor.store.engine import Transaction

log = structlog.get_logger()


def read_people(tx: Transaction) -> list[WebUser]:
    """Return the stored people by name."""
    found = []
    for row in people.list_people(tx):
        try:
            found.append(read_person(row.name, row.role, row.groups, row.password_hash))
        except EntryUnusable as error:
            log.warning("person.unusable", user=row.name, why=str(error))
    return found


def with_stored_people(tx: Transaction, config: Config) -> Config:
    """Return *config* with the stored people beside those of the file."""
    return config.with_people(read_people(tx))
