from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.alerts import ABOUT_NO_CONNECTION, KINDS, AlertDue, AlertKind, Severity
from monitor.judge.routing import ChannelRoute, Digest, DigestTime, Routing, Subject, explain, route

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
        severity: {kind.value for kind in AlertKind if KINDS[kind].severity is severity}
        for severity in Severity
    }
    assert by_severity == {
        Severity.CRITICAL: {
            "error",
            "expired",
            "quota_exhausted",
            "outage",
            "monitor_offline",
            "channel_failed",
            "source_held",
        },
        Severity.WARNING: {
            "expiring_soon",
            "secret_expiring",
            "renewal_unrecorded",
            "quota_low",
            "quota_forecast",
            "flapping",
            "source_failed",
        },
        Severity.INFO: {
            "recovered",
            "renewed",
            "quota_restored",
            "limit_changed",
            "outage_over",
            "monitor_online",
            "channel_restored",
            "source_restored",
            "resumed",
            "digest",
            "test",
        },
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
        AlertKind.OUTAGE_OVER,
        AlertKind.MONITOR_ONLINE,
        AlertKind.CHANNEL_RESTORED,
        AlertKind.SOURCE_RESTORED,
    }


@pytest.mark.parametrize("kind", AlertKind)
def test_a_channel_without_wishes_hears_everything_but_what_must_be_named(kind):
    alert = AlertDue.of(kind)
    is_told = kind not in {AlertKind.DIGEST, AlertKind.RESUMED}
    assert route(alert, [SHOP], [ChannelRoute("ops")]) == ["ops"] * is_told
    assert route(alert, [SHOP], [ChannelRoute("ops", frozenset({kind}))]) == ["ops"]


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


@pytest.mark.parametrize("kind", sorted(ABOUT_NO_CONNECTION))
def test_what_is_about_no_connection_goes_wherever_its_kind_is_wanted(kind):
    narrow = ChannelRoute("ops", kinds(kind), tags=frozenset({"fe"}))
    assert route(AlertDue.of(kind), [], [narrow]) == ["ops"]
    deaf = ChannelRoute("ops", kinds(AlertKind.ERROR))
    assert route(AlertDue.of(kind), [], [deaf]) == []


@pytest.mark.parametrize(
    ("channel", "is_told"),
    [
        pytest.param(ChannelRoute("ops"), False, id="that asks for nothing"),
        pytest.param(ChannelRoute("ops", kinds(AlertKind.DIGEST)), True, id="that names it"),
        pytest.param(
            ChannelRoute("ops", kinds(AlertKind.DIGEST), Severity.WARNING),
            False,
            id="that names it and hears no information",
        ),
        pytest.param(
            ChannelRoute(
                "ops",
                kinds(AlertKind.ERROR),
                Severity.CRITICAL,
                digest=DigestTime(Digest.DAILY, UTC),
            ),
            True,
            id="that has a rhythm for it",
        ),
    ],
)
def test_a_summary_goes_only_to_a_channel(channel, is_told):
    digest = AlertDue(AlertKind.DIGEST, Severity.INFO)
    assert bool(route(digest, [], [channel])) is is_told


@pytest.mark.parametrize("kind", AlertKind)
@pytest.mark.parametrize("least", Severity)
def test_every_end_that_is_named_passes_every_severity_and_nothing_else_does(kind, least):
    channel = ChannelRoute("ops", kinds(kind), least)
    is_severe_enough = KINDS[kind].severity.rank >= least.rank
    is_told = bool(route(AlertDue.of(kind), [SHOP], [channel]))
    assert is_told is (is_severe_enough or kind.is_closing)


