"""Name the kinds of alert, and state in one table what is true of each.

Who receives an alert is decided in `routing`, when one is due in the rules beside this file, how
it reads in `monitor.notify.drafts`.
"""

# long because: the table of all kinds stands whole
from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from monitor.judge.outcome import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class AlertKind(StrEnum):
    """What people can be told."""

    ERROR = "error"
    EXPIRED = "expired"
    RECOVERED = "recovered"
    EXPIRING_SOON = "expiring_soon"
    SECRET_EXPIRING = "secret_expiring"  # noqa: S105 - a kind of alert, not a password
    RENEWAL_UNRECORDED = "renewal_unrecorded"
    RENEWED = "renewed"
    QUOTA_LOW = "quota_low"
    QUOTA_FORECAST = "quota_forecast"
    QUOTA_EXHAUSTED = "quota_exhausted"
    QUOTA_RESTORED = "quota_restored"
    LIMIT_CHANGED = "limit_changed"
    FLAPPING = "flapping"
    OUTAGE = "outage"
    OUTAGE_OVER = "outage_over"
    MONITOR_OFFLINE = "monitor_offline"
    MONITOR_ONLINE = "monitor_online"
    CHANNEL_FAILED = "channel_failed"
    CHANNEL_RESTORED = "channel_restored"
    SOURCE_FAILED = "source_failed"
    SOURCE_HELD = "source_held"
    SOURCE_RESTORED = "source_restored"
    RESUMED = "resumed"
    DIGEST = "digest"
    TEST = "test"

    @property
    def is_closing(self) -> bool:
        """Tell whether the alert says that an announced trouble is over."""
        return self in OPENED_BY


class Severity(StrEnum):
    """How urgent an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return a number that grows with urgency."""
        return list(Severity).index(self)


class SubjectKind(StrEnum):
    """What an alert can be about; where it is a thing with a name, the fact that holds the name."""

    CONNECTION = "connection"
    APPLICATION = "application"
    HOST = "host"
    CHANNEL = "channel"
    SOURCE = "source"
    LINK = "link"
    NONE = "none"


