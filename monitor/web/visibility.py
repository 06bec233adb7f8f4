"""Decide what people see who are limited to groups, beside the connections of these.

Of channels they see those that are there for their groups alone, of silences those of their
connections and groups. What concerns connwatch itself, or everybody, is not shown to them.
"""

# ruff: noqa: TC001 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Depends
from starlette.exceptions import HTTPException

from monitor.judge.conditions import ConditionKind
from monitor.judge.suppression import Scope
from monitor.store.history import OnlyOf
from monitor.store.overview import has_group, list_used_groups
from monitor.web.sessions import Who

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.judge.access import Access
    from monitor.judge.conditions import Condition
    from monitor.judge.suppression import Silence
    from monitor.store.engine import Transaction
    from monitor.web.parts import Parts


def refuse_limited(who: Who) -> None:
    """Refuse what concerns all groups to those who are limited to some.

    Raises:
        HTTPException: They are.
    """
    if not who.access.sees_all:
        raise HTTPException(
            HTTPStatus.FORBIDDEN, "Your access is limited to some groups, and this is about all."
        )


for_all_groups = Depends(refuse_limited)
"""What routes depend on that are not for people who are limited to groups."""


def channels_of(here: Parts, access: Access) -> list[str]:
    """Return the names of the channels that somebody sees."""
    return [
        one.name
        for one in here.plan.channels
        if access.groups is None or (one.groups and one.groups <= access.groups)
    ]


def only_of(here: Parts, access: Access) -> OnlyOf | None:
    """Return whose alerts somebody sees; None for all."""
    if access.groups is None:
        return None
    return OnlyOf(access.groups, frozenset(channels_of(here, access)))


def limited_to(access: Access, group: str) -> Access:
    """Return what somebody sees on the page of a group that they see."""
    return replace(access, groups=frozenset({group}))


def require_group(tx: Transaction, here: Parts, access: Access, name: str) -> None:
    """Make sure that there is a group called *name*, and that somebody sees it.

    Raises:
        HTTPException: There is none that they may see.
    """
    is_known = any(one.name == name for one in here.config.groups) or has_group(tx, name)
    if not is_known or not access.sees(name):
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no group of this name.")


def list_groups(tx: Transaction, here: Parts, access: Access) -> list[str]:
    """Return the groups that somebody sees, those of the file first, in its order."""
    known = dict.fromkeys((*(one.name for one in here.config.groups), *list_used_groups(tx)))
    return [name for name in known if access.sees(name)]


def seen_silences(
    tx: Transaction, here: Parts, access: Access, silences: Iterable[Silence]
) -> list[Silence]:
    """Return those of *silences* that somebody sees."""
    silences = list(silences)
    if access.sees_all:
        return silences
    names = {one.target for one in silences if one.scope is Scope.CONNECTION and one.target}
    seen = {
        name
        for name, watched in here.plan.watched_of(tx, names).items()
        if access.sees(watched.subject.group)
    }
    return [
        one
        for one in silences
        if (one.scope is Scope.CONNECTION and one.target in seen)
        or (one.scope is Scope.GROUP and access.sees(one.target))
    ]


def seen_conditions(
    here: Parts, access: Access, conditions: Sequence[Condition]
) -> list[Condition]:
    """Return those of *conditions* that somebody sees, with what they say of others left out."""
    if access.sees_all:
        return list(conditions)
    channels = set(channels_of(here, access))
    found = []
    for one in conditions:
        match one.kind:
            case ConditionKind.NO_CHANNEL:
                found.append(one)
            case ConditionKind.MUTED_ALL:
                found.append(replace(one, reason="", n_held=0, silences=()))
            case ConditionKind.CHANNEL_FAILED:
                failing = tuple(each for each in one.failing if each.name in channels)
                if failing:
                    found.append(replace(one, failing=failing))
            case ConditionKind.RELOAD_FAILED:
                pass
    return found