@pytest.mark.parametrize(
    ("channel", "subject", "alert", "why"),
    [
        pytest.param(ChannelRoute("ops"), SHOP, ERROR, Routing.WANTED, id="wanted"),
        pytest.param(
            ChannelRoute("ops", kinds(AlertKind.RECOVERED), Severity.CRITICAL),
            SHOP,
            RECOVERED,
            Routing.WANTED_AS_END,
            id="wanted as an end",
        ),
        pytest.param(
            ChannelRoute("ops", kinds(AlertKind.EXPIRED)),
            SHOP,
            ERROR,
            Routing.KIND_NOT_NAMED,
            id="another kind",
        ),
        pytest.param(
            ChannelRoute("ops", None, Severity.CRITICAL),
            SHOP,
            RECOVERED,
            Routing.NOT_SEVERE_ENOUGH,
            id="an end that is not named",
        ),
        pytest.param(
            ChannelRoute("ops"),
            Subject("shop", channels=frozenset({"mail"})),
            ERROR,
            Routing.NOT_CHOSEN,
            id="the connection's channels",
        ),
        pytest.param(
            ChannelRoute("ops", connections=frozenset({"other"})),
            SHOP,
            ERROR,
            Routing.OTHER_CONNECTIONS,
            id="the channel's connections",
        ),
        pytest.param(
            ChannelRoute("ops", tags=frozenset({"na"})),
            SHOP,
            ERROR,
            Routing.OTHER_TAGS,
            id="the channel's tags",
        ),
        pytest.param(
            ChannelRoute("ops", groups=frozenset({"acme"})),
            SHOP,
            ERROR,
            Routing.OTHER_GROUPS,
            id="the channel's groups, the connection having none",
        ),
        pytest.param(
            ChannelRoute("ops", groups=frozenset({"acme"})),
            Subject("shop", group="globex"),
            ERROR,
            Routing.OTHER_GROUPS,
            id="the channel's groups, the connection having another",
        ),
        pytest.param(
            ChannelRoute("ops", groups=frozenset({"acme", "globex"})),
            Subject("shop", group="globex"),
            ERROR,
            Routing.WANTED,
            id="one of the channel's groups",
        ),
        pytest.param(
            ChannelRoute("ops", kinds(AlertKind.RESUMED), groups=frozenset({"acme"})),
            Subject("shop", group="acme"),
            AlertDue.of(AlertKind.RESUMED),
            Routing.NOT_FOR_GROUPS,
            id="about connwatch itself, although the channel names it",
        ),
    ],
)
def test_the_first_reason_is_named(channel, subject, alert, why):
    assert explain(alert.kind, alert.severity, subject, channel) is why


@pytest.mark.parametrize("kind", AlertKind)
def test_a_channel_of_groups_is_told_of_theirs_and_of_nothing_that_is_about_connwatch(kind):
    channel = ChannelRoute("ops", kinds(kind), groups=frozenset({"acme"}))
    mine, other = Subject("a", group="acme"), Subject("b", group="globex")
    about_itself = kind.value.startswith(("monitor_", "channel_", "source_")) or kind == "resumed"
    of_no_connection = kind in {AlertKind.DIGEST, AlertKind.TEST}
    alert = AlertDue.of(kind)
    assert bool(route(alert, [mine, other], [channel])) is not about_itself
    assert bool(route(alert, [other], [channel])) is of_no_connection
    assert bool(route(alert, [Subject("c")], [channel])) is of_no_connection


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


@given(
    CHANNELS,
    st.lists(SUBJECTS, max_size=3),
    st.sampled_from([AlertKind.ERROR, AlertKind.EXPIRED]),
)
def test_whoever_names_the_bad_news_and_its_end_hears_the_end(channel, subjects, kind):
    """
    Nobody who was told of a trouble is left alone with it for its severity's sake.
    """
    closing = AlertDue(AlertKind.RECOVERED, Severity.INFO)
    trouble = AlertDue.of(kind)
    names_the_end = channel.kinds is not None and AlertKind.RECOVERED in channel.kinds
    if names_the_end and route(trouble, subjects, [channel]):
        assert route(closing, subjects, [channel]) == ["ops"]


@given(CHANNELS, SUBJECTS, st.sampled_from(AlertKind), st.sampled_from(Severity))
def test_what_is_explained_is_what_happens(channel, subject, kind, severity):
    is_told = bool(route(AlertDue(kind, severity), [subject], [channel]))
    assert explain(kind, severity, subject, channel).is_told is is_told
