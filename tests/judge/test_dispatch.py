"""
What is announced, where, and what must wait: decided on values, with nothing stored.
"""

from __future__ import annotations

from datetime import UTC, time, timedelta
from typing import Any

import pytest

from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.connections import Watched
from monitor.judge.dispatch import Joining, Proposal, dispatch
from monitor.judge.routing import ChannelRoute, QuietInterval, Subject
from monitor.judge.suppression import Scope, Silence, SuppressedBy
from tests.fakes import NOON
from tests.judge.scenes import RULES, SECOND, context

ERROR, RECOVERED, RENEWED = AlertKind.ERROR, AlertKind.RECOVERED, AlertKind.RENEWED
LOW = AlertKind.QUOTA_LOW
HOUR = timedelta(hours=1)
Steps = list[Proposal | Joining]


def proposal(kind: AlertKind, *numbers: int, check: int | None = None, account=None) -> Proposal:
    about = {number: f"c{number}" for number in numbers}
    return Proposal(AlertDue.of(kind), about, NOON, check, account)


def silence_of(number: int, until=NOON + HOUR) -> Silence:
    return Silence(1, Scope.CONNECTION, f"c{number}", "why", NOON - HOUR, until)


@pytest.mark.parametrize(
    ("opened", "withdrawn", "is_announced"),
    [
        pytest.param({1: [5]}, (), True, id="of what was announced"),
        pytest.param({}, (), False, id="of nothing announced"),
        pytest.param({2: [5]}, (), False, id="of what was announced of another"),
        pytest.param({1: [5]}, {5}, False, id="of what is taken back"),
        pytest.param({1: [4, 5]}, {5}, True, id="of what is taken back in part"),
    ],
)
def test_an_end_is_announced(opened, withdrawn, is_announced):
    here = context("c1", opened={RECOVERED: opened})
    [made] = dispatch([proposal(RECOVERED, 1)], here, withdrawn)
    assert (made is not None) == is_announced


def test_what_the_batch_announces_itself_can_end_in_it():
    here = context("c1", opened={RECOVERED: {}})
    steps = [proposal(kind, 1) for kind in (RECOVERED, ERROR, RECOVERED, RECOVERED)]
    assert [made is not None for made in dispatch(steps, here)] == [False, True, True, False]


def test_what_no_channel_wants_opens_nothing():
    here = context("c1", channels=[], opened={RECOVERED: {}})
    made = dispatch([proposal(ERROR, 1), proposal(RECOVERED, 1)], here)
    assert [one is not None for one in made] == [True, False]


def test_a_renewal_needs_no_recovery_beside_it():
    here = context("c1", opened={RENEWED: {1: [3]}, RECOVERED: {1: [3], 2: [4]}})
    steps = [
        proposal(RENEWED, 1, check=0),
        proposal(RECOVERED, 1, check=0),
        proposal(RECOVERED, 2, check=1),
    ]
    assert [made is not None for made in dispatch(steps, here)] == [True, False, True]


def test_ends_that_were_not_looked_up_are_a_fault():
    with pytest.raises(KeyError):
        dispatch([proposal(RECOVERED, 1)], context("c1"))


def test_a_fault_is_named_if_nothing_was_read_at_all():
    assert dispatch([], None) == []
    with pytest.raises(AssertionError, match="was not read"):
        dispatch([proposal(ERROR, 1)], None)


def test_each_channel_gets_its_own_notification():
    channels = [
        ChannelRoute("ops"),
        ChannelRoute("night", quiet_hours=QuietInterval(UTC, time(11), time(13))),
        ChannelRoute("others", connections=frozenset({"c9"})),
    ]
    here = context("c1", channels=channels)
    [made] = dispatch([proposal(LOW, 1)], here)
    assert made is not None
    ops, night = made.notifications
    assert (ops.channel, ops.send_at, ops.hold) == ("ops", NOON + 20 * SECOND, None)
    assert night.hold is not None
    assert (night.hold.by, night.hold.until) == (SuppressedBy.QUIET_HOURS, NOON + HOUR)


@pytest.mark.parametrize(
    ("kind", "is_reminded"),
    [
        pytest.param(ERROR, True, id="critical, and lasting"),
        pytest.param(LOW, False, id="a warning"),
        pytest.param(AlertKind.LIMIT_CHANGED, False, id="an instant"),
    ],
)
def test_people_are_reminded_of(kind, is_reminded):
    [made] = dispatch([proposal(kind, 1)], context("c1"))
    assert made is not None
    assert made.remind_at == (NOON + timedelta(hours=24) if is_reminded else None)


def test_an_alert_says_who_was_asked_and_where_to_renew():
    watched = {
        "c1": Watched(Subject("c1"), RULES, "https://renew.example", provider="soldscope"),
        "c2": Watched(Subject("c2"), RULES, provider="amazon"),
    }
    here = context(watched=watched)
    steps = [
        proposal(AlertKind.EXPIRED, 1),
        proposal(ERROR, 1, 2),
        proposal(AlertKind.RENEWAL_UNRECORDED, 2),
    ]
    facts = [made and made.alert.facts for made in dispatch(steps, here)]
    assert facts == [
        {
            "renew_url": "https://renew.example",
            "provider": "soldscope",
        },
        {},
        {"renew_url": None, "provider": "amazon", "connection": "c2"},
    ]


