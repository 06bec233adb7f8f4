from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.alerts import SEVERITY_OF, AlertDue, AlertKind, Severity
from monitor.judge.route import ChannelRoute, Subject, route

ERROR = AlertDue(AlertKind.ERROR, Severity.CRITICAL)
MILD_ERROR = AlertDue(AlertKind.ERROR, Severity.WARNING)
EXPIRED = AlertDue(AlertKind.EXPIRED, Severity.CRITICAL)
RECOVERED = AlertDue(AlertKind.RECOVERED, Severity.INFO)
RESTORED = AlertDue(AlertKind.QUOTA_RESTORED, Severity.INFO)
LIMIT_CHANGED = AlertDue(AlertKind.LIMIT_CHANGED, Severity.INFO)
QUOTA_LOW = AlertDue(AlertKind.QUOTA_LOW, Severity.WARNING)

SHOP = Subject("shop", frozenset({"production", "eu"}))


def kinds(*named: AlertKind) -> frozenset[AlertKind]:
    return frozenset(named)


def test_kinds_have_the_severities_of_the_contract():
    by_severity = {
        severity: {kind.value for kind in AlertKind if SEVERITY_OF[kind] is severity}
        for severity in Severity
    }
    assert by_severity == {
        Severity.CRITICAL: {"error", "expired", "quota_exhausted"},
        Severity.WARNING: {"expiring_soon", "renewal_unrecorded", "quota_low", "quota_forecast"},
        Severity.INFO: {"recovered", "renewed", "quota_restored", "limit_changed", "test"},
    }


def test_severities_rank_from_info_to_critical():
    assert sorted(Severity, key=lambda severity: severity.rank) == [
        Severity.INFO,
        Severity.WARNING,
        Severity.CRITICAL,
    ]


def test_only_the_end_of_a_trouble_closes():
    assert {kind for kind in AlertKind if kind.is_closing} == {
        AlertKind.RECOVERED,
        AlertKind.RENEWED,
        AlertKind.QUOTA_RESTORED,
    }


@pytest.mark.parametrize("kind", AlertKind)
def test_a_channel_without_wishes_hears_everything(kind):
    alert = AlertDue(kind, SEVERITY_OF[kind])
    assert route(alert, [SHOP], [ChannelRoute("ops")]) == ["ops"]


@pytest.mark.parametrize(
    ("channel", "alert", "is_told"),
    [
        pytest.param(
            ChannelRoute("ops", kinds(AlertKind.ERROR)), ERROR, True, id="a kind it names"
        ),
        pytest.param(
            ChannelRoute("ops", kinds(AlertKind.ERROR)), EXPIRED, False, id="a kind it leaves out"
        ),
        pytest.param(ChannelRoute("ops", frozenset()), ERROR, False, id="no kind at all"),
        pytest.param(
            ChannelRoute("ops", min_severity=Severity.WARNING),
            QUOTA_LOW,
            True,
            id="just severe enough",
        ),
        pytest.param(
            ChannelRoute("ops", min_severity=Severity.CRITICAL),
            QUOTA_LOW,
            False,
            id="not severe enough",
        ),
        pytest.param(
            ChannelRoute("ops", min_severity=Severity.CRITICAL),
            MILD_ERROR,
            False,
            id="an error that only could not be asked",
        ),
        pytest.param(
            ChannelRoute("ops", min_severity=Severity.CRITICAL), ERROR, True, id="a severe error"
        ),
        pytest.param(
            ChannelRoute("ops", kinds(AlertKind.QUOTA_LOW), Severity.CRITICAL),
            QUOTA_LOW,
            False,
            id="naming a trouble lowers no severity",
        ),
    ],
)
def test_kinds_and_severity_must_both_let_an_alert_pass(channel, alert, is_told):
    assert bool(route(alert, [SHOP], [channel])) is is_told


@pytest.mark.parametrize(
    ("channel", "alert", "is_told"),
    [
        pytest.param(
            ChannelRoute("ops", kinds(AlertKind.RECOVERED), Severity.CRITICAL),
            RECOVERED,
            True,
            id="recovered, named",
        ),
        pytest.param(
            ChannelRoute("ops", kinds(AlertKind.QUOTA_RESTORED), Severity.WARNING),
            RESTORED,
            True,
            id="quota restored, named",
        ),
        pytest.param(
            ChannelRoute("ops", None, Severity.WARNING),
            RECOVERED,
            False,
            id="recovered, among all kinds",
        ),
        pytest.param(
            ChannelRoute("ops", kinds(AlertKind.ERROR), Severity.WARNING),
            RECOVERED,
            False,
            id="recovered, not named",
        ),
        pytest.param(
            ChannelRoute("ops", kinds(AlertKind.LIMIT_CHANGED), Severity.WARNING),
            LIMIT_CHANGED,
            False,
            id="information that closes nothing",
        ),
    ],
)
def test_only_a_closing_alert_that_is_named_passes_below_the_severity(channel, alert, is_told):
    assert bool(route(alert, [SHOP], [channel])) is is_told


