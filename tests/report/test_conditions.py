"""
`monitor.report.conditions`: the one sentence for each condition that keeps alerts from being sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor.judge.conditions import Condition, ConditionKind, FailingChannel
from monitor.judge.suppression import Scope, SuppressedBy, Suppression
from monitor.report.conditions import (
    advise_condition,
    describe_condition,
    describe_failure,
    describe_muting,
    find_failed_reload,
    read_conditions,
)
from monitor.report.status import instant
from monitor.store import outbox, suppression
from monitor.store.watermarks import RELOAD_FAILED, save_watermark
from tests.builders import OPS, REFUSED, Story, entry, plan_of
from tests.fakes import NOON

MINUTE = timedelta(minutes=1)
REFUSED_BY_PORT = "JSON: Failed to establish a new connection: [Errno 111] Connection refused"
FAILING = FailingChannel("ops", NOON - 15 * MINUTE, REFUSED_BY_PORT, NOON + 14 * MINUTE)


def many(n: int) -> Condition:
    failing = tuple(FailingChannel(f"c{number}", NOON) for number in range(n))
    return Condition(ConditionKind.CHANNEL_FAILED, failing=failing)


SENTENCES: dict[str, tuple[Condition, str]] = {
    "no channel": (
        Condition(ConditionKind.NO_CHANNEL),
        "No notification channel: connwatch cannot alert anyone.",
    ),
    "muted": (
        Condition(ConditionKind.MUTED_ALL, NOON + 90 * MINUTE, "migration", 14, (1,)),
        "All alerts are muted until 13:30 UTC (migration), 14 held back.",
    ),
    "muted without a reason": (
        Condition(ConditionKind.MUTED_ALL, NOON + timedelta(days=2), "", 0, (1,)),
        "All alerts are muted until Nov 24, 12:00 UTC.",
    ),
    "a channel": (
        Condition(ConditionKind.CHANNEL_FAILED, failing=(FAILING,)),
        "Channel ops: failing for 15 minutes: connection refused; next try 12:14 UTC.",
    ),
    "two channels": (many(2), "2 channels are failing: c0, c1."),
    "five channels": (many(5), "5 channels are failing: c0, c1, c2 and 2 more."),
    "a reload": (
        Condition(ConditionKind.RELOAD_FAILED, since=NOON),
        (
            "The configuration was not reloaded at 12:00 UTC: it has errors, and the former"
            " settings are in force."
        ),
    ),
}


@pytest.mark.parametrize(("condition", "sentence"), SENTENCES.values(), ids=SENTENCES)
def test_each_has_one_sentence_and_a_next_step(condition, sentence):
    assert describe_condition(condition, NOON) == sentence
    assert advise_condition(condition)


@pytest.mark.parametrize(
    ("failing", "words"),
    [
        (FailingChannel("ops", NOON - timedelta(seconds=12)), "failing for 12 seconds"),
        (
            FailingChannel("ops", NOON, "gave no reason", NOON - MINUTE),
            "failing for 1 second: message not delivered; trying again now",
        ),
        (
            FailingChannel("ops", NOON - 90 * MINUTE, "timed out"),
            "failing for 1 hour 30 minutes: timed out",
        ),
    ],
    ids=["nothing known", "due now", "given up"],
)
def test_a_failing_channel_says_as_much_as_is_known(failing, words):
    assert describe_failure(failing, NOON) == words


def test_it_is_read_from_the_database_at_the_first_failure(database):
    story = Story.begin(database, plan_of(entry("acme"), channels=[OPS]))
    story.evaluate(NOON, acme=REFUSED)
    story.evaluate(NOON + MINUTE, acme=REFUSED)
    now = NOON + 2 * MINUTE
    with database.write() as tx:
        assert read_conditions(tx, ["ops"], None, now) == []
        [row] = outbox.choose_next(tx, "ops", now)
        outbox.begin_channel_failure(tx, "ops", now)
        outbox.mark_failed(tx, [row.id], REFUSED_BY_PORT, now + MINUTE)
    with database.read() as tx:
        [found] = read_conditions(tx, ["ops"], None, now)
        assert found.failing == (FailingChannel("ops", now, REFUSED_BY_PORT, now + MINUTE),)
        assert read_conditions(tx, ["other"], None, now) == []
    with database.write() as tx:
        outbox.mark_dead(tx, [row.id], "no answer within 10 s")
    with database.read() as tx:
        [found] = read_conditions(tx, ["ops"], None, now)
        assert found.failing == (FailingChannel("ops", now, "no answer within 10 s"),)


def test_what_a_mute_holds_back_is_counted(database):
    story = Story.begin(database, plan_of(entry("acme"), channels=[OPS]))
    with database.write() as tx:
        suppression.add_silence(tx, Scope.ALL, None, "", NOON, NOON + 60 * MINUTE)
    story.evaluate(NOON, acme=REFUSED)
    story.evaluate(NOON + MINUTE, acme=REFUSED)
    with database.read() as tx:
        [found] = read_conditions(tx, ["ops"], None, NOON + 2 * MINUTE)
    assert (found.kind, found.n_held) == (ConditionKind.MUTED_ALL, 1)


def test_commands_know_of_a_failed_reload(database):
    Story.begin(database, plan_of(entry("acme")))
    with database.write() as tx:
        assert find_failed_reload(tx) is None
        save_watermark(tx, RELOAD_FAILED, NOON)
        assert find_failed_reload(tx) == NOON


def test_a_channel_whose_messages_are_all_held_still_says_why(database):
    story = Story.begin(database, plan_of(entry("acme"), channels=[OPS]))
    story.evaluate(NOON, acme=REFUSED)
    story.evaluate(NOON + MINUTE, acme=REFUSED)
    now = NOON + 2 * MINUTE
    with database.write() as tx:
        [row] = outbox.choose_next(tx, "ops", now)
        outbox.begin_channel_failure(tx, "ops", now)
        outbox.mark_failed(tx, [row.id], REFUSED_BY_PORT, now + MINUTE)
        hold = Suppression(SuppressedBy.SILENCE, now + 60 * MINUTE)
        suppression.suppress(tx, [(row.id, hold)])
        [found] = read_conditions(tx, ["ops"], None, now)
    assert found.failing == (FailingChannel("ops", now, REFUSED_BY_PORT),)


@pytest.mark.parametrize(
    ("own", "of_all", "said"),
    [(None, None, []), (2, None, [2]), (2, 2, []), (3, 2, [3]), (2, 3, [])],
    ids=["nothing", "its own", "as all", "longer than all", "shorter than all"],
)
def test_a_mute_of_everything_is_not_repeated_for_each(own, of_all, said):
    def after(minutes: int | None) -> datetime | None:
        return None if minutes is None else NOON + minutes * MINUTE

    each: Any = {"muted_until": instant(after(own)), "acknowledged": None}
    words = [f"muted until 12:{minutes:02} UTC" for minutes in said]
    assert [text for _, text in describe_muting(each, NOON, all_until=after(of_all))] == words
