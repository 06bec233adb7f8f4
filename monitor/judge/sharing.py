"""Judge quotas and forecasts account by account: what is one account's is announced once.

Takes the checks of a batch one after another: one may change what is known of the quota of
another. What a single connection would announce is decided in `quota` and `forecast`, and so is who
of an account announces it. Pure: the other connections of accounts were read before.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitor.judge.dispatch import Joining, Proposal
from monitor.judge.forecast import (
    forecast,
    is_forecast_announced,
    judge_forecast,
    note_sample,
    resolve_shared,
    should_look_ahead,
    take_sample,
)
from monitor.judge.quota import judge_quota, window_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.judge.alerts import AlertDue
    from monitor.judge.checks import JudgedCheck
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.forecast import Forecast, Outlook, QuotaSample
    from monitor.judge.quota import Quota

WindowKey = tuple[int, str]
"""A connection's id, and the name of one window of its quota."""


@dataclass(frozen=True, slots=True)
class Member:
    """A connection of an account, as it was before the batch."""

    id: int
    name: str
    quota: Quota


def account_key_of(record: ConnectionRecord, account: str | None) -> str | None:
    """Return what a connection shares with the others of its account, *account* being its name."""
    if account is None:
        return record.account_key
    return f"{record.provider}|{record.host}|{account}"


@dataclass(slots=True)
class SharedQuotas:
    """What is known of quotas after a batch.

    Args:
        proposals: What each check makes due, by its place; most make nothing due.
        shown: The quota that each check has led to.
        before: What was known of each connection's quota before the batch.
        latest: What is known of it in the end.
        keys: The accounts of the connections of the batch.
        shared: The account of each connection that was told of by another one.
    """

    proposals: dict[int, list[Proposal | Joining]] = field(default_factory=dict)
    shown: list[Quota] = field(default_factory=list)
    before: dict[int, Quota] = field(default_factory=dict)
    latest: dict[int, Quota] = field(default_factory=dict)
    keys: dict[int, str | None] = field(default_factory=dict)
    shared: dict[int, str] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)

    def note(self, one: JudgedCheck, quota: Quota) -> None:
        """Keep what one check has led to."""
        number = one.record.id
        self.before.setdefault(number, one.quota_before)
        self.latest[number] = quota
        if one.outcome.account is not None or number not in self.keys:
            self.keys[number] = account_key_of(one.record, one.outcome.account)
        self._names[number] = one.record.name

    def share(self, member: Member, quota: Quota, key: str) -> None:
        """Keep what another connection's check means for one of the same account."""
        self.before.setdefault(member.id, member.quota)
        self.latest[member.id] = quota
        self.shared[member.id] = key

    def members_of(self, known: Mapping[int, Member], key: str, but: int) -> list[Member]:
        """Return the other connections of an account, as the batch has left them so far.

        Args:
            known: Those that it had before the batch.
        """
        here = {
            number: replace(member, quota=self.latest.get(number, member.quota))
            for number, member in known.items()
            if self.keys.get(number, key) == key
        }
        for number, now in self.keys.items():
            if now == key and number not in here:
                here[number] = Member(number, self._names[number], self.latest[number])
        return [here[number] for number in sorted(here) if number != but]


def share_quotas(
    checks: Sequence[JudgedCheck], accounts: Mapping[str, Mapping[int, Member]]
) -> SharedQuotas:
    """Judge the quotas of *checks*, one after another.

    Args:
        accounts: The connections of those accounts of which something may be due.
    """
    shared = SharedQuotas()
    for place, one in enumerate(checks):
        before, verdict = shared.latest.get(one.record.id, one.quota_before), one.quota
        if before is not one.quota_before:
            verdict = judge_quota(before, one.outcome, one.watched.rules, one.at)
        shared.note(one, verdict.quota)
        for alert in verdict.alerts:
            _assign_shared(shared, place, one, alert, before, accounts)
        # The quota as this check has left it: an alert it shares changes others only.
        shared.shown.append(verdict.quota)
    return shared


def _assign_shared(
    shared: SharedQuotas,
    place: int,
    one: JudgedCheck,
    alert: AlertDue,
    before: Quota,
    accounts: Mapping[str, Mapping[int, Member]],
) -> None:
    """Propose a quota alert for all connections of the account, unless one of them has."""
    record, key = one.record, shared.keys[one.record.id]
    siblings = [] if key is None else shared.members_of(accounts[key], key, record.id)
    agreed = resolve_shared(
        alert,
        before,
        shared.latest[record.id],
        [(sibling.id, sibling.quota) for sibling in siblings],
    )
    if key is not None:
        for sibling in siblings:
            if sibling.id in agreed.changed:
                shared.share(sibling, agreed.changed[sibling.id], key)
    proposals = shared.proposals.setdefault(place, [])
    if agreed.alert is not None:
        named = {sibling.id: sibling.name for sibling in siblings if sibling.id in agreed.named}
        about = {record.id: record.name} | named
        proposals.append(Proposal(agreed.alert, about, one.at, place, key))
    elif key is not None:
        proposals.append(Joining(key, record.id, record.name, one.at))


# --- what is foreseen


@dataclass(frozen=True, slots=True)
class Ahead:
    """What one check is worth noting of a quota.

    Args:
        place: Which check of the batch.
        previous: What was foreseen before the batch.
        is_looking: It is time to look ahead.
        forecast: What is foreseen by that.
    """

    place: int
    check: JudgedCheck
    previous: Outlook
    sample: QuotaSample
    is_looking: bool
    forecast: Forecast | None = None

    @property
    def key(self) -> WindowKey:
        """Return which window of whose quota it is about."""
        return self.check.record.id, self.previous.window


