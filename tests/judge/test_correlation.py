"""
What the checks of a batch have in common: decided on values, with nothing stored.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.judge.alerts import AlertKind
from monitor.judge.applications import ApplicationStanding, Refusal
from monitor.judge.batch import Effects, Inquiry, Outage, Retractable
from monitor.judge.correlation import correlate, find_certain, forget_rejection, release
from monitor.judge.dispatch import Proposal
from monitor.judge.incidents import HostGroup, LinkVerdict, OfflineTime
from monitor.judge.outcome import Outcome, Reason, Standing, State
from tests.builders import CLIENT_REJECTED, NA_HOST, OK, REFUSED, UNEXPLAINED, UNREACHED
from tests.fakes import NOON
from tests.judge.scenes import SECOND, batch, check, context, judged, record

HOST = "api.example.com"
FAILED = Standing(
    State.ERROR, Reason.TIMEOUT, "", NOON - timedelta(hours=1), failures=2, announced_state=None
)
NEARLY_OUT = replace(FAILED, state=State.ACTIVE, reason=Reason.OK)
TOLD = replace(FAILED, announced_state=State.ERROR, announced_reason=Reason.TIMEOUT, failures=9)
REJECTED = Standing(State.ERROR, Reason.TOKEN_REJECTED, "", NOON, refusals=1)
OPEN = Outage(7, HOST, NOON - timedelta(minutes=5), is_told=False)


def proposed(effects: Effects) -> list[Proposal]:
    """What a batch makes due, all of it in alerts of its own."""
    found = [one for one in effects.proposals if isinstance(one, Proposal)]
    assert len(found) == len(effects.proposals)
    return found


def kinds(effects: Effects) -> list[str]:
    return [one.alert.kind.value for one in proposed(effects)]


def third_failure(*, failing: int, total: int, outages: dict[str, Outage] | None = None) -> Effects:
    """The effects of one connection's third failure in a row, others failing already."""
    of = judged([check(record(1, standing=NEARLY_OUT), UNREACHED)])
    known: dict[str, Any] = {
        "groups": {HOST: HostGroup(total, failing)},
        "failing": {HOST: {n: f"c{n}" for n in range(2, failing + 2)}},
        "errors": {HOST: ()},
        "outages": outages or {},
    }
    return correlate(batch(of, **known))


@pytest.mark.parametrize(
    ("failing", "total", "expected"),
    [
        pytest.param(1, 3, ["outage"], id="more than half"),
        pytest.param(1, 4, ["error"], id="just half"),
        pytest.param(1, 2, ["error"], id="too few to prove anything"),
        pytest.param(0, 9, ["error"], id="alone"),
    ],
)
def test_who_fails_with_most_of_its_host_is_not_announced_by_itself(failing, total, expected):
    effects = third_failure(failing=failing, total=total)
    assert kinds(effects) == expected
    is_announced = effects.verdicts[0].standing.announced_state is not None
    assert is_announced == (expected == ["error"])


def test_an_outage_names_all_that_fail_and_counts_all():
    [outage] = proposed(third_failure(failing=2, total=5))
    assert outage.about == {1: "c1", 2: "c2", 3: "c3"}
    assert (outage.alert.facts["n_failing"], outage.alert.facts["n_total"]) == (3, 5)


def test_an_outage_is_announced_once():
    effects = third_failure(failing=2, total=5, outages={HOST: replace(OPEN, is_told=True)})
    assert (kinds(effects), effects.begun, effects.announced_outages) == ([], {}, set())


def test_an_open_outage_is_announced_with_its_first_error():
    effects = third_failure(failing=2, total=5, outages={HOST: OPEN})
    assert (kinds(effects), effects.begun, effects.announced_outages) == (["outage"], {}, {HOST})


def test_no_outage_begins_without_a_link():
    offline = LinkVerdict(time=OfflineTime(1, NOON, 0, None))
    known = record(1, standing=NEARLY_OUT)
    of = judged([check(known, Outcome(Reason.SERVER_ERROR, http_status=503))], link=offline)
    assert kinds(correlate(batch(of))) == ["error"]


