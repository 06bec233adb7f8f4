"""Decide what of all that is due is announced, on which channels, and what must wait.

Pure: what was announced before and which silences last are arguments. Who wants an alert is
decided in `routing`, what suppresses it in `suppression`; sending is left to `monitor.notify`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitor.judge.alerts import (
    ABOUT_NO_CONNECTION,
    CLOSED_BY,
    KINDS,
    OPENED_BY,
    AlertKind,
    Fact,
    is_reminded,
)
from monitor.judge.connections import OWNER_FILE
from monitor.judge.outcome import Reason
from monitor.judge.routing import named_on, route
from monitor.judge.suppression import find_suppression

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime, timedelta

    from monitor.judge.alerts import AlertDue
    from monitor.judge.connections import Watched
    from monitor.judge.routing import ChannelRoute, Subject
    from monitor.judge.suppression import Silence, Suppression


@dataclass(frozen=True, slots=True)
class Proposal:
    """An alert that something makes due; whether it is announced is decided by `dispatch`.

    Args:
        about: The names of the connections, by their ids; empty for what concerns none.
        check: Which check of a batch raised it for its own sake; None for a common cause.
        account: The account whose quota it is about.
        only: The channels to choose from; None for all.
    """

    alert: AlertDue
    about: Mapping[int, str]
    at: datetime
    check: int | None = None
    account: str | None = None
    only: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Joining:
    """One more connection of which the latest alert on its account's quota is to speak."""

    account: str
    number: int
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NewNotification:
    """An alert as one channel is to receive it.

    Args:
        send_at: Not before that, so that others of its kind can join it.
        hold: What suppresses it; None if it may go.
    """

    channel: str
    due_since: datetime
    send_at: datetime
    hold: Suppression | None = None


@dataclass(slots=True)
class NewAlert:
    """An alert that is announced, before it is stored.

    Args:
        remind_at: When people are reminded of it first; None for never.
    """

    alert: AlertDue
    about: dict[int, str]
    born_at: datetime
    notifications: list[NewNotification] = field(default_factory=list)
    remind_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DispatchContext:
    """What dispatching depends on.

    Args:
        watched: The settings of all connections that alerts may be about, by name.
        silences: All that last at any of the instants in question.
        opened: By the kind that would close them: the alerts about each connection that
            went out to a channel and were not closed yet. Kinds that nothing is to close
            are absent.
    """

    channels: Sequence[ChannelRoute]
    watched: Mapping[str, Watched]
    silences: Sequence[Silence]
    opened: Mapping[AlertKind, Mapping[int, Sequence[int]]]
    group_wait: timedelta
    remind_every: timedelta


def dispatch(
    proposals: Sequence[Proposal | Joining],
    context: DispatchContext | None,
    withdrawn: Collection[int] = (),
) -> list[NewAlert | None]:
    """Return for each of *proposals*, in their order, the alert to store; None for none.

    - An end is announced only of what was announced.
    - A renewal that is announced needs no recovery beside it.
    - What speaks for one more connection is no alert of its own.

    Args:
        context: None where nothing can be due.
        withdrawn: Alerts that are taken back meanwhile: they announced nothing.
    """
    if not proposals:
        return []
    assert context is not None, "what announcing depends on was not read"
    announced = _Announced(context.opened, withdrawn)
    latest: dict[str, NewAlert] = {}
    renewed: set[int | None] = set()
    made: list[NewAlert | None] = []
    for each in proposals:
        if isinstance(each, Joining):
            if each.account in latest:
                _join(latest[each.account], each, context)
            made.append(None)
            continue
        kind = each.alert.kind
        is_needless = kind is AlertKind.RECOVERED and each.check in renewed
        if is_needless or not _is_due(each, announced):
            made.append(None)
            continue
        new = _make(each, context)
        made.append(new)
        announced.note(new)
        if each.account is not None:
            latest[each.account] = new
        if kind is AlertKind.RENEWED and each.check is not None:
            renewed.add(each.check)
    return made


class _Announced:
    """What was announced and is not closed, as it changes while a batch is dispatched."""

    def __init__(
        self,
        opened: Mapping[AlertKind, Mapping[int, Sequence[int]]],
        withdrawn: Collection[int],
    ) -> None:
        gone = set(withdrawn)
        self._open = {
            kind: {number for number, alerts in known.items() if not gone.issuperset(alerts)}
            for kind, known in opened.items()
        }

    def is_any(self, closing: AlertKind, about: Collection[int]) -> bool:
        return not self._open[closing].isdisjoint(about)

    def note(self, new: NewAlert) -> None:
        kind = new.alert.kind
        for closing, open_ in self._open.items():
            if kind in CLOSED_BY[closing]:
                open_.difference_update(new.about)
            if kind in OPENED_BY[closing] and new.notifications:
                open_.update(new.about)


