"""
Say how values are stored: instants, ids, and the names of constraints.

Instants are stored as whole microseconds since 1970 UTC: they sort, they take
eight bytes, and every database agrees on them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, TypeDecorator

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """
    An aware UTC datetime, stored as microseconds since 1970.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """
        Return what is stored for *value*.
        """
        return None if value is None else (value - EPOCH) // MICROSECOND

    def result_processor(
        self,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
        coltype: object,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> Callable[[int | None], datetime | None]:
        """
        Return the function that reads what was stored.

        There are twenty instants in a row: they are read without a detour.
        """
        return _read_instant


def _read_instant(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + timedelta(microseconds=value)


# SQLite counts ids of BigInteger columns only when they are plain INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")


def of_connection() -> Column[int]:
    """
    Return the key of a table that has a row for a connection, or some, and loses them with it.
    """
    return Column(
        "connection_id",
        Id,
        ForeignKey("connections.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
