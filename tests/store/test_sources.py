"""
What is remembered of sources between readings, and over a restart.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.judge.connections import WrittenEntry
from monitor.judge.sources import SourceMemory, SourceState
from monitor.store import entries, sources
from monitor.store.sources import StoredSource
from tests.fakes import NOON

if TYPE_CHECKING:
    from monitor.store.engine import Transaction

LATER = NOON + timedelta(minutes=1)
MEMORY = SourceMemory(
    SourceState.HELD, NOON, LATER, 40, 2, 3, "why", 4, NOON, "held", "shown", is_hold_reported=True
)
STORES = StoredSource("stores", "file", MEMORY, ("row 1: x",), '"7"', "mark", 0.25)


def write(tx: Transaction, owner: str, *names: str) -> None:
    written = [WrittenEntry(name, 0, f"digest {name}", dict) for name in names]
    entries.replace_owned(tx, owner, 2, written)


def test_what_is_remembered_is_read_again(database):
    with database.write() as tx:
        assert sources.find_source(tx, "stores") is None
        sources.save_source(tx, STORES)
    with database.write() as tx:
        assert sources.find_source(tx, "stores") == STORES
        sources.save_source(tx, replace(STORES, etag="", memory=SourceMemory()))
    with database.read() as tx:
        assert sources.list_sources(tx) == {
            "stores": replace(STORES, etag="", memory=SourceMemory())
        }


def test_only_the_first_bad_rows_are_named(database):
    with database.write() as tx:
        sources.save_source(tx, replace(STORES, problems=tuple(map(str, range(30)))))
        found = sources.find_source(tx, "stores")
    assert found is not None
    assert found.problems == tuple(map(str, range(20)))


def test_a_wish_lasts_until_it_is_granted(database):
    with database.write() as tx:
        sources.want_source(tx, "new", "http", NOON)
        sources.save_source(tx, STORES)
        sources.want_source(tx, "stores", "file", NOON)
        sources.save_source(tx, STORES)
        assert sources.list_wanted(tx) == {"new": NOON, "stores": NOON}
        sources.want_source(tx, "stores", "file", LATER)
        sources.drop_wish(tx, "stores", NOON)
        assert sources.list_wanted(tx) == {"new": NOON, "stores": LATER}
        sources.drop_wish(tx, "stores", LATER)
        assert sources.list_wanted(tx) == {"new": NOON}


def test_missing_connections_are_counted_and_found(database):
    with database.write() as tx:
        write(tx, "stores", "a", "b", "c")
        write(tx, "others", "a")
        sources.add_missing(tx, "stores", ["a", "b"], NOON)
        sources.add_missing(tx, "others", ["a"], LATER)
        assert sources.count_owned(tx, "stores") == 3
        assert sources.count_missing(tx, "stores") == 2
        assert list(sources.list_missing(tx, "stores")) == [("a", NOON), ("b", NOON)]
        assert sources.find_missing(tx, "stores", ["b", "c"]) == {"b": NOON}
        sources.drop_missing(tx, "stores", ["b"])
        assert list(sources.list_missing(tx, "stores")) == [("a", NOON)]


def test_what_a_source_has_is_looked_up_and_listed_in_pieces(database):
    names = [f"st-{n:04}" for n in range(1200)]
    with database.write() as tx:
        write(tx, "stores", *names)
        write(tx, "others", "st-0001", "x")
        found = sources.find_known(tx, "stores", [*names, "x"])
        assert found == {name: f"digest {name}" for name in names}
        assert sources.list_known(tx, "stores", "", 500) == names[:500]
        assert sources.list_known(tx, "stores", names[999], 500) == names[1000:]
        assert sources.list_known(tx, "stores", names[-1], 500) == []


def test_a_source_that_is_gone_is_forgotten(database):
    with database.write() as tx:
        sources.save_source(tx, STORES)
        sources.add_missing(tx, "stores", ["a"], NOON)
        sources.drop_source(tx, "stores")
        assert sources.list_sources(tx) == {}
        assert sources.count_missing(tx, "stores") == 0


def test_a_hold_lasts_until_the_source_is_read_as_usual(database):
    with database.write() as tx:
        assert not sources.is_source_held(tx, "stores")
        for state, held, expected in (
            (SourceState.HELD, "m", True),
            (SourceState.FAILED, "m", True),
            (SourceState.FAILED, "", False),
            (SourceState.OK, "", False),
        ):
            sources.save_source(tx, StoredSource("stores", "file", SourceMemory(state, held=held)))
            assert sources.is_source_held(tx, "stores") is expected
