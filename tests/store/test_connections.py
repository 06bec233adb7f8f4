from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.judge.outcome import State
from monitor.judge.quota import Quota
from monitor.judge.suppression import Scope
from monitor.judge.verdict import spread
from monitor.store import connections, history, suppression
from monitor.store.schedule import claim_due
from tests.builders import EVERY, HOUR, MINUTE, OK, REFUSED, Story, entry, ok_with, plan_of
from tests.builders import throttled as throttled_until
from tests.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord, Entry

LATER = NOON + HOUR


@pytest.fixture
def sync(database):
    """
    Bring the database in line with entries; what is given back are the names that stay deleted.
    """

    def run(
        *entries: Entry, at: datetime = NOON, jitter: Callable[[], float] | None = None
    ) -> set[str]:
        with database.write() as tx:
            return connections.sync(tx, entries, at, jitter)

    return run


@pytest.fixture
def records(database):
    """
    What the file has, by name.
    """

    def read() -> dict[str, ConnectionRecord]:
        with database.read() as tx:
            return {record.name: record for record in connections.list_records(tx)}

    return read


def start_story(database, *entries: Entry) -> Story:
    return Story.begin(database, plan_of(*entries))


def find(database, name: str) -> ConnectionRecord | None:
    with database.read() as tx:
        return connections.find_record(tx, name)


def delete(database, name: str) -> None:
    with database.write() as tx:
        record = connections.find_record(tx, name)
        assert record is not None
        connections.delete_connection(tx, record, NOON)


def test_a_new_entry_is_pending_and_due(sync, records):
    assert sync(entry("one")) == set()
    one = records()["one"]
    assert (one.provider, one.host) == ("soldscope", "api.example.com")
    assert one.standing.state is State.PENDING
    assert one.standing.since == NOON
    assert one.next_check_at == NOON
    assert one.quota == Quota()


def test_nothing_to_sync_is_fine(sync, records):
    sync()
    assert records() == {}


def test_a_kept_entry_keeps_everything(database, sync, records):
    story = start_story(database, entry("one"))
    story.evaluate(NOON, one=REFUSED)
    before = records()
    sync(entry("one"), at=LATER)
    assert records() == before


def test_a_changed_entry_is_brought_up_to_date(sync, records):
    sync(entry("one"))
    sync(entry("one", provider="http", host="api.example.org:8443"))
    assert (records()["one"].provider, records()["one"].host) == ("http", "api.example.org:8443")


def test_an_entry_taken_out_is_hidden_and_never_due(database, sync, records):
    sync(entry("one"), entry("two"))
    sync(entry("two"), at=LATER)
    assert set(records()) == {"two"}
    with database.read() as tx:
        assert [due.name for due in claim_due(tx, LATER, 10)] == ["two"]


def test_an_entry_taken_out_continues_when_its_name_returns(database, sync, records):
    story = start_story(database, entry("one"))
    story.evaluate(NOON, one=REFUSED)
    before = records()["one"]
    sync()
    hidden = find(database, "one")
    assert hidden is not None
    assert not hidden.is_configured
    sync(entry("one"), at=LATER)
    after = records()["one"]
    assert (after.id, after.standing) == (before.id, before.standing)
    assert after.next_check_at == LATER
    with database.read() as tx:
        assert len(history.list_transitions(tx, after.id, 10)) == 1
        assert len(history.list_checks(tx, after.id, 10)) == 1


def test_a_pause_outlives_being_taken_out(database, sync, records):
    sync(entry("one"))
    with database.write() as tx:
        connections.pause(tx, records()["one"].id)
    sync()
    sync(entry("one"))
    assert records()["one"].shown_state is State.PAUSED
    assert records()["one"].next_check_at is None