def _is_due(proposal: Proposal, announced: _Announced) -> bool:
    kind = proposal.alert.kind
    if kind not in OPENED_BY or kind in ABOUT_NO_CONNECTION:
        return True
    return announced.is_any(kind, proposal.about)


def _make(proposal: Proposal, context: DispatchContext) -> NewAlert:
    known = context.watched
    watched = [known[name] for name in proposal.about.values() if name in known]
    alert = proposal.alert
    alert = replace(alert, facts=alert.facts | _facts_of(alert, watched))
    subjects = [one.subject for one in watched]
    routed = route(alert, subjects, context.channels)
    channels = [name for name in routed if proposal.only is None or name in proposal.only]
    remind_at = proposal.at + context.remind_every if channels and is_reminded(alert) else None
    return NewAlert(
        alert,
        dict(proposal.about),
        proposal.at,
        _notifications(alert, subjects, channels, context, proposal.at),
        remind_at,
    )


def _facts_of(alert: AlertDue, watched: Sequence[Watched]) -> dict[str, str | bool | None]:
    """Return what the words of an alert need to know of the connections it is about."""
    facts: dict[str, str | bool | None] = {}
    needs = KINDS[alert.kind].needs
    if Fact.RENEW_URL in needs and _is_of_authorization(alert):
        pages = {(one.renew_url, one.can_renew_here) for one in watched}
        # Each store has a page of its own: that of one would not renew another.
        url, is_here = pages.pop() if len(pages) == 1 else (None, False)
        facts |= {"can_renew_here": True} if is_here else {"renew_url": url}
    providers = {one.provider for one in watched}
    if Fact.PROVIDER in needs and len(providers) == 1:
        facts["provider"] = providers.pop()
    owners = {one.owner for one in watched}
    if Fact.OWNER in needs and owners - {OWNER_FILE}:
        facts["owner"] = owners.pop() if len(owners) == 1 else None
    if Fact.CONNECTION in needs and len(watched) == 1:
        facts["connection"] = watched[0].subject.name
    if len(watched) == 1 and watched[0].notes.strip():
        facts["notes"] = watched[0].notes
    return facts


def _is_of_authorization(alert: AlertDue) -> bool:
    """Tell whether a renewal ends what *alert* speaks of: of errors, a revoked authorization."""
    reason = alert.facts.get("reason")
    return alert.kind is not AlertKind.ERROR or reason == Reason.AUTHORIZATION_REVOKED


def _notifications(
    alert: AlertDue,
    subjects: Sequence[Subject],
    names: Collection[str],
    context: DispatchContext,
    now: datetime,
) -> list[NewNotification]:
    send_at = now + context.group_wait
    return [
        NewNotification(
            channel.name,
            now,
            send_at,
            find_suppression(
                alert.severity,
                named_on(channel, subjects),
                channel.quiet_hours,
                context.silences,
                now,
            ),
        )
        for channel in context.channels
        if channel.name in names
    ]


def _join(new: NewAlert, joining: Joining, context: DispatchContext) -> None:
    """Let *new* speak for one more connection, on its channels as well."""
    now = joining.at
    if joining.number not in new.about:
        subject = context.watched[joining.name].subject
        routed = route(new.alert, [subject], context.channels)
        known = {one.channel for one in new.notifications}
        added = [name for name in routed if name not in known]
        new.about[joining.number] = joining.name
        new.notifications += _notifications(new.alert, [subject], added, context, now)
    # What a silence of the others suppressed is not about them alone any more.
    subjects = [context.watched[n].subject for n in new.about.values() if n in context.watched]
    channels = {channel.name: channel for channel in context.channels}
    for place, one in enumerate(new.notifications):
        if one.hold is None:
            continue
        channel = channels[one.channel]
        hold = find_suppression(
            new.alert.severity,
            named_on(channel, subjects),
            channel.quiet_hours,
            context.silences,
            now,
        )
        released = NewNotification(one.channel, now, now)
        new.notifications[place] = released if hold is None else replace(one, hold=hold)
