"""Say what a batch of checks is judged by, and what it leads to.

Values only: `correlation` turns the one into the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.judge.dispatch import Proposal
from monitor.judge.sharing import SharedQuotas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitor.judge.alerts import AlertDue
    from monitor.judge.applications import ApplicationStanding
    from monitor.judge.checks import Judged
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.dispatch import DispatchContext, Joining
    from monitor.judge.forecast import Outlook
    from monitor.judge.incidents import HostGroup
    from monitor.judge.outcome import Reason
    from monitor.judge.sharing import Ahead, ForecastVerdict, Member, WindowKey
    from monitor.judge.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Outage:
    """A host that is out.

    Args:
        id: None before it is stored.
    """

    id: int | None
    host: str
    started_at: datetime
    is_told: bool


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A connection whose next answer tells an outage from a lost permission."""

    connection_id: int
    host: str
    asked_at: datetime
    is_watched: bool = True


@dataclass(frozen=True, slots=True)
class Retractable:
    """An error of which no word has gone out yet, although it was announced.

    Args:
        rejected: The application, if that was what was announced of the connection.
    """

    alert_id: int
    connection_id: int
    reason: Reason
    is_unexplained: bool
    rejected: str | None = None

    @property
    def is_doubtful(self) -> bool:
        """Tell whether something larger may be to blame for it."""
        return self.is_unexplained or not self.reason.is_conclusive


@dataclass(frozen=True, slots=True)
class Batch:
    """All that the checks of one transaction are judged by.

    What is about hosts or applications is there for those only that the batch touches, and
    names for those only that may have to be named.

    Args:
        outages: The hosts that are out.
        inquiries: Whose answers are waited for.
        link_errors: The errors that a link which is gone explains.
        link_outages: Likewise the outages: the alert of each, and its host.
        groups: The connections of each touched host, before the batch.
        failing: Those that failed at a host before the batch, by id.
        errors: The errors that an outage of a host would explain.
        neighbours: Whom to check when a host rejects one without a word why.
        members: The connections of a host that is back, by id.
        stores: The connections of an application, by id.
        records: What is known of *members*.
        flapping: The connections that flap; None where that does not matter.
        changes: The latest transitions of connections, before the batch.
        accounts: The connections of accounts, by account and id.
        outlooks: What is foreseen of windows that do not decide, or of other connections.
        aheads: What is worth noting of quotas.
        context: What announcing depends on; None where nothing can be due.
    """

    judged: Judged
    outages: Mapping[str, Outage]
    inquiries: Sequence[Inquiry] = ()
    link_errors: Sequence[Retractable] = ()
    link_outages: Mapping[int, str] = field(default_factory=dict)
    groups: Mapping[str, HostGroup] = field(default_factory=dict)
    failing: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    errors: Mapping[str, Sequence[Retractable]] = field(default_factory=dict)
    neighbours: Mapping[str, Sequence[int]] = field(default_factory=dict)
    members: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    stores: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    records: Mapping[int, ConnectionRecord] = field(default_factory=dict)
    flapping: frozenset[int] | None = None
    changes: Mapping[int, Sequence[datetime]] = field(default_factory=dict)
    accounts: Mapping[str, Mapping[int, Member]] = field(default_factory=dict)
    outlooks: Mapping[WindowKey, Outlook] = field(default_factory=dict)
    aheads: Sequence[Ahead] = ()
    context: DispatchContext | None = None


@dataclass(slots=True)
class Effects:
    """What a batch leads to.

    Args:
        proposals: What it makes due, in the order in which it is announced.
        verdicts: What is known of each connection from now on, check by check.
        withdrawn: The errors that are taken back.
        begun: The hosts that are out since just now.
        announced_outages: The hosts whose outage is announced just now.
        ended: The hosts that are back, and since when.
        asked: Whose answers are waited for from now on.
        going_on: The flapping connections that changed again, and when.
        flapping: Those that flap since just now.
        applications: How applications stand, where that has changed.
        announced: What was held back of other connections, and is announced now.
        quotas: What is known of quotas from now on.
        foreseen: What is foreseen of them.
    """

    proposals: list[Proposal | Joining] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    withdrawn: list[Retractable] = field(default_factory=list)
    begun: dict[str, datetime] = field(default_factory=dict)
    announced_outages: set[str] = field(default_factory=set)
    ended: dict[str, datetime] = field(default_factory=dict)
    asked: list[Inquiry] = field(default_factory=list)
    going_on: dict[int, datetime] = field(default_factory=dict)
    flapping: dict[int, datetime] = field(default_factory=dict)
    applications: dict[str, ApplicationStanding] = field(default_factory=dict)
    announced: list[ConnectionRecord] = field(default_factory=list)
    quotas: SharedQuotas = field(default_factory=SharedQuotas)
    foreseen: ForecastVerdict | None = None

    @property
    def withdrawn_alerts(self) -> set[int]:
        """Return the alerts that are taken back: they announced nothing."""
        return {one.alert_id for one in self.withdrawn}

    def propose(self, alert: AlertDue, about: Mapping[int, str], at: datetime) -> None:
        """Make an alert due that no single check raises for its own sake."""
        self.proposals.append(Proposal(alert, about, at))