@pytest.mark.parametrize(
    ("error", "is_explained"),
    [
        pytest.param(Retractable(5, 2, Reason.TIMEOUT, is_unexplained=False), True, id="no answer"),
        pytest.param(
            Retractable(5, 2, Reason.PERMISSION_DENIED, is_unexplained=True), True, id="unexplained"
        ),
        pytest.param(
            Retractable(5, 2, Reason.TOKEN_REJECTED, is_unexplained=False),
            False,
            id="its own fault",
        ),
    ],
)
def test_an_outage_takes_back_what_it_explains(error, is_explained):
    of = judged([check(record(1), UNREACHED)])
    facts: dict[str, Any] = {
        "groups": {HOST: HostGroup(3, 1)},
        "failing": {HOST: {2: "c2"}},
        "errors": {HOST: [error]},
    }
    effects = correlate(batch(of, **facts))
    assert effects.withdrawn == ([error] if is_explained else [])
    assert kinds(effects) == (["outage"] if is_explained else [])
    assert list(effects.begun) == [HOST]


def test_a_host_that_is_back_lets_go_what_was_held_back():
    well, broken = record(1, standing=FAILED, failed_host=HOST), record(2, standing=TOLD)
    unknown = record(3, standing=FAILED, failed_host=HOST)
    rejected = record(4, standing=replace(REJECTED, refusals=2))
    of = judged([check(well, OK)])
    members = {one.id: one for one in (well, broken, unknown, rejected)}
    effects = correlate(
        batch(
            of,
            outages={HOST: replace(OPEN, is_told=True)},
            groups={HOST: HostGroup(9, 3)},
            members={HOST: {number: one.name for number, one in members.items()}},
            records=members,
            context=context("c1", "c2", "c3", "c4"),
        )
    )
    assert effects.ended == {HOST: NOON}
    assert [(one.alert.kind.value, list(one.about)) for one in proposed(effects)] == [
        ("outage_over", [1, 2, 3, 4]),
        ("recovered", [1]),
        ("error", [4]),
    ]
    assert [one.id for one in effects.announced] == [4]


def test_a_rejected_client_is_announced_for_all_its_stores():
    standing = Standing(State.ERROR, Reason.CLIENT_REJECTED, "", NOON, refusals=1)
    stores = [record(n, application="our-app", standing=standing) for n in (1, 2)]
    refusal = Refusal(Reason.CLIENT_REJECTED, "", NOON, 1)
    of = judged(
        [check(one, CLIENT_REJECTED) for one in stores],
        applications={"our-app": ApplicationStanding(refusal)},
    )
    effects = correlate(batch(of, stores={"our-app": {1: "c1", 2: "c2", 3: "c3"}}))
    [error] = proposed(effects)
    assert (error.alert.kind, error.about) == (AlertKind.ERROR, {1: "c1", 2: "c2", 3: "c3"})
    assert error.alert.facts["n_connections"] == 3
    assert effects.applications["our-app"].announced_reason is Reason.CLIENT_REJECTED


def test_an_accepted_client_recovers_for_all_its_stores():
    refusal = Refusal(Reason.CLIENT_REJECTED, "why", NOON - SECOND, 1)
    before = ApplicationStanding(refusal, Reason.CLIENT_REJECTED)
    accepted = replace(OK, marketplaces=())
    of = judged(
        [check(record(1, application="our-app"), accepted, 60)], applications={"our-app": before}
    )
    effects = correlate(batch(of, stores={"our-app": {1: "c1", 2: "c2"}}))
    [recovered] = proposed(effects)
    assert (recovered.alert.kind, len(recovered.about)) == (AlertKind.RECOVERED, 2)
    assert effects.applications == {"our-app": ApplicationStanding()}


@pytest.mark.parametrize(
    ("n_before", "expected"), [pytest.param(4, [], id="5"), pytest.param(5, ["flapping"], id="6")]
)
def test_so_many_changes_within_an_hour_are_flapping(n_before, expected):
    changes = {1: [NOON - n * timedelta(minutes=5) for n in range(1, n_before + 1)]}
    effects = correlate(batch(judged([check(record(1), REFUSED)]), changes=changes))
    assert kinds(effects) == expected
    assert list(effects.flapping) == ([1] if expected else [])


def test_changes_of_more_than_an_hour_ago_do_not_count():
    changes = {1: [NOON - timedelta(minutes=61)] * 9}
    assert kinds(correlate(batch(judged([check(record(1), REFUSED)]), changes=changes))) == []


def test_what_flaps_is_not_announced_and_goes_on_flapping():
    of = judged([check(record(1, standing=REJECTED), REFUSED)])
    assert kinds(correlate(batch(of, flapping=frozenset({1})))) == []
    changed = judged([check(record(1), REFUSED)])
    assert correlate(batch(changed, flapping=frozenset({1}))).going_on == {1: NOON}