class Fact(StrEnum):
    """What a text can need to know of the connections that its alert is about."""

    PROVIDER = "provider"
    RENEW_URL = "renew_url"
    OWNER = "owner"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is true of every alert of one kind.

    Args:
        severity: How urgent it is, unless one of the next two applies.
        if_inconclusive: How urgent it is where the reason is inconclusive.
        at_last_step: How urgent it is at the last step before an end.
        closed_by: The kinds that announce its end; none of them is born unless it was announced.
        also_ended_by: The kinds after which it is over as well, but which are born regardless.
        superseded_by: The later kinds beside which an earlier, unsent one is old news.
        announces: The state of a connection that it announces, and lasts as long as.
        needs: What dispatch adds to its facts.
        is_reminded: It speaks of a state, which may last, and not of an instant.
        is_only_if_named: A channel receives it only if its `kinds` names it.
        is_of_clock: A clock raises it: an end that comes near, or has passed unnoticed.
    """

    severity: Severity
    subject: SubjectKind
    if_inconclusive: Severity | None = None
    at_last_step: Severity | None = None
    closed_by: tuple[AlertKind, ...] = ()
    also_ended_by: tuple[AlertKind, ...] = ()
    superseded_by: tuple[AlertKind, ...] = ()
    announces: State | None = None
    needs: frozenset[Fact] = frozenset()
    is_reminded: bool = False
    is_only_if_named: bool = False
    is_of_clock: bool = False


KINDS: Mapping[AlertKind, Kind] = {
    AlertKind.ERROR: Kind(
        Severity.CRITICAL,
        SubjectKind.CONNECTION,
        if_inconclusive=Severity.WARNING,
        closed_by=(AlertKind.RECOVERED,),
        also_ended_by=(AlertKind.RENEWED,),
        superseded_by=(AlertKind.ERROR, AlertKind.EXPIRED),
        announces=State.ERROR,
        needs=frozenset({Fact.PROVIDER, Fact.RENEW_URL, Fact.OWNER}),
        is_reminded=True,
    ),
    AlertKind.EXPIRED: Kind(
        Severity.CRITICAL,
        SubjectKind.CONNECTION,
        closed_by=(AlertKind.RECOVERED, AlertKind.RENEWED),
        superseded_by=(AlertKind.ERROR, AlertKind.EXPIRED),
        announces=State.EXPIRED,
        needs=frozenset({Fact.PROVIDER, Fact.RENEW_URL, Fact.OWNER}),
        is_reminded=True,
    ),
    AlertKind.RECOVERED: Kind(Severity.INFO, SubjectKind.CONNECTION),
    AlertKind.EXPIRING_SOON: Kind(
        Severity.WARNING,
        SubjectKind.CONNECTION,
        at_last_step=Severity.CRITICAL,
        closed_by=(AlertKind.RENEWED,),
        superseded_by=(AlertKind.EXPIRING_SOON, AlertKind.EXPIRED),
        needs=frozenset({Fact.PROVIDER, Fact.RENEW_URL, Fact.OWNER}),
        is_of_clock=True,
    ),
    AlertKind.SECRET_EXPIRING: Kind(
        Severity.WARNING,
        SubjectKind.APPLICATION,
        at_last_step=Severity.CRITICAL,
        superseded_by=(AlertKind.SECRET_EXPIRING,),
        is_of_clock=True,
    ),
    AlertKind.RENEWAL_UNRECORDED: Kind(
        Severity.WARNING,
        SubjectKind.CONNECTION,
        closed_by=(AlertKind.RENEWED,),
        needs=frozenset({Fact.PROVIDER, Fact.RENEW_URL, Fact.CONNECTION}),
        is_of_clock=True,
    ),
    AlertKind.RENEWED: Kind(Severity.INFO, SubjectKind.CONNECTION),
    AlertKind.QUOTA_LOW: Kind(
        Severity.WARNING,
        SubjectKind.CONNECTION,
        closed_by=(AlertKind.QUOTA_RESTORED,),
        also_ended_by=(AlertKind.LIMIT_CHANGED,),
        superseded_by=(AlertKind.QUOTA_LOW, AlertKind.QUOTA_EXHAUSTED),
    ),
    AlertKind.QUOTA_FORECAST: Kind(
        Severity.WARNING,
        SubjectKind.CONNECTION,
        also_ended_by=(AlertKind.QUOTA_RESTORED, AlertKind.LIMIT_CHANGED),
        superseded_by=(AlertKind.QUOTA_FORECAST, AlertKind.QUOTA_EXHAUSTED),
    ),
    AlertKind.QUOTA_EXHAUSTED: Kind(
        Severity.CRITICAL,
        SubjectKind.CONNECTION,
        closed_by=(AlertKind.QUOTA_RESTORED,),
        also_ended_by=(AlertKind.LIMIT_CHANGED,),
        is_reminded=True,
    ),
    AlertKind.QUOTA_RESTORED: Kind(Severity.INFO, SubjectKind.CONNECTION),
    AlertKind.LIMIT_CHANGED: Kind(Severity.INFO, SubjectKind.CONNECTION),
    AlertKind.FLAPPING: Kind(Severity.WARNING, SubjectKind.CONNECTION),
    AlertKind.OUTAGE: Kind(
        Severity.CRITICAL, SubjectKind.HOST, closed_by=(AlertKind.OUTAGE_OVER,), is_reminded=True
    ),
    AlertKind.OUTAGE_OVER: Kind(Severity.INFO, SubjectKind.HOST),
    AlertKind.MONITOR_OFFLINE: Kind(
        Severity.CRITICAL, SubjectKind.LINK, closed_by=(AlertKind.MONITOR_ONLINE,), is_reminded=True
    ),
    AlertKind.MONITOR_ONLINE: Kind(Severity.INFO, SubjectKind.LINK),
    AlertKind.CHANNEL_FAILED: Kind(
        Severity.CRITICAL,
        SubjectKind.CHANNEL,
        closed_by=(AlertKind.CHANNEL_RESTORED,),
        is_reminded=True,
    ),
    AlertKind.CHANNEL_RESTORED: Kind(Severity.INFO, SubjectKind.CHANNEL),
    AlertKind.SOURCE_FAILED: Kind(
        Severity.WARNING, SubjectKind.SOURCE, closed_by=(AlertKind.SOURCE_RESTORED,)
    ),
    AlertKind.SOURCE_HELD: Kind(
        Severity.CRITICAL,
        SubjectKind.SOURCE,
        closed_by=(AlertKind.SOURCE_RESTORED,),
        is_reminded=True,
    ),
    AlertKind.SOURCE_RESTORED: Kind(Severity.INFO, SubjectKind.SOURCE),
    AlertKind.RESUMED: Kind(Severity.INFO, SubjectKind.NONE, is_only_if_named=True),
    AlertKind.DIGEST: Kind(
        Severity.INFO, SubjectKind.NONE, superseded_by=(AlertKind.DIGEST,), is_only_if_named=True
    ),
    AlertKind.TEST: Kind(Severity.INFO, SubjectKind.NONE),
}
"""What is true of each kind. A new kind is a member above, and a row here."""

ONLY_IF_NAMED = frozenset(kind for kind, row in KINDS.items() if row.is_only_if_named)
"""What a channel receives only if its `kinds` names it."""

REMINDED_KINDS = frozenset(kind for kind, row in KINDS.items() if row.is_reminded)
"""The kinds that speak of a state, which may last; the others speak of an instant."""

CLOCK_KINDS = frozenset(kind for kind, row in KINDS.items() if row.is_of_clock)
"""What the clocks of authorizations and client secrets raise."""

ABOUT_NO_CONNECTION = frozenset(
    kind
    for kind, row in KINDS.items()
    if row.subject in {SubjectKind.CHANNEL, SubjectKind.SOURCE, SubjectKind.LINK, SubjectKind.NONE}
)
"""What concerns every channel, whichever connections it is there for."""

NEVER_FOR_GROUPS = frozenset(
    kind
    for kind, row in KINDS.items()
    if row.subject in {SubjectKind.CHANNEL, SubjectKind.SOURCE, SubjectKind.LINK}
    or kind is AlertKind.RESUMED
)
"""What concerns connwatch itself, and nobody who is there for some groups only."""

OPENED_BY: Mapping[AlertKind, tuple[AlertKind, ...]] = {
    end: tuple(kind for kind, row in KINDS.items() if end in row.closed_by)
    for end in KINDS
    if any(end in row.closed_by for row in KINDS.values())
}
"""The troubles that a closing alert speaks of."""


def ends(kind: AlertKind) -> tuple[AlertKind, ...]:
    """Return the kinds that say that the trouble of *kind* is over."""
    return (*KINDS[kind].closed_by, *KINDS[kind].also_ended_by)


CLOSED_BY: Mapping[AlertKind, tuple[AlertKind, ...]] = {
    end: tuple(kind for kind in KINDS if all(kind in ends(opening) for opening in openings))
    for end, openings in OPENED_BY.items()
}
"""What ended all the troubles that a closing alert speaks of, so that they need no second end."""

OPENING_OR_CLOSING = frozenset(
    kind for end, openings in OPENED_BY.items() for kind in (end, *openings)
)
"""The troubles whose end is announced, and those ends."""

RELATED = frozenset(
    each
    for kind, row in KINDS.items()
    if (later := (*ends(kind), *row.superseded_by))
    for each in (kind, *later)
)
"""The kinds that can make others old news, or become it."""


def severity_of(
    kind: AlertKind, *, is_inconclusive: bool = False, is_last_step: bool = False
) -> Severity:
    """Return how urgent an alert of *kind* is."""
    row = KINDS[kind]
    special = (row.if_inconclusive if is_inconclusive else None) or (
        row.at_last_step if is_last_step else None
    )
    return special or row.severity


def severities_of(kind: AlertKind) -> list[Severity]:
    """Return the severities that alerts of *kind* can have, the usual one first."""
    row = KINDS[kind]
    return [each for each in (row.severity, row.if_inconclusive, row.at_last_step) if each]


@dataclass(frozen=True, slots=True)
class AlertDue:
    """Something that people should be told now.

    Args:
        kind: What happened.
        severity: How urgent it is.
        facts: What the text needs, as plain JSON values: see
            `monitor.notify.drafts` for the names used by each kind.
    """

    kind: AlertKind
    severity: Severity
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: AlertKind, /, **facts: Any) -> Self:
        """Return an alert with the usual severity of its *kind*."""
        return cls(kind, KINDS[kind].severity, facts)


SHORTAGE = "shortage"
"""The fact that makes the loss of our own link a shortage: what there is too little of."""

REMINDER_COUNT = "reminder"
"""The fact that makes an alert a reminder: how many came before it, and this one."""


def is_reminded(alert: AlertDue) -> bool:
    """Tell whether people are reminded of *alert* while what it says lasts."""
    is_critical = alert.severity is Severity.CRITICAL
    return is_critical and KINDS[alert.kind].is_reminded and REMINDER_COUNT not in alert.facts


Key = int | str
"""What an alert is about: a connection's id, or the name of something larger."""


def is_known_by_connections(kind: AlertKind) -> bool:
    """Tell whether alerts of *kind* are about their connections, and nothing larger."""
    return KINDS[kind].subject is SubjectKind.CONNECTION


def keys_of(kind: AlertKind, facts: Mapping[str, Any], about: Iterable[int]) -> frozenset[Key]:
    """Return what an alert is about: two that share a key may speak of one trouble."""
    match KINDS[kind].subject:
        case SubjectKind.CONNECTION:
            return frozenset(about)
        case SubjectKind.LINK | SubjectKind.NONE:
            # A shortage of our own has its own end: that the link is back says nothing of it.
            return frozenset({str(facts.get(SHORTAGE) or "monitor")})
        case named:
            return frozenset({str(facts.get(named.value))})
