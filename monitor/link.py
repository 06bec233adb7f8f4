"""
Tell once that this machine has no link, instead of that nobody can be reached.

What an answer says of the link is decided in `judge.link`; here it meets the database.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.judge.alerts import SEVERITY_OF, AlertDue, AlertKind
from monitor.judge.link import FEWEST_HOSTS, UNREACHED, Uplink, has_answered, is_unanswered
from monitor.store import offline, withdrawal
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.outcome import Outcome
    from monitor.plan import Plan
    from monitor.store.engine import Transaction

Seen = tuple["ConnectionRecord", "Outcome", "datetime"]
"""What was known, what was seen, and when."""


class LinkBook:
    """
    Our own link, as one transaction finds it.

    Args:
        uplink: What the URLs of `checks.uplink` said of this batch.
    """

    def __init__(self, tx: Transaction, plan: Plan, uplink: Uplink) -> None:
        self._tx = tx
        self._plan = plan
        self._uplink = uplink
        self._time = offline.find_open(tx)
        self.taken_back: set[int] = set()
        """The connections whose error was taken back, since the link was to blame."""

    @property
    def is_offline(self) -> bool:
        """
        Tell whether this machine has no link.
        """
        return self._time is not None

    def note(self, seen: Sequence[Seen]) -> None:
        """
        Find out what a batch of checks says of the link, and tell if that is news.
        """
        unanswered = [one for one in seen if is_unanswered(one[1])]
        if self._time is None:
            if unanswered and not any(has_answered(outcome) for _, outcome, _ in seen):
                self._look(unanswered)
        else:
            self._look_for_end(seen, self._time)
        if self._time is not None and unanswered:
            n_missed = self._time.n_missed + len(unanswered)
            self._time = replace(self._time, n_missed=n_missed)
            offline.save_missed(self._tx, self._time)

    def is_overlooked(self, outcome: Outcome) -> bool:
        """
        Tell whether a check failed for want of a link, so that it counts for nothing.
        """
        return self._time is not None and is_unanswered(outcome)

    def _look(self, unanswered: Sequence[Seen]) -> None:
        since = min(at for *_, at in unanswered)
        if self._uplink is Uplink.DOWN:
            self._begin(since, {}, max(at for *_, at in unanswered))
            return
        unreached = [one for one in unanswered if one[1].reason in UNREACHED]
        if self._plan.uplink or not unreached:
            return
        now = max(at for *_, at in unreached)
        but = [record.id for record, *_ in unreached]
        hosts = {outcome.failed_host or record.host for record, outcome, _ in unreached}
        others = offline.failed_hosts_if_all_fail(self._tx, but)
        if others is not None and len(hosts | others) >= FEWEST_HOSTS:
            self._begin(since, {"n_hosts": len(hosts | others)}, now)
        elif any(record.standing.last_reason not in UNREACHED for record, *_ in unreached):
            known = hosts | {record.host for record, *_ in unreached}
            offline.ask_other_hosts(self._tx, known, now)

    def _begin(self, since: datetime, facts: dict[str, int], now: datetime) -> None:
        # They were told of before it was clear what their failures had in common.
        self.taken_back.update(withdrawal.take_back_errors(self._tx, None, now))
        withdrawal.take_back_outages(self._tx, now)
        alert = AlertDue(
            AlertKind.MONITOR_OFFLINE,
            SEVERITY_OF[AlertKind.MONITOR_OFFLINE],
            {"since": since.isoformat(), **facts},
        )
        self._time = offline.begin(self._tx, since, tell(self._tx, alert, {}, self._plan, now))

    def _look_for_end(self, seen: Sequence[Seen], time: offline.OfflineTime) -> None:
        # An answer that was on its way when the link went says nothing.
        answered = [at for _, outcome, at in seen if has_answered(outcome) and at > time.started_at]
        if self._uplink is Uplink.UP:
            answered += [at for *_, at in seen]
        if answered:
            end_offline(self._tx, self._plan, max(answered))
            self._time = None


def end_offline(tx: Transaction, plan: Plan, now: datetime) -> bool:
    """
    Note that the link is there, and tell if it was not; say whether that is news.
    """
    time = offline.find_open(tx)
    if time is None:
        return False
    offline.end(tx, time, now)
    if time.alert_id is not None and offline.has_notifications(tx, time.alert_id):
        facts = {
            "since": time.started_at.isoformat(),
            "until": now.isoformat(),
            "n_missed": time.n_missed,
        }
        kind = AlertKind.MONITOR_ONLINE
        tell(tx, AlertDue(kind, SEVERITY_OF[kind], facts), {}, plan, now)
    offline.take_back_overtaken(tx, now)
    return True
