"""
How values are stored, and what is read of them.
"""

from __future__ import annotations

from enum import StrEnum

import pytest
from sqlalchemy import Column, MetaData, Table, create_engine, insert, select, text

from monitor.store.schema import EnumText


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


LAMPS = Table("lamps", MetaData(), Column("colour", EnumText(Colour, 10)))


@pytest.fixture
def tx():
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        LAMPS.metadata.create_all(connection)
        yield connection
    engine.dispose()


def test_a_member_is_stored_as_its_value_and_read_as_a_member(tx):
    tx.execute(insert(LAMPS), [{"colour": Colour.RED}, {"colour": "green"}, {"colour": None}])
    stored = tx.execute(text("SELECT colour, typeof(colour) FROM lamps")).all()
    assert stored == [("red", "text"), ("green", "text"), (None, "null")]
    read = tx.execute(select(LAMPS.c.colour)).scalars().all()
    assert [type(each) for each in read] == [Colour, Colour, type(None)]
    assert read == [Colour.RED, Colour.GREEN, None]


@pytest.mark.parametrize("wanted", [Colour.RED, "red"])
def test_rows_are_found_by_a_member_and_by_its_value(tx, wanted):
    tx.execute(insert(LAMPS), [{"colour": Colour.RED}, {"colour": Colour.GREEN}])
    for condition in (LAMPS.c.colour == wanted, LAMPS.c.colour.in_([wanted])):
        assert tx.execute(select(LAMPS.c.colour).where(condition)).scalars().all() == [Colour.RED]


def test_a_word_that_is_no_member_is_not_read_as_one(tx):
    tx.execute(text("INSERT INTO lamps VALUES ('blue')"))
    with pytest.raises(KeyError, match="blue"):
        tx.execute(select(LAMPS.c.colour)).all()
