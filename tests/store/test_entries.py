"""
Settings of connections as rows: whose count, and what costs a write.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from monitor.judge.connections import WrittenEntry
from monitor.store import entries

if TYPE_CHECKING:
    from monitor.store.engine import Database, Transaction


def written(*names: str, digest: str = "d", note: str = "") -> list[WrittenEntry]:
    return [
        WrittenEntry(name, at, f"{digest}-{name}", partial(dict, name=name, notes=note))
        for at, name in enumerate(names)
    ]


def put(database: Database, *names: str, owner: str = "file", rank: int = 0, digest: str = "d"):
    with database.write() as tx:
        of_owner = written(*names, digest=digest, note=owner)
        return entries.replace_owned(tx, owner, rank, of_owner)


def n_written(tx: Transaction) -> int:
    number: int = tx.execute(text("SELECT total_changes()")).scalar_one()
    return number


def test_what_is_as_it_was_costs_no_write(database):
    names = [f"c{number:04}" for number in range(1200)]
    assert put(database, *names) == 1200
    with database.write() as tx:
        before = n_written(tx)
        assert entries.replace_owned(tx, "file", 0, written(*names, note="file")) == 0
        assert n_written(tx) == before


CHANGES = {
    "added": (("a", "b", "c"), "d", 1),
    "removed": (("a",), "d", 1),
    "moved": (("b", "a"), "d", 2),
    "changed": (("a", "b"), "e", 2),
    "emptied": ((), "d", 2),
}


@pytest.mark.parametrize(("names", "digest", "n_changed"), CHANGES.values(), ids=CHANGES)
def test_only_what_is_different_is_written(database, names, digest, n_changed):
    put(database, "a", "b")
    assert put(database, *names, digest=digest) == n_changed
    with database.read() as tx:
        assert entries.list_owned(tx, "file") == {name: f"{digest}-{name}" for name in names}
        found = entries.find_entries(tx, ["a", "b", "c"])
        assert {name: one.position for name, one in found.items()} == {
            name: at for at, name in enumerate(names)
        }


def test_of_several_owners_the_first_counts_and_the_next_takes_over_when_it_goes(database):
    owners = ("stores", 2), ("file", 0), ("dashboard", 1)
    for owner, rank in owners:
        put(database, "a", f"only-{owner}", owner=owner, rank=rank, digest=owner)
    for owner in ("file", "dashboard", "stores"):
        with database.read() as tx:
            assert entries.find_entries(tx, ["a"])["a"].owner == owner
            assert entries.find_digests(tx, ["a"]) == {"a": f"{owner}-a"}
            listed = {one.name: one.owner for one in entries.list_entries(tx)}
            assert listed["a"] == owner
            assert len(listed) == entries.count_entries(tx) == len(entries.list_entry_names(tx))
        put(database, owner=owner)
    with database.read() as tx:
        assert not entries.is_entry(tx, "a")
        assert entries.find_entries(tx, ["a"]) == {}
        assert list(entries.list_entries(tx)) == []


def test_what_one_owner_takes_out_is_left_to_the_others(database):
    put(database, "a", "b")
    put(database, "b", "c", owner="dashboard", rank=1)
    put(database)
    with database.read() as tx:
        assert entries.list_owned(tx, "dashboard") == {"b": "d-b", "c": "d-c"}
        assert sorted(entries.list_entry_names(tx)) == ["b", "c"]


def test_stored_secrets_do_not_show(database):
    put(database, "a")
    with database.read() as tx:
        one = entries.find_entries(tx, ["a"])["a"]
    assert "secrets" not in repr(one)
