"""
What a batch of checks asks the database, and through whom settings come.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.judge.connections import Watched
from monitor.judge.incidents import Connectivity
from monitor.judge.outcome import Outcome, Reason
from monitor.store import incidents
from tests.builders import (
    EVERY,
    OK,
    UNREACHED,
    Story,
    entry,
    ok_with,
    plan_of,
    watched_of,
    with_watched,
)
from tests.fakes import NOON
from tests.statements import counted

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping
    from datetime import datetime


def finish(story: Story, outcomes: Mapping[str, Outcome], at: datetime) -> list[FinishedCheck]:
    return [
        FinishedCheck(story.record(name).id, at, at, outcome) for name, outcome in outcomes.items()
    ]


def evaluate_counted(story: Story, outcomes: Mapping[str, Outcome], at: datetime) -> Counter[str]:
    finished = finish(story, outcomes, at)
    with counted(story.database) as seen, story.database.write() as tx:
        evaluate(tx, finished, story.plan)
    return seen


def test_a_batch_in_which_nothing_is_wrong_reads_records_and_what_is_open(database):
    story = Story.begin(database, plan_of(*(entry(f"c{n}") for n in range(40))))
    good = {f"c{n}": ok_with(9_000, account=f"a{n}") for n in range(40)}
    story.evaluate(NOON, **good)
    seen = evaluate_counted(story, good, NOON + EVERY)
    # Records, a time without a link, outages, inquiries; checks and standings.
    assert (seen["SELECT"], seen["INSERT"], seen["UPDATE"]) == (4, 1, 1)


def test_reads_do_not_grow_with_the_alerts_of_a_batch(database):
    story = Story.begin(database, plan_of(*(entry(f"c{n}", host=f"h{n}") for n in range(40))))
    bad = {f"c{n}": UNREACHED for n in range(40)}
    few = dict(list(bad.items())[:2])
    for n in range(2):
        story.evaluate(NOON + n * EVERY, **bad | {"c39": OK})
    seen = evaluate_counted(story, few | {"c39": OK}, NOON + 2 * EVERY)
    hosts = 3 * len(few)
    many = {name: one for name, one in bad.items() if name not in few} | {"c39": OK}
    more = evaluate_counted(story, many, NOON + 2 * EVERY)
    assert len(story.alerts()) == 39
    assert more["SELECT"] - 3 * (len(many) - 1) == seen["SELECT"] - hosts


class Guarded(dict[str, Watched]):
    """Settings of connections that are looked up by name, and never gone through."""

    def __init__(self, settings: Mapping[str, Watched]) -> None:
        super().__init__(settings)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Watched:
        self.asked.add(name)
        return super().__getitem__(name)

    def _refuse(self) -> NoReturn:
        raise AssertionError("all connections were asked for")

    __iter__ = keys = values = items = _refuse


def test_settings_are_asked_for_of_those_only_that_a_batch_touches(database):
    story = Story.begin(database, plan_of(*(entry(f"c{n}", host=f"h{n}") for n in range(5))))
    guarded = Guarded(watched_of(story.plan))
    plan = with_watched(story.plan, guarded)
    for n in range(3):
        finished = finish(story, {"c1": UNREACHED, "c2": OK}, NOON + n * EVERY)
        with database.write() as tx:
            evaluate(tx, finished, plan)
    assert guarded.asked == {"c1", "c2"}
    assert story.kinds() == [("error", ("c1",))]


def evaluate_without_link(story: Story, outcomes: Mapping[str, Outcome], at: datetime) -> None:
    plan = replace(story.plan, uplink=("https://up.example.com",))
    finished = finish(story, outcomes, at)
    with story.database.write() as tx:
        evaluate(tx, finished, plan, Connectivity.DOWN)


def test_a_permission_lost_before_the_link_was_gone_has_neighbours_checked(database):
    on_host = [entry(f"c{n}", host="h") for n in range(4)]
    story = Story.begin(database, plan_of(*on_host, entry("far", host="far")))
    story.evaluate(NOON, **{f"c{n}": OK for n in range(4)}, far=OK)
    evaluate_without_link(story, {"far": UNREACHED}, NOON + 2 * EVERY)
    lost = Outcome(Reason.PERMISSION_DENIED, "no", is_unexplained=True, http_status=403)
    # A command stores its answers together, and this one is from before.
    evaluate_without_link(story, {"c1": lost}, NOON + EVERY)
    assert story.record("c1").standing.reason is Reason.PERMISSION_DENIED
    with database.read() as tx:
        asked = {one.connection_id for one in incidents.list_inquiries(tx)}
    assert asked == {story.record(f"c{n}").id for n in (0, 2, 3)}


def test_an_outage_without_a_word_is_announced_anew_beside_a_link_that_goes(database):
    on_host = [entry(f"c{n}", host="h") for n in range(4)]
    story = Story.begin(database, plan_of(*on_host, entry("far", host="far")))
    others = {f"c{n}": UNREACHED for n in range(1, 4)}
    story.evaluate(NOON, c0=OK, far=OK, **others)
    for n in (1, 2):
        story.evaluate(NOON + n * EVERY, c0=UNREACHED, far=OK, **others)
    assert [kind for kind, _ in story.kinds()] == ["outage"]
    # Neither an answer nor the want of one: it counts, and is the third in a row.
    fault = Outcome(Reason.UNEXPECTED_RESPONSE, "a fault of the plug-in")
    evaluate_without_link(story, {"c0": fault, "far": UNREACHED}, NOON + 3 * EVERY)
    assert story.record("c0").standing.reason is Reason.UNEXPECTED_RESPONSE
    assert [kind for kind, _ in story.kinds()] == ["monitor_offline", "outage"]
