"""
`connwatch pause`, `resume` and `delete`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from monitor.store import connections
from monitor.store.engine import Database
from tests.bench import OK, REFUSED, Bench, connection
from tests.command_line import converse

if TYPE_CHECKING:
    from datetime import datetime


@pytest.fixture(autouse=True)
def _configured(bench):
    """The secret cannot be read: no command here needs it."""
    bench.configure(connection("acme", token='{ env = "NOT_SET" }'), connection("globex"))


def due_at(bench: Bench, name: str) -> datetime | None:
    database = Database(f"sqlite:///{bench.database}")
    with database.read() as tx:
        record = connections.find_record(tx, name)
    database.close()
    assert record is not None
    return record.next_check_at


def test_pause_stops_the_calls_and_keeps_what_is_known(bench):
    bench.evaluate("acme", OK, REFUSED)
    ended = bench.run("pause", "acme")
    assert (ended.code, ended.err) == (0, "")
    assert "acme is paused" in ended.out
    each = bench.shown()["acme"]
    assert (each["state"], each["reason"]) == ("paused", "token_rejected")
    assert due_at(bench, "acme") is None


def test_pausing_twice_is_fine_and_says_so(bench):
    bench.run("pause", "acme")
    ended = bench.run("pause", "acme")
    assert (ended.code, ended.out) == (0, "acme is paused already\n")


def test_resume_gives_back_the_state_and_makes_it_due(bench):
    bench.evaluate("acme", OK, REFUSED, REFUSED)
    bench.run("pause", "acme")
    ended = bench.run("resume", "acme")
    assert (ended.code, ended.out) == (0, "acme is resumed: it is due now\n")
    each = bench.shown()["acme"]
    assert (each["state"], each["reason"]) == ("error", "token_rejected")
    assert each["last_check"]["in_a_row"] == 0
    assert due_at(bench, "acme") is not None


def test_resuming_what_was_not_paused_is_fine_and_says_so(bench):
    ended = bench.run("resume", "acme")
    assert (ended.code, ended.out) == (0, "acme was not paused\n")


def test_the_file_wins_over_resume(bench):
    bench.configure(connection("acme", enabled="false"))
    ended = bench.run("resume", "acme")
    assert (ended.code, ended.out) == (3, "")
    assert "switched off by the file: set enabled = true" in ended.err

    assert "the file switches it off as well" in bench.run("pause", "acme").out
    ended = bench.run("resume", "acme")
    assert ended.code == 0
    assert "not paused any more, but the file switches it off" in ended.out
    assert bench.shown()["acme"]["state"] == "paused"
    assert due_at(bench, "acme") is None


def test_a_pause_lasts_when_the_file_switches_it_on_again(bench):
    bench.run("pause", "acme")
    bench.configure(connection("acme", enabled="false"))
    bench.run("status")
    bench.configure(connection("acme"))
    assert bench.shown()["acme"]["state"] == "paused"


def test_delete_takes_the_history_and_has_the_entry_ignored(bench):
    bench.evaluate("acme", OK, REFUSED)
    ended = bench.run("delete", "acme")
    assert (ended.code, ended.err) == (0, "")
    assert "acme is deleted: its checks stop" in ended.out
    assert "connwatch resume acme" in ended.out
    assert list(bench.shown()) == ["globex"]
    assert bench.run("history", "acme").code == 3


def test_deleting_twice_is_fine_and_says_so(bench):
    bench.run("delete", "acme")
    ended = bench.run("delete", "acme")
    assert (ended.code, ended.err) == (0, "")
    assert "deleted already" in ended.out


def test_resume_lifts_a_deletion_and_starts_anew(bench):
    bench.evaluate("acme", OK)
    bench.run("delete", "acme")
    ended = bench.run("resume", "acme")
    assert (ended.code, ended.err) == (0, "")
    assert "watched again, without its former history" in ended.out
    assert bench.shown()["acme"]["state"] == "pending"
    assert due_at(bench, "acme") is not None
    past = json.loads(bench.run("history", "acme", "--json").out)
    assert (past["transitions"], past["checks"]) == ([], [])


def test_a_deleted_one_that_the_file_switches_off_comes_back_switched_off(bench):
    bench.configure(connection("acme", enabled="false"))
    bench.run("delete", "acme")
    ended = bench.run("resume", "acme")
    assert ended.code == 0
    assert "the file switches it off" in ended.out
    assert bench.shown()["acme"]["state"] == "paused"


def test_a_deletion_ends_when_the_entry_is_taken_out_and_put_in_again(bench):
    bench.run("delete", "acme")
    bench.configure(connection("globex"))
    bench.run("pause", "globex")
    bench.configure(connection("acme"), connection("globex"))
    bench.run("pause", "globex")
    assert bench.shown()["acme"]["state"] == "pending"


def test_a_deleted_one_cannot_be_paused(bench):
    bench.run("delete", "acme")
    ended = bench.run("pause", "acme")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.count("was deleted") == 1


@pytest.mark.parametrize("command", ["pause", "resume", "delete", "status", "history", "check"])
def test_an_unknown_name_is_not_done_and_offers_the_nearest(bench, command):
    ended = bench.run(command, "acne")
    expected = 'connwatch: no connection is called "acne"; did you mean "acme"?\n'
    assert (ended.code, ended.out, ended.err) == (3, "", expected)
    assert not bench.database.exists()


def test_delete_asks_on_a_terminal_and_says_what_stops(bench):
    code, seen = converse("delete", "acme", cwd=bench.folder, answers=[(r"\[y/N\]", "n")])
    assert code == 3
    assert "Its checks stop" in seen
    assert "acme was not deleted" in seen
    assert "acme" in bench.shown()

    code, seen = converse("delete", "acme", cwd=bench.folder, answers=[(r"\[y/N\]", "y")])
    assert (code, "acme is deleted" in seen) == (0, True)
    assert "acme" not in bench.shown()


def test_delete_asks_nothing_with_yes(bench):
    code, seen = converse("delete", "--yes", "acme", cwd=bench.folder, answers=[])
    assert (code, "[y/N]" in seen, "acme is deleted" in seen) == (0, False, True)


def test_delete_asks_nothing_of_a_script(bench):
    ended = bench.spawn("delete", "acme")
    assert (ended.code, ended.err) == (0, "")
    assert "acme is deleted" in ended.out


@pytest.mark.parametrize(
    ("name", "typed"),
    [("acme north", "'acme north'"), ("--acme", "-- --acme"), ("$(id)", "'$(id)'")],
)
def test_what_is_to_be_typed_can_be_pasted(bench, name, typed):
    bench.configure(connection(name))
    gone = bench.run("delete", "--yes", "--", name)
    assert gone.out.endswith(f"connwatch resume {typed}\n")
    assert f"connwatch resume {typed} brings" in bench.run("history", "--", name).err
    assert f"connwatch resume {typed}" in bench.run("config", "check").err