@pytest.mark.parametrize(
    ("channel", "subject", "is_told"),
    [
        pytest.param(
            ChannelRoute("ops", tags=frozenset({"production"})), SHOP, True, id="a tag it watches"
        ),
        pytest.param(
            ChannelRoute("ops", tags=frozenset({"eu", "na"})), SHOP, True, id="one tag of several"
        ),
        pytest.param(ChannelRoute("ops", tags=frozenset({"na"})), SHOP, False, id="another tag"),
        pytest.param(
            ChannelRoute("ops", tags=frozenset({"na"})), Subject("shop"), False, id="no tags"
        ),
        pytest.param(
            ChannelRoute("ops", connections=frozenset({"shop"})), SHOP, True, id="by name"
        ),
        pytest.param(
            ChannelRoute("ops", connections=frozenset({"other"})), SHOP, False, id="another name"
        ),
        pytest.param(
            ChannelRoute("ops", tags=frozenset({"na"}), connections=frozenset({"shop"})),
            SHOP,
            False,
            id="the name alone, where a tag is asked for too",
        ),
        pytest.param(
            ChannelRoute("ops", tags=frozenset({"eu"}), connections=frozenset({"shop"})),
            SHOP,
            True,
            id="name and tag",
        ),
        pytest.param(
            ChannelRoute("ops"),
            Subject("shop", channels=frozenset({"ops", "mail"})),
            True,
            id="a channel the connection names",
        ),
        pytest.param(
            ChannelRoute("ops"),
            Subject("shop", channels=frozenset({"mail"})),
            False,
            id="a channel the connection leaves out",
        ),
        pytest.param(
            ChannelRoute("ops"), Subject("shop", channels=frozenset()), False, id="no channel"
        ),
        pytest.param(
            ChannelRoute("ops", tags=frozenset({"na"})),
            Subject("shop", frozenset({"eu"}), frozenset({"ops"})),
            False,
            id="named by the connection but not covering it",
        ),
    ],
)
def test_channel_and_connection_must_choose_one_another(channel, subject, is_told):
    assert bool(route(ERROR, [subject], [channel])) is is_told


@pytest.mark.parametrize(
    ("channel", "is_told"),
    [
        pytest.param(ChannelRoute("ops", tags=frozenset({"na"})), True, id="one of them is enough"),
        pytest.param(ChannelRoute("ops", tags=frozenset({"fe"})), False, id="none of them"),
        pytest.param(
            ChannelRoute("mail", tags=frozenset({"na"})),
            False,
            id="the one it covers wants other channels",
        ),
        pytest.param(
            ChannelRoute("ops", tags=frozenset({"eu"}), connections=frozenset({"acme-na"})),
            False,
            id="tag of one, name of the other",
        ),
    ],
)
def test_an_alert_about_several_goes_where_it_would_go_for_one_of_them(channel, is_told):
    subjects = [
        Subject("acme-eu", frozenset({"eu"})),
        Subject("acme-na", frozenset({"na"}), frozenset({"ops"})),
    ]
    assert bool(route(QUOTA_LOW, subjects, [channel])) is is_told


def test_each_channel_is_told_once_in_the_order_of_the_file():
    channels = [ChannelRoute("b"), ChannelRoute("a"), ChannelRoute("c", kinds(AlertKind.EXPIRED))]
    assert route(ERROR, [SHOP, Subject("other")], channels) == ["b", "a"]


def test_an_alert_about_nobody_goes_nowhere():
    assert route(ERROR, [], [ChannelRoute("ops")]) == []


CHANNELS = st.builds(
    ChannelRoute,
    st.just("ops"),
    st.none() | st.frozensets(st.sampled_from(AlertKind)),
    st.sampled_from(Severity),
    st.frozensets(st.sampled_from(["eu", "na"])),
    st.frozensets(st.sampled_from(["shop", "other"])),
)
SUBJECTS = st.builds(
    Subject,
    st.sampled_from(["shop", "other"]),
    st.frozensets(st.sampled_from(["eu", "na"])),
    st.none() | st.frozensets(st.sampled_from(["ops", "mail"])),
)


@given(CHANNELS, st.lists(SUBJECTS, max_size=3), st.sampled_from(AlertKind))
def test_whoever_names_the_bad_news_and_its_end_hears_the_end(channel, subjects, kind):
    """
    Nobody who was told of a trouble is left alone with it for its severity's sake.
    """
    closing = AlertDue(AlertKind.RECOVERED, Severity.INFO)
    trouble = AlertDue(kind, SEVERITY_OF[kind])
    names_the_end = channel.kinds is not None and AlertKind.RECOVERED in channel.kinds
    if names_the_end and route(trouble, subjects, [channel]):
        assert route(closing, subjects, [channel]) == ["ops"]
