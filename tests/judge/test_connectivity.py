"""
Whether our own link is gone, by the checks of a batch.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.judge.connectivity import find_unreached, judge_link
from monitor.judge.incidents import Connectivity, OfflineTime
from monitor.judge.outcome import Outcome, Reason
from tests.builders import OK, REFUSED, UNREACHED
from tests.fakes import NOON
from tests.judge.scenes import SECOND, check, record

DNS = Outcome(Reason.DNS, "No such name.")
TLS = Outcome(Reason.TLS, "Not trusted.")
OFFLINE = OfflineTime(1, NOON - timedelta(minutes=5), 3, 9)


def checks(*outcomes: Outcome):
    return [check(record(n, host=f"h{n}"), one, n) for n, one in enumerate(outcomes, start=1)]


def judge(
    *outcomes: Outcome, time=None, others=None, uplink=Connectivity.UNKNOWN, has_uplinks=False
):
    return judge_link(checks(*outcomes), time, others, uplink, has_uplinks=has_uplinks)


@pytest.mark.parametrize(
    ("outcomes", "facts", "n_hosts"),
    [
        pytest.param([UNREACHED, DNS], {"others": set()}, 2, id="two hosts, no others"),
        pytest.param([UNREACHED], {"others": {"x", "y"}}, 3, id="others are not reached either"),
        pytest.param([UNREACHED], {"others": set()}, None, id="one host may be down itself"),
        pytest.param([UNREACHED, DNS], {}, None, id="others were reached"),
        pytest.param([UNREACHED, REFUSED], {"others": {"x", "y"}}, None, id="somebody answered"),
        pytest.param([TLS, TLS], {"others": {"x", "y"}}, None, id="reached, and not trusted"),
        pytest.param(
            [UNREACHED, DNS], {"others": {"x"}, "has_uplinks": True}, None, id="there are uplinks"
        ),
    ],
)
def test_the_link_is_gone_if_no_host_is_reached(outcomes, facts, n_hosts):
    verdict = judge(*outcomes, **facts)
    assert (verdict.n_hosts, verdict.time is not None) == (n_hosts, n_hosts is not None)


def test_an_uplink_that_is_down_is_enough():
    verdict = judge(TLS, UNREACHED, uplink=Connectivity.DOWN, has_uplinks=True)
    assert verdict.time == OfflineTime(None, NOON + SECOND, 2, None)
    assert (verdict.begun_at, verdict.n_hosts) == (NOON + 2 * SECOND, None)
    assert judge(UNREACHED, OK, uplink=Connectivity.DOWN, has_uplinks=True).time is None


def test_one_host_that_is_not_reached_puts_the_link_in_doubt():
    verdict = judge(UNREACHED)
    assert (verdict.doubted_at, verdict.doubted) == (NOON + SECOND, {"h1"})


def test_what_was_not_reached_before_puts_nothing_in_doubt_again():
    known = record(1)
    standing = replace(known.standing, last_reason=Reason.TIMEOUT)
    again = [check(replace(known, standing=standing), UNREACHED)]
    verdict = judge_link(again, None, None, Connectivity.UNKNOWN, has_uplinks=False)
    assert verdict.doubted_at is None


def test_misses_are_counted_while_it_lasts():
    verdict = judge(UNREACHED, TLS, time=OFFLINE)
    assert (verdict.time, verdict.has_missed) == (replace(OFFLINE, n_missed=5), True)


@pytest.mark.parametrize(
    ("outcome", "uplink", "is_over"),
    [
        pytest.param(REFUSED, Connectivity.UNKNOWN, True, id="an answer, whatever it says"),
        pytest.param(UNREACHED, Connectivity.UP, True, id="an uplink"),
        pytest.param(UNREACHED, Connectivity.UNKNOWN, False, id="nothing"),
        pytest.param(
            replace(OK, is_countdown=True), Connectivity.UNKNOWN, False, id="nobody was asked"
        ),
    ],
)
def test_it_is_over_with(outcome, uplink, is_over):
    verdict = judge(outcome, time=OFFLINE, uplink=uplink)
    assert verdict.ended == ((OFFLINE, NOON + SECOND) if is_over else None)
    assert (verdict.time is None) == is_over


def test_an_answer_from_before_it_began_does_not_end_it():
    late = replace(OFFLINE, started_at=NOON + timedelta(minutes=1))
    assert judge(OK, time=late).time == late


def test_others_are_looked_at_only_if_all_that_failed_were_not_reached():
    assert (
        len(find_unreached(checks(UNREACHED, TLS), None, Connectivity.UNKNOWN, has_uplinks=False))
        == 1
    )
    assert not find_unreached(checks(UNREACHED, OK), None, Connectivity.UNKNOWN, has_uplinks=False)
    assert not find_unreached(checks(UNREACHED), OFFLINE, Connectivity.UNKNOWN, has_uplinks=False)
