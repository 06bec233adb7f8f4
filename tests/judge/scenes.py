"""
Make up batches of checks in memory, with no database behind them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.judge.batch import Batch
from monitor.judge.checks import Check, judge_checks
from monitor.judge.connections import ConnectionRecord, Watched
from monitor.judge.dispatch import DispatchContext
from monitor.judge.incidents import LinkVerdict
from monitor.judge.outcome import Reason, Rules, Standing, State
from monitor.judge.quota import Quota
from monitor.judge.routing import ChannelRoute, Subject
from tests.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.judge.applications import ApplicationStanding
    from monitor.judge.checks import Judged
    from monitor.judge.outcome import Outcome

SECOND = timedelta(seconds=1)
RULES = Rules()


def record(number: int, **facts: Any) -> ConnectionRecord:
    """
    A watched connection that works; its *standing* and the like may differ.
    """
    known: dict[str, Any] = {
        "id": number,
        "name": f"c{number}",
        "provider": "soldscope",
        "host": "api.example.com",
        "is_configured": True,
        "is_enabled": True,
        "is_paused": False,
        "next_check_at": NOON,
        "standing": Standing(State.ACTIVE, Reason.OK, "", NOON - timedelta(days=1)),
        "account": None,
        "quota": Quota(),
        "account_key": None,
    }
    return ConnectionRecord(**known | facts)


def check(known: ConnectionRecord, outcome: Outcome, after: int = 0) -> Check:
    """
    A check that ended some seconds after noon.
    """
    at = NOON + after * SECOND
    return Check(known, Watched(Subject(known.name), RULES), at, at, outcome)


def judged(
    checks: Sequence[Check],
    *,
    link: LinkVerdict | None = None,
    applications: Mapping[str, ApplicationStanding] | None = None,
) -> Judged:
    return judge_checks(checks, link or LinkVerdict(), (), applications or {})


def context(*names: str, **facts: Any) -> DispatchContext:
    """
    One channel, no silences, nothing announced before.
    """
    known: dict[str, Any] = {
        "channels": [ChannelRoute("ops")],
        "watched": {name: Watched(Subject(name), RULES) for name in names},
        "silences": (),
        "opened": {},
        "group_wait": 20 * SECOND,
        "remind_every": timedelta(hours=24),
    }
    return DispatchContext(**known | facts)


def batch(of: Judged, **facts: Any) -> Batch:
    """
    A batch in which nothing is known beside its checks.
    """
    names = [one.record.name for one in of.checks]
    known: dict[str, Any] = {
        "outages": {},
        "flapping": frozenset(),
        "context": context(*names),
    }
    return Batch(of, **known | facts)