def test_a_renamed_entry_carries_its_history(database, sync, records):
    story = start_story(database, entry("old"), entry("other"))
    story.evaluate(NOON, old=ok_with(7421))
    before = records()["old"]
    renamed = entry("new", renamed_from="old")
    sync(renamed, entry("other"))
    assert set(records()) == {"new", "other"}
    new = records()["new"]
    assert (new.id, new.standing, new.quota) == (before.id, before.standing, before.quota)
    assert new.next_check_at == before.next_check_at
    # The key stays in the file for good.
    sync(renamed, entry("other"), at=LATER)
    assert records()["new"] == new
    assert find(database, "old") is None


def test_a_renamed_entry_stays_as_silent_as_it_was(database, sync):
    sync(entry("old"))
    with database.write() as tx:
        for scope, target in ((Scope.CONNECTION, "old"), (Scope.TAG, "old"), (Scope.ALL, None)):
            suppression.add_silence(tx, scope, target, "", NOON, LATER)
    sync(entry("new", renamed_from="old"))
    with database.read() as tx:
        assert [each.target for each in suppression.list_active_silences(tx, NOON)] == [
            "new",
            "old",
            None,
        ]


def test_a_chain_of_renames_carries_the_history_to_its_end(sync, records):
    sync(entry("first"))
    number = records()["first"].id
    sync(entry("second", renamed_from="first"))
    sync(entry("third", renamed_from="second"))
    sync(entry("first", renamed_from="third"))
    assert {name: record.id for name, record in records().items()} == {"first": number}


def test_a_rename_of_what_was_never_known_is_a_new_entry(sync, records):
    sync(entry("new", renamed_from="nobody"))
    assert records()["new"].standing.state is State.PENDING


def test_a_rename_of_what_was_hidden_brings_it_back(sync, records):
    sync(entry("old"))
    number = records()["old"].id
    sync()
    sync(entry("new", renamed_from="old"))
    assert {name: record.id for name, record in records().items()} == {"new": number}


@pytest.mark.parametrize("is_first", [True, False])
def test_an_entry_that_still_stands_keeps_its_own_history(sync, records, is_first):
    sync(entry("old"))
    number = records()["old"].id
    both = [entry("new", renamed_from="old"), entry("old")]
    sync(*(both if is_first else both[::-1]))
    assert records()["old"].id == number
    assert records()["new"].id != number


def test_of_two_heirs_the_first_inherits(sync, records):
    sync(entry("old"))
    number = records()["old"].id
    sync(entry("one", renamed_from="old"), entry("two", renamed_from="old"))
    assert records()["one"].id == number
    assert set(records()) == {"one", "two"}


def test_a_deleted_entry_is_ignored_until_it_is_taken_out_and_put_in_again(database, sync, records):
    sync(entry("one"), entry("two"))
    number = records()["one"].id
    delete(database, "one")
    for _ in range(2):
        assert sync(entry("one"), entry("two")) == {"one"}
        assert set(records()) == {"two"}
    assert sync(entry("two")) == set()
    assert sync(entry("one"), entry("two")) == set()
    assert records()["one"].id > number


def test_deleting_a_hidden_one_leaves_no_ban(database, sync, records):
    sync(entry("one"))
    sync()
    delete(database, "one")
    assert sync(entry("one")) == set()
    assert set(records()) == {"one"}


def test_an_entry_switched_off_is_paused_by_the_file(sync, records):
    sync(entry("one", is_enabled=False))
    one = records()["one"]
    assert (one.shown_state, one.next_check_at) == (State.PAUSED, None)
    sync(entry("one"), at=LATER)
    assert (records()["one"].shown_state, records()["one"].next_check_at) == (State.PENDING, LATER)


def test_switching_off_in_the_file_keeps_the_state_below(database, sync, records):
    story = start_story(database, entry("one"))
    story.evaluate(NOON, one=REFUSED)
    sync(entry("one", is_enabled=False))
    one = records()["one"]
    assert (one.shown_state, one.next_check_at) == (State.PAUSED, None)
    assert one.standing.state is State.ERROR


