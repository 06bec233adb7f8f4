"""
Carry out what people order about being told: take on a trouble, silence, and back.

For commands and for the web, each in one transaction of theirs. What a silence
covers is decided in `judge.silence`, what happens to alerts meanwhile and
afterwards in `holding`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.alert.texts.reasons import REASONS
from monitor.holding import hold_unsent, review_held
from monitor.judge.outcome import State
from monitor.judge.quota import Level
from monitor.judge.silence import Scope
from monitor.store import acknowledgements, silences
from monitor.store.connections import list_records

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta

    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.silence import Silence
    from monitor.plan import Plan
    from monitor.store.acknowledgements import Acknowledgement
    from monitor.store.engine import Transaction

SILENT, TAKEN_ON = "silenced", "taken on"

MOST_LISTED = 200
"""How many acknowledgements are looked at for a list of them."""


def find_trouble(record: ConnectionRecord, plan: Plan) -> str | None:
    """
    Return the few words for what people are reminded of; None where nothing is wrong.
    """
    if record.standing.state in {State.ERROR, State.EXPIRED}:
        return REASONS[record.standing.reason].name
    rules = plan.watched[record.name].rules
    return "quota used up" if record.quota.level(rules) is Level.EXHAUSTED else None


def take_on(
    tx: Transaction, record: ConnectionRecord, plan: Plan, given: Acknowledgement
) -> str | None:
    """
    Keep that somebody takes care of a trouble; return its words, None if there is none.
    """
    trouble = find_trouble(record, plan)
    if trouble is not None:
        acknowledgements.save(tx, record.id, given)
    return trouble


def find_taken_on(
    tx: Transaction, record: ConnectionRecord, plan: Plan, now: datetime
) -> Acknowledgement | None:
    """
    Return who has taken on the present trouble of a connection, if somebody has.
    """
    if find_trouble(record, plan) is None:
        return None
    return acknowledgements.find_current(tx, record.id, now)


@dataclass(frozen=True, slots=True)
class TakenOn:
    """
    A trouble that somebody takes care of.
    """

    name: str
    trouble: str
    given: Acknowledgement


def list_taken_on(
    tx: Transaction, plan: Plan, now: datetime, among: Collection[str] | None = None
) -> list[TakenOn]:
    """
    Return the troubles that last and are taken on, the latest word first.

    Args:
        among: The connections that are wanted; None for all.
    """
    names = acknowledgements.list_names(tx, now, MOST_LISTED)
    if among is not None:
        names = [name for name in names if name in among]
    records = {record.name: record for record in list_records(tx, names)} if names else {}
    found = []
    for name in names:
        if name not in plan.watched:
            continue
        trouble = find_trouble(records[name], plan)
        given = find_taken_on(tx, records[name], plan, now)
        if trouble is not None and given is not None:
            found.append(TakenOn(name, trouble, given))
    return found


def list_held_back(
    tx: Transaction, plan: Plan, names: Collection[str], now: datetime
) -> dict[str, str]:
    """
    Return which of *names* nobody is told or reminded of, each with the word for why.
    """
    lasting = silences.list_lasting(tx, now)
    silent = {name: SILENT for name in names if list_covering(lasting, name, plan)}
    return silent | {one.name: TAKEN_ON for one in list_taken_on(tx, plan, now, names)}


@dataclass(frozen=True, slots=True)
class Begun:
    """
    A silence that has just begun.

    Args:
        n_held: How many messages it holds back that were about to be sent.
    """

    id: int
    ends_at: datetime
    n_held: int


def begin_silence(  # noqa: PLR0913, PLR0917 - what a silence is made of
    tx: Transaction,
    plan: Plan,
    scope: Scope,
    target: str | None,
    length: timedelta,
    reason: str,
    now: datetime,
) -> Begun:
    """
    Tell nobody of something for a while.
    """
    number = silences.add(tx, scope, target, reason, now, now + length)
    return Begun(number, now + length, hold_unsent(tx, plan, now))


def end_silence(tx: Transaction, plan: Plan, number: int, now: datetime) -> int | None:
    """
    End a silence early; return how much is told by that, None if it did not last.
    """
    if not silences.end(tx, number, now):
        return None
    return review_held(tx, plan, now, all_of_it=True)


def say_what(scope: Scope, target: str | None) -> str:
    """
    Return what a silence is about.
    """
    return {Scope.ALL: "everything", Scope.TAG: f"tag {target}"}.get(scope, str(target))


def list_covering(lasting: list[Silence], name: str, plan: Plan) -> list[Silence]:
    """
    Return those of *lasting* that keep back what is told of one connection.
    """
    subject = plan.watched[name].subject
    return [silence for silence in lasting if silence.covers(subject)]