def test_the_changes_of_a_host_that_is_out_are_no_flapping():
    of = judged([check(record(1, failed_host=HOST, standing=FAILED), OK)])
    changes = {1: [NOON - SECOND] * 9}
    facts: dict[str, Any] = {
        "outages": {HOST: OPEN},
        "groups": {HOST: HostGroup(9, 8)},
        "changes": changes,
    }
    assert kinds(correlate(batch(of, **facts))) == []


def test_neighbours_are_checked_before_a_lost_permission_is_announced():
    first = record(1, host=NA_HOST, provider="amazon")
    of = judged([check(first, UNEXPLAINED)])
    facts: dict[str, Any] = {
        "groups": {NA_HOST: HostGroup(9, 0)},
        "neighbours": {NA_HOST: [1, 2, 3, 4, 5, 6, 7]},
    }
    effects = correlate(batch(of, **facts))
    assert [one.connection_id for one in effects.asked] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("inquiry", "expected"),
    [
        pytest.param(Inquiry(2, NA_HOST, NOON - SECOND), [], id="a neighbour has yet to answer"),
        pytest.param(Inquiry(2, HOST, NOON - SECOND), ["error"], id="of another host"),
        pytest.param(Inquiry(1, NA_HOST, NOON - SECOND), ["error"], id="it is the one asked"),
        pytest.param(
            Inquiry(2, NA_HOST, NOON - timedelta(minutes=6)), ["error"], id="asked long ago"
        ),
        pytest.param(
            Inquiry(2, NA_HOST, NOON - SECOND, is_watched=False), ["error"], id="paused meanwhile"
        ),
    ],
)
def test_a_lost_permission_waits_for_its_neighbours(inquiry, expected):
    standing = Standing(State.ERROR, Reason.PERMISSION_DENIED, "", NOON, refusals=1)
    known = record(1, host=NA_HOST, standing=standing, failed_host=NA_HOST, is_unexplained=True)
    of = judged([check(known, UNEXPLAINED)])
    effects = correlate(batch(of, inquiries=[inquiry], groups={NA_HOST: HostGroup(9, 1)}))
    assert kinds(effects) == expected
    assert (effects.verdicts[0].recheck_after is not None) == (not expected)


def test_the_end_of_a_link_s_absence_is_announced_if_its_beginning_was():
    time = OfflineTime(1, NOON - timedelta(minutes=3), 4, 9, is_announced=True)
    of = judged([check(record(1), OK)], link=LinkVerdict(ended=(time, NOON)))
    [online] = proposed(correlate(batch(of)))
    assert (online.alert.kind, online.alert.facts["n_missed"]) == (AlertKind.MONITOR_ONLINE, 4)
    of = judged(
        [check(record(1), OK)], link=LinkVerdict(ended=(replace(time, is_announced=False), NOON))
    )
    assert correlate(batch(of)).proposals == []


def test_a_lost_link_takes_back_the_errors_it_explains():
    error = Retractable(5, 2, Reason.TIMEOUT, is_unexplained=False)
    link = LinkVerdict(OfflineTime(None, NOON, 1, None), NOON, 3)
    of = judged([check(record(1), UNREACHED)], link=link)
    effects = correlate(batch(of, link_errors=[error]))
    assert (kinds(effects), effects.withdrawn) == (["monitor_offline"], [error])
    assert effects.verdicts[0].standing.failures == 0


def test_only_those_are_certain_of_whom_something_is_known():
    here, elsewhere = record(1, failed_host=HOST), record(2)
    flapping, answered = record(3), record(4, failed_host=HOST)
    known = [here, elsewhere, flapping, answered]
    assert [one.id for one in find_certain(known, HOST, {3}, {4})] == [2, 4]
    assert [one.id for one in find_certain(known, HOST, {3}, None)] == [1, 2, 4]


def test_what_is_released_of_an_application_is_announced_by_it_alone():
    standing = replace(REJECTED, reason=Reason.CLIENT_REJECTED, refusals=5)
    assert release([record(1, standing=standing)], context("c1").watched, NOON).proposals == []


def test_the_rows_of_an_accepted_application_start_anew():
    standing = replace(
        REJECTED,
        reason=Reason.CLIENT_REJECTED,
        announced_state=State.ERROR,
        announced_reason=Reason.CLIENT_REJECTED,
    )
    after = forget_rejection(record(1, standing=standing)).standing
    assert (after.refusals, after.announced_state, after.announced_reason) == (0, None, None)
