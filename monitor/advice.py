"""
Say what somebody should do about a connection that was just checked.

Decides which of its troubles deserve advice; the words are those of alerts, and
the pages come from `consent`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.alert.texts import of_one, of_quota, reasons
from monitor.alert.words import explain, name_command
from monitor.consent import NEEDS, Need, find_page
from monitor.judge.outcome import Reason, State
from monitor.judge.quota import Level
from monitor.report import CLIENT_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.config.application import Application
    from monitor.config.connection import Connection
    from monitor.consent import Page
    from monitor.report import Json
    from monitor.validation import Answered

_QUOTA_STEPS = {
    Level.LOW: of_quota.QUOTA_LOW_STEP,
    Level.EXHAUSTED: of_quota.QUOTA_EXHAUSTED_STEP,
}


@dataclass(frozen=True, slots=True)
class Advice:
    """
    What to do, by whom, and where.
    """

    remedy: str
    page: Page | None


def advise(
    answered: Answered, connection: Connection, application: Application | None, state: str
) -> list[Advice]:
    """
    Return what to do, the most urgent first; nothing where all is well.

    Args:
        state: A random word for the consent page.
    """
    advice = []
    needs: set[Need] = set()
    for remedy, need in _troubles(answered):
        if need is not None and need in needs:
            continue
        needs |= {need} if need is not None else set()
        page = need and find_page(connection, application, need, state)
        advice.append(Advice(remedy, page))
    return advice


def _troubles(answered: Answered) -> Iterator[tuple[str, Need | None]]:
    each = answered.each
    reason = trouble_reason(each)
    if reason is not None:
        yield explain(reason, each["provider"]).remedy, NEEDS.get(reason)
    level = each["quota"] and each["quota"]["level"]
    if level in _QUOTA_STEPS:
        yield _QUOTA_STEPS[level], Need.PAY
    if each["expiring_soon"]:
        yield of_one.EXPIRING_STEP, Need.AUTHORIZE
    if each["renewal_unrecorded"]:
        yield name_command(of_one.UNRECORDED_STEP, each["name"]), None
    ends = [one["days_left"] for one in each["clocks"] if one["kind"] == CLIENT_SECRET]
    if ends and min(ends) < answered.soon_days:
        yield reasons.REASONS[Reason.CLIENT_SECRET_EXPIRED].remedy, Need.DEVELOP


def trouble_reason(each: Json) -> Reason | None:
    """
    Return what is wrong with the connection, or with its latest check; None if nothing is.
    """
    if State(each["state"]) in {State.ERROR, State.EXPIRED}:
        return Reason(each["reason"])
    last = each["last_check"]
    return None if last is None or last["conclusive"] else Reason(last["reason"])
