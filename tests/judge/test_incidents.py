from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.incidents import HostGroup, failed_host
from monitor.judge.outcome import Outcome, Reason, Standing, State

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOST, LWA = "sellingpartnerapi-na.amazon.com", "api.amazon.com"
STANDING = Standing.unknown(NOW)


@pytest.mark.parametrize(
    ("total", "failing", "is_out"),
    [
        pytest.param(2, 2, False, id="two are no group"),
        pytest.param(3, 1, False, id="one of three"),
        pytest.param(3, 2, True, id="two of three"),
        pytest.param(4, 2, False, id="exactly half"),
        pytest.param(4, 3, True, id="more than half"),
        pytest.param(100_000, 50_001, True, id="a vendor"),
    ],
)
def test_an_outage_begins_when_more_than_half_of_three_or_more_fail(total, failing, is_out):
    assert HostGroup(total, failing).is_out is is_out


@pytest.mark.parametrize(
    ("total", "failing", "is_back"),
    [
        pytest.param(8, 2, False, id="exactly a quarter"),
        pytest.param(8, 1, True, id="fewer than a quarter"),
        pytest.param(0, 0, True, id="nobody is left"),
        pytest.param(3, 0, True, id="none fails"),
    ],
)
def test_an_outage_is_over_when_fewer_than_a_quarter_fail(total, failing, is_back):
    assert HostGroup(total, failing).is_back is is_back


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_no_group_is_out_and_back_at_once(total, failing):
    group = HostGroup(total, min(failing, total))
    assert not (group.is_out and group.is_back)


UNEXPLAINED = Outcome(Reason.PERMISSION_DENIED, is_unexplained=True, failed_host=HOST)
TOLD = replace(STANDING, announced_state=State.ERROR, announced_reason=Reason.PERMISSION_DENIED)


@pytest.mark.parametrize(
    ("outcome", "standing", "expected"),
    [
        pytest.param(Outcome(Reason.OK), STANDING, None, id="success"),
        pytest.param(Outcome(Reason.TIMEOUT), STANDING, HOST, id="no answer"),
        pytest.param(
            Outcome(Reason.SERVER_ERROR, failed_host=LWA), STANDING, LWA, id="another host"
        ),
        pytest.param(Outcome(Reason.THROTTLED), STANDING, None, id="throttled"),
        pytest.param(Outcome(Reason.AUTHORIZATION_REVOKED), STANDING, None, id="a plain no"),
        pytest.param(Outcome(Reason.PERMISSION_DENIED), STANDING, None, id="a no with a reason"),
        pytest.param(UNEXPLAINED, STANDING, HOST, id="a no without a reason"),
        pytest.param(UNEXPLAINED, TOLD, None, id="a lost permission that was told"),
    ],
)
def test_what_speaks_against_a_host(outcome, standing, expected):
    assert failed_host(standing, outcome, HOST) == expected


def test_where_nothing_is_called_no_host_fails():
    assert failed_host(STANDING, Outcome(Reason.UNEXPECTED_RESPONSE), "") is None
