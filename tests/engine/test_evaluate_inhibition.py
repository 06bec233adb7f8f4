"""
One cause, one alert: applications that are refused, and hosts that are out.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.judge.outcome import Marketplace, Outcome, Reason, State
from monitor.store import connections
from monitor.store.schedule import claim_due
from tests.builders import (
    CLIENT_REJECTED,
    DAY,
    EU_HOST,
    HOUR,
    LWA_HOST,
    MINUTE,
    NO_TOKEN,
    OK,
    REVOKED,
    SECRET_EXPIRED,
    UNEXPLAINED,
    UNREACHED,
    Story,
    amazon_store,
    entries_of,
    entry,
    plan_of,
)
from tests.fakes import NOON

SECOND = timedelta(seconds=1)
RECHECK = 30 * SECOND
SOLD_IN = (
    Marketplace(
        "US",
        "ATVPDKIKX0DER",
        is_participating=True,
        has_suspended_listings=False,
        is_configured=True,
    ),
)
LISTED = Outcome(Reason.OK, latency_ms=80.0, marketplaces=SOLD_IN)
THREE = ("one", "two", "three")


@pytest.fixture
def stores(database) -> Story:
    """
    Three stores of one application, all well.
    """
    story = Story.begin(database, plan_of(*map(amazon_store, THREE)))
    story.evaluate(NOON + SECOND, **dict.fromkeys(THREE, LISTED))
    return story


@pytest.fixture
def many(database) -> Story:
    """
    Nine stores of one region, all well, and one of another.
    """
    plan = plan_of(
        *(amazon_store(f"c{number}") for number in range(9)), amazon_store("eu", host=EU_HOST)
    )
    story = Story.begin(database, plan)
    story.evaluate(NOON + SECOND, **{one.name: LISTED for one in entries_of(plan)})
    return story


def verdicts(story: Story, at) -> dict[str, Reason | None]:
    """
    What the daemon would find due by *at*: a verdict taken over, or None for a real check.
    """
    with story.database.read() as tx:
        return {
            one.name: one.verdict.reason if one.verdict else None for one in claim_due(tx, at, 100)
        }


def take_over(story: Story, at, name: str) -> None:
    with story.database.read() as tx:
        [due] = [one for one in claim_due(tx, at, 100) if one.name == name]
    assert due.verdict is not None
    story.evaluate(at, **{name: due.verdict})


# --- applications


def test_the_others_take_a_refused_applications_verdict_without_a_call(stores):
    stores.evaluate(NOON + MINUTE, one=CLIENT_REJECTED)
    due = verdicts(stores, NOON + MINUTE + RECHECK)
    assert due == {
        "one": None,
        "two": Reason.CLIENT_REJECTED,
        "three": Reason.CLIENT_REJECTED,
    }
    take_over(stores, NOON + MINUTE + SECOND, "two")
    two = stores.record("two").standing
    assert (two.state, two.reason) == (State.ERROR, Reason.CLIENT_REJECTED)
    assert two.detail == CLIENT_REJECTED.detail


@pytest.mark.parametrize("is_together", [True, False], ids=["with the good news", "after it"])
def test_a_verdict_taken_over_before_the_application_was_accepted_is_dropped(stores, is_together):
    for minute in (1, 2):
        stores.evaluate(NOON + minute * MINUTE, one=CLIENT_REJECTED)
        take_over(stores, NOON + minute * MINUTE + SECOND, "two")
    at = NOON + 10 * MINUTE
    with stores.database.read() as tx:
        [late] = [one for one in claim_due(tx, at, 100) if one.name == "two"]
    assert late.verdict is not None
    before = stores.record("two").standing.checked_at

    if is_together:
        stores.evaluate(at, two=late.verdict, one=LISTED)
    else:
        stores.evaluate(at, one=LISTED)
        stores.evaluate(at + SECOND, two=late.verdict)

    assert stores.record("two").standing.checked_at == before
    assert verdicts(stores, at + MINUTE)["two"] is None
    stores.evaluate(at + MINUTE, two=LISTED)
    assert stores.record("two").standing.state is State.ACTIVE
    assert stores.kinds() == [("error", THREE), ("recovered", THREE)]


def test_a_refused_application_is_one_alert_for_all_its_stores(stores):
    stores.evaluate(NOON + MINUTE, **dict.fromkeys(THREE, CLIENT_REJECTED))
    assert stores.kinds() == []
    for number in (2, 7):
        take_over(stores, NOON + number * MINUTE, "two")
    assert stores.kinds() == [], "only a real answer confirms"
    stores.evaluate(NOON + 8 * MINUTE, one=CLIENT_REJECTED)
    stores.evaluate(NOON + 9 * MINUTE, one=CLIENT_REJECTED)
    [alert] = stores.alerts()
    assert (alert.kind, alert.severity) == ("error", "critical")
    assert set(alert.connections) == set(THREE)
    assert len(stores.channels()) == 1


def test_an_application_that_is_accepted_again_is_told_once_and_all_are_asked(stores):
    for minute in (1, 2):
        stores.evaluate(NOON + minute * MINUTE, one=CLIENT_REJECTED)
    for name in ("two", "three"):
        for number in (3, 4):
            take_over(stores, NOON + number * MINUTE, name)
    stores.evaluate(NOON + 7 * MINUTE, one=LISTED)
    assert [kind for kind, _ in stores.kinds()] == ["error", "recovered"]
    assert set(stores.alerts()[-1].connections) == set(THREE)
    assert verdicts(stores, NOON + 8 * MINUTE) == {"two": None, "three": None}
    stores.evaluate(NOON + 8 * MINUTE, two=LISTED, three=REVOKED)
    stores.evaluate(NOON + 9 * MINUTE, three=REVOKED)
    assert [kind for kind, _ in stores.kinds()] == ["error", "recovered", "error"]
    assert stores.alerts()[-1].connections == ("three",)


def test_a_refusal_that_is_gone_before_it_is_confirmed_stays_untold(stores):
    stores.evaluate(NOON + MINUTE, one=CLIENT_REJECTED)
    take_over(stores, NOON + MINUTE + SECOND, "two")
    take_over(stores, NOON + MINUTE + 40 * SECOND, "two")
    stores.evaluate(NOON + 2 * MINUTE, one=LISTED)
    stores.evaluate(NOON + 2 * MINUTE, two=LISTED)
    assert stores.kinds() == []


def test_another_store_asks_when_the_asker_is_paused(stores):
    stores.evaluate(NOON + MINUTE, one=CLIENT_REJECTED)
    with stores.database.write() as tx:
        connections.pause(tx, stores.record("one").id)
    assert verdicts(stores, NOON + 10 * MINUTE) == {"two": None, "three": None}
    stores.evaluate(NOON + 10 * MINUTE, two=CLIENT_REJECTED)
    assert verdicts(stores, NOON + 20 * MINUTE)["three"] is Reason.CLIENT_REJECTED


def test_another_application_is_not_concerned(database):
    plan = plan_of(amazon_store("one"), amazon_store("other", application="their-app"))
    story = Story.begin(database, plan)
    story.evaluate(NOON, one=CLIENT_REJECTED, other=LISTED)
    story.evaluate(NOON + RECHECK, one=CLIENT_REJECTED)
    assert story.kinds() == [("error", ("one",))]
    assert verdicts(story, NOON + HOUR)["other"] is None


@pytest.mark.parametrize(
    ("answer", "is_over"),
    [
        pytest.param(LISTED, True, id="the API answers"),
        pytest.param(UNEXPLAINED, True, id="the API refuses for another reason"),
        pytest.param(OK, False, id="a token was given, as before"),
        pytest.param(REVOKED, False, id="the token service refuses the store"),
        pytest.param(UNREACHED, False, id="no answer"),
    ],
)
def test_an_expired_secret_is_over_only_when_the_api_says_so(stores, answer, is_over):
    stores.evaluate(NOON + MINUTE, one=SECRET_EXPIRED)
    stores.evaluate(NOON + 2 * MINUTE, one=SECRET_EXPIRED)
    stores.evaluate(NOON + 3 * MINUTE, one=answer)
    kinds = [kind for kind, _ in stores.kinds()]
    assert kinds[:1] == ["error"]
    assert ("recovered" in kinds) is is_over


def test_an_answer_to_a_question_from_before_the_refusal_ends_nothing(stores):
    stores.evaluate(NOON + MINUTE, one=CLIENT_REJECTED)
    slow = Outcome(Reason.OK, latency_ms=90_000.0, marketplaces=SOLD_IN)
    stores.evaluate(NOON + 2 * MINUTE, two=slow)
    assert verdicts(stores, NOON + HOUR)["three"] is Reason.CLIENT_REJECTED


def test_a_secret_that_expires_soon_is_told_once_for_all_stores(database):
    plan = plan_of(*map(amazon_store, THREE), secret_created_at=NOON - 150 * DAY)
    story = Story.begin(database, plan)
    for minute in range(3):
        story.sweep(NOON + minute * MINUTE)
    [alert] = story.alerts()
    assert (alert.kind, alert.severity, set(alert.connections)) == (
        "secret_expiring",
        "warning",
        set(THREE),
    )
    for days in (16, 23, 27, 29):
        story.sweep(NOON + days * DAY)
    assert [alert.severity for alert in story.alerts()] == ["warning"] * 4 + ["critical"]


def test_a_store_is_asked_at_the_instant_its_secret_ends(database):
    plan = plan_of(*map(amazon_store, THREE), secret_created_at=NOON - 180 * DAY + MINUTE)
    story = Story.begin(database, plan)
    story.evaluate(NOON + SECOND, **dict.fromkeys(THREE, LISTED))
    story.sweep(NOON + SECOND)
    assert verdicts(story, NOON + MINUTE) == {}
    story.sweep(NOON + MINUTE)
    assert verdicts(story, NOON + MINUTE) == {"one": None}


def test_a_rotated_secret_is_counted_from_its_new_date(database):
    plan = plan_of(amazon_store("one"), secret_created_at=NOON - 150 * DAY)
    story = Story.begin(database, plan)
    story.sweep(NOON)
    Story.begin(database, plan_of(amazon_store("one"), secret_created_at=NOON))
    story.sweep(NOON + DAY)
    assert [kind for kind, _ in story.kinds()] == ["secret_expiring"]
    story.sweep(NOON + 150 * DAY)
    assert [kind for kind, _ in story.kinds()] == ["secret_expiring"] * 2


def test_an_asker_in_trouble_of_its_own_freezes_nobody(stores):
    for minute in (1, 2):
        stores.evaluate(NOON + minute * MINUTE, one=SECRET_EXPIRED)
    stores.evaluate(NOON + 7 * MINUTE, one=REVOKED)
    assert verdicts(stores, NOON + HOUR) == {"one": None, "two": None, "three": None}
    stores.evaluate(NOON + 8 * MINUTE, two=LISTED)
    assert [kind for kind, _ in stores.kinds()] == ["error", "recovered"]


def test_an_application_that_breaks_again_is_told_again_after_it_is_confirmed(stores):
    for minute in (1, 2):
        stores.evaluate(NOON + minute * MINUTE, one=CLIENT_REJECTED)
    for name in ("two", "three"):
        for minute in (3, 4):
            take_over(stores, NOON + minute * MINUTE, name)
    stores.evaluate(NOON + 5 * MINUTE, one=LISTED)
    stores.evaluate(NOON + 6 * MINUTE, two=CLIENT_REJECTED)
    assert [kind for kind, _ in stores.kinds()] == ["error", "recovered"]
    stores.evaluate(NOON + 7 * MINUTE, two=CLIENT_REJECTED)
    assert [kind for kind, _ in stores.kinds()] == ["error", "recovered", "error"]


# --- outages


def play(story: Story, outcome: Outcome, names, begin=NOON, times: int = 3) -> None:
    for number in range(times):
        story.evaluate(begin + (number + 1) * 5 * MINUTE, **dict.fromkeys(names, outcome))


def test_most_stores_failing_together_are_one_outage(many):
    names = [f"c{number}" for number in range(6)]
    play(many, NO_TOKEN, names, times=2)
    assert many.kinds() == [], "what ends before it is confirmed is told to nobody"
    play(many, NO_TOKEN, names, NOON + 10 * MINUTE, times=1)
    [alert] = many.alerts()
    assert (alert.kind, alert.severity, alert.connections) == ("outage", "critical", tuple(names))
    assert alert.facts["host"] == LWA_HOST
    assert (alert.facts["n_failing"], alert.facts["n_total"]) == (6, 10)
    assert many.record("c0").standing.state is State.ERROR, "the dashboard tells the truth"


def test_an_outage_ends_when_fewer_than_a_quarter_fail(many):
    names = [f"c{number}" for number in range(6)]
    play(many, NO_TOKEN, names)
    many.evaluate(NOON + 20 * MINUTE, c0=LISTED, c1=LISTED, c2=LISTED)
    assert [kind for kind, _ in many.kinds()] == ["outage"]
    many.evaluate(NOON + 21 * MINUTE, c3=LISTED)
    assert [kind for kind, _ in many.kinds()] == ["outage", "outage_over"]
    many.evaluate(NOON + 22 * MINUTE, c4=NO_TOKEN, c5=LISTED)
    assert many.kinds()[2:] == [("error", ("c4",))], "only an answer after the end says who is left"
    many.evaluate(NOON + 27 * MINUTE, c4=NO_TOKEN)
    assert len(many.kinds()) == 3, "that is told once"
    many.evaluate(NOON + 32 * MINUTE, c4=LISTED)
    assert many.kinds()[3:] == [("recovered", ("c4",))]


def test_who_fails_in_the_batch_that_ends_an_outage_is_told_at_once(many):
    names = [f"c{number}" for number in range(6)]
    play(many, NO_TOKEN, names)
    later = dict.fromkeys(names, LISTED) | {"c5": NO_TOKEN}
    many.evaluate(NOON + 20 * MINUTE, **later)
    assert [kind for kind, _ in many.kinds()] == ["outage", "outage_over", "error"]
    assert many.alerts()[-1].connections == ("c5",)


def test_an_outage_nobody_was_told_of_ends_in_silence(many):
    names = [f"c{number}" for number in range(6)]
    play(many, NO_TOKEN, names, times=2)
    many.evaluate(NOON + 20 * MINUTE, **dict.fromkeys(names, LISTED))
    assert many.kinds() == []


def test_half_of_a_group_is_no_outage(many):
    names = [f"c{number}" for number in range(5)]
    play(many, NO_TOKEN, names)
    assert [kind for kind, _ in many.kinds()] == ["error"] * 5


def test_two_connections_make_no_group(database):
    story = Story.begin(database, plan_of(entry("one"), entry("two")))
    play(story, UNREACHED, ["one", "two"])
    assert [kind for kind, _ in story.kinds()] == ["error", "error"]


def test_connections_of_another_api_make_a_group_as_well(database):
    story = Story.begin(database, plan_of(entry("one"), entry("two"), entry("three")))
    play(story, UNREACHED, THREE)
    assert [kind for kind, _ in story.kinds()] == ["outage"]


def test_throttled_connections_are_no_outage(database):
    story = Story.begin(database, plan_of(entry("one"), entry("two"), entry("three")))
    play(story, Outcome(Reason.THROTTLED, "Too many requests."), THREE)
    assert story.kinds() == []


def test_a_store_revoked_during_an_outage_is_told(many):
    names = [f"c{number}" for number in range(6)]
    play(many, NO_TOKEN, names)
    many.evaluate(NOON + 20 * MINUTE, c8=REVOKED)
    many.evaluate(NOON + 21 * MINUTE, c8=REVOKED)
    assert many.kinds()[-1] == ("error", ("c8",))


def test_a_recovery_during_an_outage_waits_for_its_end(many):
    for minute in (1, 2):
        many.evaluate(NOON + minute * MINUTE, c8=REVOKED)
    names = [f"c{number}" for number in range(6)]
    play(many, NO_TOKEN, names)
    many.evaluate(NOON + 20 * MINUTE, c8=LISTED)
    assert [kind for kind, _ in many.kinds()] == ["error", "outage"]
    many.evaluate(NOON + 21 * MINUTE, **dict.fromkeys(names, LISTED))
    assert many.kinds()[2][0] == "outage_over"
    assert many.kinds()[3:] == [("recovered", ("c8",))]


def test_an_outage_is_over_when_those_that_fail_are_paused(many):
    names = [f"c{number}" for number in range(6)]
    play(many, NO_TOKEN, names)
    for name in names[:5]:
        with many.database.write() as tx:
            connections.pause(tx, many.record(name).id)
    many.sweep(NOON + 20 * MINUTE)
    assert many.kinds()[1][0] == "outage_over"


# --- refusals without a word why


def test_neighbours_are_asked_before_anybody_hears_of_a_lost_permission(many):
    many.evaluate(NOON + MINUTE, c0=UNEXPLAINED)
    asked = verdicts(many, NOON + MINUTE)
    assert len(asked) == 5
    assert "eu" not in asked
    many.evaluate(NOON + MINUTE + RECHECK, c0=UNEXPLAINED)
    assert many.kinds() == [], "its alert waits for their answers"
    assert many.record("c0").next_check_at <= NOON + MINUTE + 2 * RECHECK
    many.evaluate(NOON + 2 * MINUTE, **dict.fromkeys(asked, LISTED))
    many.evaluate(NOON + 2 * MINUTE + RECHECK, c0=UNEXPLAINED)
    assert many.kinds() == [("error", ("c0",))]


def test_a_neighbour_that_never_answers_holds_up_the_alert_for_minutes_only(many):
    many.evaluate(NOON + MINUTE, c0=UNEXPLAINED)
    for minute in range(2, 6):
        many.evaluate(NOON + minute * MINUTE, c0=UNEXPLAINED)
    assert many.kinds() == []
    many.evaluate(NOON + 7 * MINUTE, c0=UNEXPLAINED)
    assert many.kinds() == [("error", ("c0",))]


def test_a_storm_of_refusals_is_an_outage_and_nobody_is_told_to_authorize_again(many):
    many.evaluate(NOON + MINUTE, c0=UNEXPLAINED)
    at = NOON + MINUTE
    for _ in range(3):
        asked = [name for name in verdicts(many, at) if name != "c0"]
        if asked:
            many.evaluate(at, **dict.fromkeys(asked, UNEXPLAINED))
    many.evaluate(NOON + 2 * MINUTE, c0=UNEXPLAINED)
    assert [kind for kind, _ in many.kinds()] == ["outage"]
    many.evaluate(NOON + 25 * MINUTE, **{f"c{number}": LISTED for number in range(9)})
    assert [kind for kind, _ in many.kinds()] == ["outage", "outage_over"]


def test_refusals_that_last_are_told_once_an_application(database):
    plan = plan_of(
        *(amazon_store(f"a{number}", application="app-a") for number in range(4)),
        *(amazon_store(f"b{number}", application="app-b") for number in range(2)),
    )
    story = Story.begin(database, plan)
    names = [one.name for one in entries_of(plan)]
    story.evaluate(NOON, **dict.fromkeys(names, LISTED))
    play(story, UNEXPLAINED, names)
    assert [kind for kind, _ in story.kinds()] == ["outage"]
    story.sweep(NOON + 5 * MINUTE + HOUR - SECOND)
    assert len(story.kinds()) == 1
    story.sweep(NOON + 5 * MINUTE + HOUR)
    told = story.alerts()[1:]
    assert [(one.kind, one.facts["application"]) for one in told] == [
        ("error", "app-a"),
        ("error", "app-b"),
    ]
    assert told[0].connections == ("a0", "a1", "a2", "a3")
    assert told[0].facts["permissions_changed"] is True
    play(story, UNEXPLAINED, names, NOON + 2 * HOUR)
    story.sweep(NOON + 9 * HOUR)
    assert len(story.kinds()) == 3, "no new outage of what is known to be refused"
    story.evaluate(NOON + 10 * HOUR, a0=LISTED)
    assert story.kinds()[-1] == ("recovered", ("a0",))


def test_a_lost_permission_hides_no_other_trouble_of_its_outage(database):
    names = [f"c{number}" for number in range(6)]
    story = Story.begin(database, plan_of(*map(amazon_store, [*names, "back"])))
    story.evaluate(NOON, **dict.fromkeys([*names, "back"], LISTED))
    for minute in (1, 2):
        story.evaluate(NOON + minute * MINUTE, back=REVOKED)
    broken = Outcome(Reason.SERVER_ERROR, "Amazon failed (500).")
    outcomes = dict.fromkeys(names[:4], UNEXPLAINED) | dict.fromkeys(names[4:], broken)
    for number in (1, 2, 3):
        story.evaluate(NOON + number * 5 * MINUTE, **outcomes)
    story.evaluate(NOON + 20 * MINUTE, back=LISTED)
    assert [kind for kind, _ in story.kinds()] == ["error", "outage"]
    story.sweep(NOON + 2 * HOUR)
    told = story.kinds()[2:]
    assert told[0] == ("error", tuple(names[:4]))
    assert set(told[1:]) == {("error", ("c4",)), ("error", ("c5",)), ("recovered", ("back",))}


def test_throttling_says_nothing_about_an_outage(many):
    names = [f"c{number}" for number in range(6)]
    play(many, NO_TOKEN, names)
    pause = Outcome(Reason.THROTTLED, "Too many requests (429).")
    many.evaluate(NOON + 20 * MINUTE, **dict.fromkeys(names, pause))
    assert [kind for kind, _ in many.kinds()] == ["outage"]


def test_a_neighbour_that_is_due_anyhow_is_waited_for(many):
    at = NOON + 10 * MINUTE
    many.evaluate(at, c0=UNEXPLAINED)
    many.evaluate(at + RECHECK, c0=UNEXPLAINED)
    assert many.kinds() == []


def test_a_store_alone_in_its_region_waits_for_nobody(database):
    story = Story.begin(database, plan_of(amazon_store("one")))
    story.evaluate(NOON, one=UNEXPLAINED)
    story.evaluate(NOON + RECHECK, one=UNEXPLAINED)
    assert story.kinds() == [("error", ("one",))]


def test_marketplaces_are_kept_and_written_only_when_they_change(stores):
    with stores.database.read() as tx:
        [record] = connections.list_records(tx, ["one"])
    assert record.marketplaces == SOLD_IN
    fewer = Outcome(Reason.MARKETPLACE_MISMATCH, "MX is missing.", marketplaces=())
    stores.evaluate(NOON + MINUTE, one=fewer)
    with stores.database.read() as tx:
        [record] = connections.list_records(tx, ["one"])
    assert record.marketplaces == ()