def find_unknown(checks: Sequence[JudgedCheck]) -> list[WindowKey]:
    """Return the windows that decide since just now, so that it is not known what they hold."""
    return [
        (one.record.id, one.quota.quota.known.name)
        for one in checks
        if one.quota.quota.known.name != one.record.outlook.window
        and one.quota.quota.seen_at == one.at
    ]


def take_samples(
    checks: Sequence[JudgedCheck], outlooks: Mapping[WindowKey, Outlook]
) -> list[Ahead]:
    """Return what is worth noting of the quotas that *checks* have read.

    Args:
        outlooks: What is foreseen of the windows that `find_unknown` has named.
    """
    latest: dict[WindowKey, Outlook] = {}
    found = []
    for place, one in enumerate(checks):
        quota, record = one.quota.quota, one.record
        if quota.seen_at != one.at:
            continue
        key = (record.id, quota.known.name)
        known = record.outlook if record.outlook.window == key[1] else outlooks[key]
        previous = latest.get(key, known)
        sample = take_sample(previous, quota, one.watched.rules, one.at)
        if sample is not None:
            latest[key] = note_sample(previous, sample)
            found.append(Ahead(place, one, known, sample, should_look_ahead(latest[key])))
    return found


def look_ahead(
    aheads: Sequence[Ahead], samples: Mapping[WindowKey, Sequence[QuotaSample]]
) -> list[Ahead]:
    """Return *aheads* with what is foreseen.

    Args:
        samples: What was noted before, of the windows where it is time to look ahead.
    """
    return [
        replace(one, forecast=forecast([*samples[one.key], one.sample], one.check.at))
        if one.is_looking
        else one
        for one in aheads
    ]


def find_short(aheads: Sequence[Ahead]) -> list[Ahead]:
    """Return those that are announced if no other connection of the account has done so."""
    return [one for one in aheads if _judge_ahead(one, one.previous)[1] is not None]


def _judge_ahead(one: Ahead, previous: Outlook) -> tuple[Outlook, AlertDue | None]:
    outlook = note_sample(previous, one.sample)
    if not one.is_looking:
        return outlook, None
    return judge_forecast(outlook, one.forecast, one.check.at)


@dataclass(slots=True)
class ForecastVerdict:
    """What is foreseen of quotas after a batch.

    Args:
        new: Of windows of which nothing was foreseen before.
        known: Of the others.
    """

    proposals: list[Proposal] = field(default_factory=list)
    samples: list[tuple[int, str, QuotaSample]] = field(default_factory=list)
    new: dict[WindowKey, Outlook] = field(default_factory=dict)
    known: dict[WindowKey, Outlook] = field(default_factory=dict)

    def find(self, key: WindowKey) -> Outlook | None:
        """Return what is foreseen of a window since this batch."""
        return self.known.get(key) or self.new.get(key)

    def keep(self, key: WindowKey, outlook: Outlook, *, is_new: bool) -> None:
        """Foresee something else of a window."""
        (self.new if is_new or key in self.new else self.known)[key] = outlook


def forecast_quotas(
    aheads: Sequence[Ahead],
    shared: SharedQuotas,
    accounts: Mapping[str, Mapping[int, Member]],
    outlooks: Mapping[WindowKey, Outlook],
) -> ForecastVerdict:
    """Note what was left, and propose what is foreseen of it, once an account.

    Args:
        accounts: The connections of those accounts of which something may be due.
        outlooks: What is foreseen of their windows.
    """
    foreseen = ForecastVerdict()
    for one in aheads:
        previous = foreseen.find(one.key) or one.previous
        outlook, alert = _judge_ahead(one, previous)
        foreseen.samples.append((*one.key, one.sample))
        foreseen.keep(one.key, outlook, is_new=previous.sample is None)
        if alert is not None:
            peers = _find_peers(one, shared, accounts)
            _propose_forecast(foreseen, one, alert, outlook, peers, outlooks)
    return foreseen


def _find_peers(
    one: Ahead, shared: SharedQuotas, accounts: Mapping[str, Mapping[int, Member]]
) -> list[Member]:
    """Return the other connections that share the period of a quota, and its window."""
    number, quota = one.check.record.id, shared.shown[one.place]
    key = shared.keys[number]
    if key is None:
        return []
    members = shared.members_of(accounts[key], key, number)
    windows = [(member, member.quota.of_window(quota.known.name)) for member in members]
    return [member for member, window in windows if window and window.shares_period_with(quota)]


def _propose_forecast(
    foreseen: ForecastVerdict,
    one: Ahead,
    alert: AlertDue,
    outlook: Outlook,
    peers: Sequence[Member],
    outlooks: Mapping[WindowKey, Outlook],
) -> None:
    """Propose a forecast for all connections of the account, unless one of them announced it."""
    keys = [(peer.id, outlook.window) for peer in peers]
    known_of = [foreseen.find(key) or outlooks[key] for key in keys]
    if is_forecast_announced(outlook, [known.told for known in known_of], one.check.at):
        return
    for key, known in zip(keys, known_of, strict=True):
        if known.sample is not None:
            foreseen.keep(key, replace(known, told=outlook.told), is_new=False)
    record = one.check.record
    about = {record.id: record.name} | {peer.id: peer.name for peer in peers}
    quota = one.check.quota.quota
    alert = replace(alert, facts=alert.facts | window_facts(quota.known))
    foreseen.proposals.append(Proposal(alert, about, one.check.at, one.place))
