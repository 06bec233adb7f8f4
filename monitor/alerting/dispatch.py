"""Announce what is due: read what that depends on, have it decided, store it.

Decides nothing: what is announced, on which channels, and what must wait is decided in
`judge.dispatch`. A batch of checks takes the same road (`engine.batch`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from monitor.judge.alerts import ABOUT_NO_CONNECTION, OPENED_BY
from monitor.judge.dispatch import DispatchContext, Proposal, dispatch
from monitor.store import alerts, suppression

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from monitor.config.plan import Plan
    from monitor.judge.alerts import AlertDue, AlertKind
    from monitor.judge.connections import Watched
    from monitor.store.engine import Transaction

Ends = Iterable[tuple["AlertKind", "Mapping[int, str]"]]
"""Kinds of alert that close others, and the connections that each is about."""


def dispatch_alert(
    tx: Transaction,
    alert: AlertDue,
    about: Mapping[int, str],
    plan: Plan,
    now: datetime,
    only: Collection[str] | None = None,
) -> int | None:
    """Store an alert and its notifications; return its id, or None for an end of nothing announced.

    Args:
        about: The names of the connections, by their ids; empty for what concerns none.
        only: The channels to choose from; None for all.
    """
    return dispatch_all(tx, [Proposal(alert, about, now, only=only)], plan, now)[0]


def dispatch_all(
    tx: Transaction, proposals: Sequence[Proposal], plan: Plan, now: datetime
) -> list[int | None]:
    """Store those of *proposals* that are announced; return the ids, None for the others."""
    if not proposals:
        return []
    watched = plan.watched_of(tx, {name for one in proposals for name in one.about.values()})
    ends = [(one.alert.kind, one.about) for one in proposals if one.alert.kind in OPENED_BY]
    return alerts.add_all(tx, dispatch(proposals, load_context(tx, plan, watched, ends, now)))


def load_context(
    tx: Transaction, plan: Plan, watched: Mapping[str, Watched], ends: Ends, since: datetime
) -> DispatchContext:
    """Read what dispatching depends on.

    Args:
        watched: The settings of all connections that alerts may be about.
        ends: The alerts that would close others: only of what was announced is an end announced.
        since: Silences that have ended before do not matter.
    """
    opened: dict[AlertKind, dict[int, list[int]]] = {}
    single: dict[AlertKind, set[int]] = {}
    for kind, about in ends:
        opened.setdefault(kind, {})
        if kind in ABOUT_NO_CONNECTION:
            continue
        if len(about) == 1:
            single.setdefault(kind, set()).update(about)
        else:  # one that was announced is enough
            opened[kind] |= alerts.list_opened(tx, about, kind, is_any=True)
    for kind, numbers in single.items():
        opened[kind] |= alerts.list_opened(tx, numbers, kind)
    return DispatchContext(
        plan.channels,
        watched,
        suppression.list_active_silences(tx, since),
        opened,
        plan.group_wait,
        plan.remind_every,
    )
