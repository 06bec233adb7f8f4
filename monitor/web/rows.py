"""
Prepare connections for the list and for their own pages: words, bars, buttons.

Decides what stands on a button where somebody is needed. Everything in here is
worked out anew for each page; nothing asks the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from monitor.alert.words import say_day
from monitor.config.amazon import AmazonConnection
from monitor.consent import NEEDS, Need
from monitor.judge.expiry import DEFAULT_VALID_DAYS
from monitor.judge.outcome import Reason, State
from monitor.judge.quota import Level
from monitor.web import wording
from monitor.web.obstacles import find_obstacle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.config.connection import Connection
    from monitor.report import Json
    from monitor.web.parts import Parts

BAD, WARN, GOOD, SOFT = "bad", "warn", "good", "soft"


@dataclass(frozen=True, slots=True)
class Bar:
    """
    A figure with a bar below it.

    Args:
        percent: How much of the bar is filled; None for no bar.
        tone: `good`, `warn`, `bad` or `soft`.
        remark: A few quiet words below.
        hover: The exact value.
    """

    text: str
    percent: int | None
    tone: str
    remark: str = ""
    hover: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """
    One connection as a page shows it.

    Args:
        each: What `monitor.report` says of it.
        path: The path of its own page.
        look: Its state, or `soon` where an end comes near.
        trouble: What is wrong, and what to do.
        can_renew: A handshake with Amazon would help, and is possible.
        renew_url: A page outside on which it can be renewed.
    """

    each: Json
    path: str
    look: str
    place: str
    marketplaces: tuple[str, ...]
    days: Bar | None
    quota: Bar | None
    checked_at: datetime | None
    checked: str
    since: str
    trouble: tuple[str, str] | None
    is_needing: bool
    can_renew: bool
    renew_url: str | None


def path_of(name: str) -> str:
    """
    Return the path of a connection's page.
    """
    return f"/connections/{quote(name, safe='')}"


def make_rows(parts: Parts, found: Sequence[Json], now: datetime) -> list[Row]:
    """
    Return the rows of *found*.
    """
    return [make_row(parts, each, now) for each in found]


def make_row(parts: Parts, each: Json, now: datetime) -> Row:
    """
    Return the row of one connection.
    """
    connection = parts.config.connection(each["name"])
    region = connection.region.value if isinstance(connection, AmazonConnection) else None
    checked_at = wording.read(each["checked_at"])
    is_needing = _is_needing(each)
    wants_renewal = is_needing and _wants_renewal(each)
    can_renew = wants_renewal and _can_shake_hands(parts, connection)
    trouble = wording.say_trouble(each, now)
    if trouble is not None and can_renew:
        trouble = trouble[0], wording.HANDSHAKE_STEP
    return Row(
        each=each,
        path=path_of(each["name"]),
        look="soon" if each["expiring_soon"] and each["state"] == State.ACTIVE else each["state"],
        place=wording.say_place(each, region),
        marketplaces=_marketplaces(each, connection),
        days=_days(each, connection, now),
        quota=_quota(each, now),
        checked_at=checked_at,
        checked="never" if checked_at is None else wording.say_ago(checked_at, now),
        since=wording.say_since(each, now),
        trouble=trouble,
        is_needing=is_needing,
        can_renew=can_renew,
        renew_url=connection.renew_url if wants_renewal and connection is not None else None,
    )


def _is_needing(each: Json) -> bool:
    """
    Tell whether somebody has to do something.
    """
    if each["state"] == State.PAUSED:
        return False
    level = each["quota"] and each["quota"]["level"]
    return (
        each["state"] in {State.ERROR, State.EXPIRED}
        or each["expiring_soon"]
        or each["renewal_unrecorded"]
        or level == Level.EXHAUSTED
    )


def _wants_renewal(each: Json) -> bool:
    if each["state"] in {State.ERROR, State.EXPIRED}:
        return NEEDS.get(Reason(each["reason"])) is Need.AUTHORIZE
    return bool(each["expiring_soon"])


def _can_shake_hands(parts: Parts, connection: Connection | None) -> bool:
    return isinstance(connection, AmazonConnection) and not find_obstacle(parts.config, connection)


def _marketplaces(each: Json, connection: Connection | None) -> tuple[str, ...]:
    if each["marketplaces"] is not None:
        return tuple(one["country"] for one in each["marketplaces"] if one["participating"])
    if isinstance(connection, AmazonConnection):
        return tuple(connection.marketplaces or ())
    return ()


def _days(each: Json, connection: Connection | None, now: datetime) -> Bar | None:
    ends = [one for one in each["clocks"] if one["kind"] != "client_secret"]
    if not ends:
        if each["renewal_unrecorded"]:
            return Bar("end unknown", None, WARN, "record the renewal")
        return None
    first = min(ends, key=lambda one: one["ends_at"])
    ends_at = wording.read(first["ends_at"])
    assert ends_at is not None, "a clock has an end"
    days = first["days_left"]
    whole = (connection.valid_days if connection else 0) or DEFAULT_VALID_DAYS
    tone = GOOD
    if each["expiring_soon"] or days < 0:
        tone = BAD if days < wording.NEAR_END_DAYS else WARN
    elif each["state"] in {State.ERROR, State.EXPIRED}:
        # What is refused has no good days left.
        tone = SOFT
    return Bar(
        wording.say_days_left(days),
        max(0, min(100, round(days * 100 / whole))),
        tone,
        f"until {say_day(ends_at)}" if ends_at > now else say_day(ends_at),
        wording.say_exactly(ends_at),
    )


def _quota(each: Json, now: datetime) -> Bar | None:
    quota = each["quota"]
    if quota is None:
        return None
    percent = None
    if quota["limit"] and quota["remaining"] is not None:
        percent = max(0, min(100, round(quota["remaining"] * 100 / quota["limit"])))
    tone = {Level.LOW: WARN, Level.EXHAUSTED: BAD, None: SOFT}.get(quota["level"], GOOD)
    if tone == GOOD and wording.runs_out_early(quota):
        tone = WARN
    resets_at = wording.read(quota["resets_at"])
    return Bar(
        wording.say_quota(quota),
        percent,
        tone,
        wording.say_forecast(quota, now),
        "" if resets_at is None else f"resets {wording.say_exactly(resets_at)}",
    )
