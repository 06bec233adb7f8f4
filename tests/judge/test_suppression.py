from __future__ import annotations

from datetime import UTC, time, timedelta

import pytest

from monitor.judge.alerts import Severity
from monitor.judge.routing import QuietInterval, Subject
from monitor.judge.suppression import (
    Mutes,
    Scope,
    Silence,
    SuppressedBy,
    Suppression,
    find_suppression,
    silenced_until,
)
from tests.fakes import NOON

HOUR = timedelta(hours=1)
SHOP = Subject("shop", frozenset({"eu"}), group="acme")
OTHER = Subject("other")
QUIET = QuietInterval(UTC, time(11), time(14))


def silence(scope: Scope, target: str | None = None, hours: int = 2) -> Silence:
    return Silence(1, scope, target, "", NOON - HOUR, NOON + hours * HOUR)


OF_SHOP = silence(Scope.CONNECTION, "shop")
OF_EU = silence(Scope.TAG, "eu", 3)
OF_OTHER = silence(Scope.CONNECTION, "other", 1)
OF_ALL = silence(Scope.ALL, None, 4)


@pytest.mark.parametrize(
    ("subjects", "silences", "hours"),
    [
        pytest.param([SHOP], [], None, id="no silence"),
        pytest.param([SHOP], [OF_SHOP], 2, id="by name"),
        pytest.param([SHOP], [OF_EU], 3, id="by tag"),
        pytest.param([SHOP], [OF_ALL], 4, id="all"),
        pytest.param([SHOP], [OF_OTHER], None, id="another name"),
        pytest.param([OTHER], [OF_EU], None, id="another tag"),
        pytest.param([SHOP], [OF_SHOP, OF_EU], 3, id="the longest of several"),
        pytest.param([SHOP, OTHER], [OF_SHOP], None, id="one of two is not silenced"),
        pytest.param([SHOP, OTHER], [OF_SHOP, OF_OTHER], 1, id="until the first may be told"),
        pytest.param([], [OF_SHOP, OF_EU], None, id="about nobody"),
        pytest.param([], [OF_ALL], 4, id="about nobody, all silenced"),
    ],
)
def test_what_is_silenced_waits_for_the_first_that_may_be_spoken_of(subjects, silences, hours):
    expected = None if hours is None else NOON + hours * HOUR
    assert silenced_until(subjects, silences, NOON) == expected


@pytest.mark.parametrize("at", [NOON - 2 * HOUR, NOON + 2 * HOUR], ids=["before", "at its end"])
def test_a_silence_holds_nothing_outside_its_time(at):
    assert silenced_until([SHOP], [OF_SHOP], at) is None


@pytest.mark.parametrize(
    ("severity", "quiet", "silences", "hold"),
    [
        pytest.param(Severity.WARNING, None, [], None, id="nothing holds"),
        pytest.param(
            Severity.WARNING,
            QUIET,
            [],
            Suppression(SuppressedBy.QUIET_HOURS, NOON + 2 * HOUR),
            id="quiet hours",
        ),
        pytest.param(Severity.CRITICAL, QUIET, [], None, id="critical passes quiet hours"),
        pytest.param(
            Severity.CRITICAL,
            QUIET,
            [OF_EU],
            Suppression(SuppressedBy.SILENCE, NOON + 3 * HOUR),
            id="and no silence",
        ),
    ],
)
def test_a_silence_holds_everything_and_quiet_hours_what_is_not_critical(
    severity, quiet, silences, hold
):
    assert find_suppression(severity, [SHOP], quiet, silences, NOON) == hold


@pytest.mark.parametrize(
    ("silences", "hours"),
    [
        pytest.param([], None, id="no silence"),
        pytest.param([OF_SHOP], 2, id="by name"),
        pytest.param([OF_EU], 3, id="by tag"),
        pytest.param([OF_ALL], 4, id="all"),
        pytest.param([OF_OTHER], None, id="another name"),
        pytest.param([silence(Scope.TAG, "shop")], None, id="a tag called as the connection"),
        pytest.param([silence(Scope.CONNECTION, "eu")], None, id="a connection called as the tag"),
        pytest.param([silence(Scope.GROUP, "acme", 5)], 5, id="by group"),
        pytest.param([silence(Scope.GROUP, "shop")], None, id="a group called as the connection"),
        pytest.param([silence(Scope.TAG, "acme")], None, id="a tag called as the group"),
        pytest.param([OF_ALL, OF_SHOP, OF_EU], 4, id="the latest end of several"),
        pytest.param([OF_SHOP, silence(Scope.CONNECTION, "shop", 9)], 9, id="twice the same"),
        pytest.param([silence(Scope.ALL, None, 0)], None, id="at its end"),
        pytest.param(
            [Silence(1, Scope.ALL, None, "", NOON + HOUR, NOON + 2 * HOUR)], None, id="to come"
        ),
    ],
)
def test_a_connection_is_muted_until_the_last_silence_in_force_ends(silences, hours):
    expected = None if hours is None else NOON + hours * HOUR
    assert Mutes(silences, NOON).until(SHOP) == expected