def test_new_entries_are_spread_in_their_order(sync, records):
    entries = [entry(f"c{number:03}", every=MINUTE) for number in range(100)]
    sync(*entries)
    firsts = [record.next_check_at for record in records().values()]
    assert firsts == [NOON + spread(number, 100, MINUTE) for number in range(100)]
    assert firsts == sorted(firsts)
    assert firsts[-1] < NOON + MINUTE


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_jitter_never_changes_the_order(sync, records, chance):
    # The extremes against one another: the first as late, the next as early as can be.
    chances = iter([chance, 0.0] * 50)
    sync(*(entry(f"c{number:03}") for number in range(100)), jitter=lambda: next(chances))
    firsts = [record.next_check_at for record in records().values()]
    assert firsts == sorted(firsts)
    assert len(set(firsts)) == 100


def test_a_start_spreads_what_is_overdue_and_keeps_what_is_not(database, sync, records):
    entries = [entry(f"c{number}") for number in range(4)]
    story = start_story(database, *entries)
    story.evaluate(NOON + 58 * MINUTE, c1=OK)
    kept = records()["c1"].next_check_at
    sync(*entries, at=LATER, jitter=lambda: 0.5)
    step = spread(1, 4, EVERY)
    due = {name: record.next_check_at for name, record in records().items()}
    assert due == {
        "c0": LATER + 0.5 * step,
        "c1": kept,
        "c2": LATER + 2.5 * step,
        "c3": LATER + 3.5 * step,
    }
    assert kept > LATER


def test_a_command_never_moves_a_rhythm(database, sync, records):
    entries = [entry(f"c{number}") for number in range(4)]
    story = start_story(database, *entries)
    story.evaluate(NOON + MINUTE, c1=OK, c2=REFUSED, c3=throttled_until(NOON + 20 * HOUR))
    before = records()
    sync(*entries, at=LATER)
    assert records() == before


def test_a_start_does_not_ask_earlier_than_the_service_wants(database, sync, records):
    until = NOON + 20 * HOUR
    start_story(database, entry("one")).evaluate(NOON, one=throttled_until(until))
    sync(entry("one"), at=LATER, jitter=lambda: 0.0)
    assert records()["one"].next_check_at > until


def test_a_shorter_rhythm_begins_now(sync, records):
    sync(entry("one", every=24 * HOUR), entry("two", every=24 * HOUR))
    story_due = records()["two"].next_check_at
    assert story_due > NOON
    sync(entry("one", every=HOUR), entry("two", every=HOUR), at=NOON - 3 * HOUR)
    assert records()["two"].next_check_at <= NOON - 2 * HOUR


def test_a_longer_rhythm_leaves_the_next_check_where_it_was(sync, records):
    sync(entry("one"), entry("two"))
    before = records()
    sync(entry("one", every=24 * HOUR), entry("two", every=24 * HOUR), at=NOON - MINUTE)
    assert records() == before


def test_what_is_due_comes_most_overdue_first(database, sync):
    sync(*(entry(f"c{number}") for number in range(5)))
    step = spread(1, 5, EVERY)
    with database.read() as tx:
        due = claim_due(tx, NOON + 3 * step, 10)
        assert [(one.name, one.at) for one in due] == [
            (f"c{number}", NOON + number * step) for number in range(4)
        ]
        assert [one.name for one in claim_due(tx, NOON + HOUR, 2)] == ["c0", "c1"]


def test_records_can_be_asked_for_by_name(database, sync):
    sync(*(entry(f"c{number}") for number in range(5)))
    with database.read() as tx:
        names = [record.name for record in connections.list_records(tx, ["c3", "c1", "nobody"])]
    assert names == ["c1", "c3"]


def test_a_large_file_is_synced_in_one_go(database, sync, records):
    entries = [entry(f"c{number:05}") for number in range(2_000)]
    sync(*entries)
    sync(*entries[:1_500], at=LATER, jitter=lambda: 0.5)
    assert len(records()) == 1_500
    assert all(record.next_check_at > LATER for record in records().values())