OWNERS: dict[str, tuple[AlertKind, list[str], dict[str, str | None]]] = {
    "the file": (ERROR, ["file"], {}),
    "several of the file": (AlertKind.EXPIRED, ["file", "file"], {}),
    "the dashboard": (ERROR, ["dashboard"], {"owner": "dashboard"}),
    "a source": (AlertKind.EXPIRING_SOON, ["stores"], {"owner": "stores"}),
    "one of several": (AlertKind.EXPIRED, ["stores", "stores"], {"owner": "stores"}),
    "several": (ERROR, ["dashboard", "file"], {"owner": None}),
    "several sources": (ERROR, ["stores", "others"], {"owner": None}),
    "of no matter": (LOW, ["dashboard"], {}),
}


@pytest.mark.parametrize(("kind", "owners", "expected"), OWNERS.values(), ids=OWNERS)
def test_an_alert_says_whose_connections_it_is_about_where_its_words_need_it(
    kind, owners, expected
):
    names = {f"c{n}": owner for n, owner in enumerate(owners, 1)}
    watched = {name: Watched(Subject(name), RULES, owner=owner) for name, owner in names.items()}
    about = range(1, len(owners) + 1)
    [made] = dispatch([proposal(kind, *about)], context(watched=watched))
    assert made is not None
    facts = made.alert.facts
    assert {name: one for name, one in facts.items() if name == "owner"} == expected


def test_only_an_error_that_a_renewal_ends_says_where_to_renew():
    url = "https://renew.example"
    watched = {
        "here": Watched(Subject("here"), RULES, provider="amazon", can_renew_here=True),
        "there": Watched(Subject("there"), RULES, url, provider="amazon"),
        "other": Watched(Subject("other"), RULES, f"{url}/2", provider="amazon"),
    }
    here = context(watched=watched)

    def facts_of(reason: str, *names: str) -> dict[str, Any]:
        due = AlertDue.of(ERROR, reason=reason)
        about = dict(enumerate(names, 1))
        [made] = dispatch([Proposal(due, about, NOON)], here)
        assert made is not None
        return {name: one for name, one in made.alert.facts.items() if "renew" in name}

    assert facts_of("authorization_revoked", "here") == {"can_renew_here": True}
    assert facts_of("authorization_revoked", "there") == {"renew_url": url}
    assert facts_of("authorization_revoked", "there", "other") == {"renew_url": None}
    assert facts_of("client_rejected", "there") == {}
    assert facts_of("permission_denied", "here") == {}


def test_one_more_connection_joins_the_latest_alert_on_its_account():
    steps: Steps = [
        proposal(LOW, 1, account="a"),
        Joining("a", 2, "c2", NOON),
        Joining("b", 3, "c3", NOON),
    ]
    [made, *others] = dispatch(steps, context("c1", "c2", "c3"))
    assert made is not None
    assert (made.about, others) == ({1: "c1", 2: "c2"}, [None, None])


def test_who_joins_brings_its_channels():
    channels = [ChannelRoute(f"of-{name}", connections=frozenset({name})) for name in ("c1", "c2")]
    steps: Steps = [proposal(LOW, 1, account="a"), Joining("a", 2, "c2", NOON + SECOND)]
    [made, _] = dispatch(steps, context("c1", "c2", channels=channels))
    assert made is not None
    assert [(one.channel, one.due_since) for one in made.notifications] == [
        ("of-c1", NOON),
        ("of-c2", NOON + SECOND),
    ]


def test_a_silence_of_the_others_does_not_cover_who_joins():
    steps: Steps = [proposal(LOW, 1, account="a"), Joining("a", 2, "c2", NOON + SECOND)]
    [made, _] = dispatch(steps, context("c1", "c2", silences=[silence_of(1)]))
    assert made is not None
    [one] = made.notifications
    assert (one.hold, one.send_at) == (None, NOON + SECOND)


def test_what_silences_cover_of_all_waits_for_the_first_to_end():
    silences = [silence_of(1), silence_of(2, NOON + HOUR / 2)]
    steps: Steps = [proposal(LOW, 1, account="a"), Joining("a", 2, "c2", NOON + SECOND)]
    [made, _] = dispatch(steps, context("c1", "c2", silences=silences))
    assert made is not None
    [one] = made.notifications
    assert one.hold is not None
    assert (one.hold.by, one.hold.until) == (SuppressedBy.SILENCE, NOON + HOUR / 2)


@pytest.mark.parametrize(
    ("notes", "numbers", "kept"),
    [
        pytest.param("Call Ana", [1], "Call Ana", id="one connection"),
        pytest.param("Call Ana", [1, 2], None, id="several"),
        pytest.param("", [1], None, id="none"),
        pytest.param(" \n", [1], None, id="blank"),
    ],
)
def test_an_alert_on_one_connection_has_its_notes(notes, numbers, kept):
    watched = {name: Watched(Subject(name), RULES, notes=notes) for name in ("c1", "c2")}
    [made] = dispatch([proposal(ERROR, *numbers)], context(watched=watched))
    assert made is not None
    assert made.alert.facts.get("notes") == kept
