"""Prepare connections for the list and for their own pages: words, bars, buttons.

Decides what stands on a button where somebody is needed. Takes the objects of
`monitor.report.status`, so that pages, commands and programs are told the same; how it
looks is left to the templates. Everything is worked out anew for each page; nothing asks
the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from monitor.config.connections import AmazonConnection, CountdownConnection
from monitor.config.registry import title_of
from monitor.config.renewal import outside_page_of
from monitor.judge.authorizations import DEFAULT_VALID_DAYS, start_of
from monitor.judge.outcome import OutcomeClass, Reason, State
from monitor.judge.quota import Level
from monitor.notify import texts
from monitor.notify.times import (
    count_days,
    format_ago,
    format_date,
    format_day,
    format_days_left,
    format_expiry,
    format_span,
    format_time,
    read_instant,
)
from monitor.notify.words import RENEWED, explain, format_number, name_command, say
from monitor.report.advice import Need, current_reason, explain_state, need_of, step_of
from monitor.report.conditions import describe_muting
from monitor.report.status import CLIENT_SECRET, EXPIRING_SOON, NEEDS_ATTENTION, needs_attention
from monitor.web.handshake import find_key_obstacle, find_own_obstacle
from monitor.web.overview import ACKNOWLEDGED, LOW_QUOTA, MUTED, RENEWAL_UNRECORDED
from monitor.web.times import end_element, with_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import tzinfo

    from monitor.config.connections import Connection
    from monitor.report.status import ClockJson, ConnectionJson, QuotaJson
    from monitor.store.engine import Transaction
    from monitor.web.parts import Parts

AMAZON, COUNTDOWN = "amazon", "countdown"
NEAR_END_DAYS = 7

COLUMNS = ("State", "Connection", "At", "Authorization", "Quota", "Last checked")
"""What stands above the list; `connection_rows.html` has a cell for each."""


def format_quota(quota: QuotaJson) -> str:
    """Return what is left of a quota."""
    remaining, limit = quota["remaining"], quota["limit"]
    text = "?" if remaining is None else format_number(remaining)
    return text if limit is None else f"{text} of {format_number(limit)}"


def format_forecast(quota: QuotaJson, now: datetime, zone: tzinfo) -> Markup:
    """Return when a quota runs out, or when its period ends."""
    exhausts_at, resets_at = read_instant(quota["exhausts_at"]), read_instant(quota["resets_at"])
    if quota["level"] == Level.EXHAUSTED:
        if resets_at is None or resets_at <= now:
            return Markup("used up")
        return Markup("used up, resets {}").format(end_element(resets_at, now, zone))
    if exhausts_at is not None and (resets_at is None or exhausts_at < resets_at):
        return Markup("runs out {}").format(format_day(exhausts_at, now))
    if resets_at is not None and resets_at > now:
        return Markup("resets {}").format(end_element(resets_at, now, zone))
    return Markup()


def runs_out_early(quota: QuotaJson) -> bool:
    """Tell whether a quota is foreseen to be used up before it is reset."""
    exhausts_at, resets_at = read_instant(quota["exhausts_at"]), read_instant(quota["resets_at"])
    return exhausts_at is not None and resets_at is not None and exhausts_at < resets_at


def format_problem(
    each: ConnectionJson, now: datetime, zone: tzinfo, *, can_renew_here: bool = False
) -> tuple[str, str] | None:
    """Return what is wrong in a few words, and what to do; None if nothing is."""
    state = State(each["state"])
    if state is State.PAUSED:
        return None
    if state in {State.ERROR, State.EXPIRED}:
        text = explain_state(each, current_reason(each), can_renew_here=can_renew_here)
        return _capital(text.name), name_command(text.remedy, each["name"])
    return (
        _format_quota_problem(each, now, zone)
        or _format_clock_problem(each, now, can_renew_here=can_renew_here)
        or _format_doubt(each)
    )


def _format_quota_problem(
    each: ConnectionJson, now: datetime, zone: tzinfo
) -> tuple[str, str] | None:
    quota = each["quota"]
    if quota is None:
        return None
    if quota["level"] == Level.EXHAUSTED:
        forecast = format_forecast(quota, now, zone)
        return Markup("Quota {}").format(forecast), say(texts.QUOTA_EXHAUSTED_STEP)
    if quota["level"] == Level.LOW:
        return f"Quota low: {format_quota(quota)} left", say(texts.QUOTA_LOW_STEP)
    if quota["level"] is not None and runs_out_early(quota):
        forecast = format_forecast(quota, now, zone)
        return Markup("Quota {}, before it resets").format(forecast), say(texts.FORECAST_STEP)
    return None


def _format_clock_problem(
    each: ConnectionJson, now: datetime, *, can_renew_here: bool
) -> tuple[str, str] | None:
    if each["expiring_soon"]:
        step = name_command(step_of(each, can_renew_here=can_renew_here), each["name"])
        first = _next_end(each)
        if first is None:
            return "Authorization expires soon", step
        expiry = format_expiry(datetime.fromisoformat(first["ends_at"]), now)
        return f"Authorization {expiry}", step
    if each["renewal_unrecorded"]:
        return "Renewal date missing", name_command(say(texts.UNRECORDED_STEP), each["name"])
    return None


def _next_end(each: ConnectionJson) -> ClockJson | None:
    """Return what ends first, client secrets aside: those are their applications'."""
    ends = (one for one in each["clocks"] if one["kind"] != CLIENT_SECRET)
    return min(ends, key=lambda one: one["ends_at"], default=None)


def _format_doubt(each: ConnectionJson) -> tuple[str, str] | None:
    """Speak of a last check without a usable response: no problem yet, but worth knowing."""
    last = each["last_check"]
    if last is None or last["conclusive"] or last["reason"] == Reason.NOT_CHECKED:
        return None
    reason = Reason(last["reason"])
    if reason.outcome_class is OutcomeClass.THROTTLED:
        return None
    times = f", {last['in_a_row']} times in a row" if last["in_a_row"] > 1 else ""
    name = _capital(explain_state(each, reason).name)
    return f"{name} at the last check{times}", "Wait: it is checked again automatically."


def format_since(each: ConnectionJson, now: datetime) -> str:
    """Return for how long it has been in its state; nothing of a pause, whose start is not kept."""
    state = State(each["state"])
    if state is State.PAUSED:
        return ""
    return f"{state} for {format_span(now - datetime.fromisoformat(each['since']))}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


BAD, WARN, GOOD, SOFT = "bad", "warn", "good", "soft"

ORDER = (
    NEEDS_ATTENTION,
    "error",
    "expired",
    EXPIRING_SOON,
    LOW_QUOTA,
    RENEWAL_UNRECORDED,
    "pending",
    "active",
    "paused",
    MUTED,
    ACKNOWLEDGED,
)
"""How the list's filters stand beside one another; each can be counted."""

LABELS = {
    NEEDS_ATTENTION: "needs attention",
    EXPIRING_SOON: "expiring soon",
    LOW_QUOTA: "low quota",
    RENEWAL_UNRECORDED: "renewal not recorded",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """What stands above the list, of all that it has on every page."""

    text: str
    tone: str


def format_headline(counts: Mapping[str, int], total: int, *, can_deliver: bool) -> Headline:
    """Return the sentence for the connections that match, whose *counts* these are.

    Args:
        can_deliver: Alerts can be sent: nothing is well while they cannot.
    """
    n, n_pending = counts[NEEDS_ATTENTION], counts["pending"]
    if total == 0:
        return Headline("0 connections match.", SOFT)
    if n:
        needing = "1 connection needs" if n == 1 else f"{format_number(n)} connections need"
        return Headline(f"{needing} attention.", BAD)
    if n_pending:
        text = f"Nothing needs attention so far; {format_number(n_pending)} not checked yet"
    elif counts["active"] == total:
        text = "All connections are healthy"
    else:
        text = "No connection needs attention"
    if not can_deliver:
        return Headline(f"{text}, but no alerts can be sent.", WARN)
    return Headline(f"{text}.", SOFT if n_pending else GOOD)


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter of the list.

    Args:
        count: How many of what is shown are such; None where another filter of its kind is
            chosen, beside which a number would be about something else.
    """

    key: str
    label: str
    count: int | None
    is_chosen: bool


def list_chips(
    counts: Mapping[str, int], of_any_state: Mapping[str, int], chosen: str
) -> list[Chip]:
    """Return the filters that something passes, and the one that is chosen.

    Args:
        counts: Of what is shown.
        of_any_state: Of what would be shown if no filter of these were chosen.
    """
    return [
        Chip(
            key,
            LABELS.get(key, key),
            counts[key] if chosen in {"", key} else None,
            key == chosen,
        )
        for key in ORDER
        if of_any_state[key] or key == chosen
    ]


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure with a bar below it.

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
class ConnectionRow:
    """One connection as a page shows it.

    Args:
        each: What `monitor.report.status` says of it.
        connection: What its owner wrote of it; None where that has changed just now.
        path: The path of its own page.
        look: Its state, or `soon` where an end comes near.
        trouble: What is wrong, and what to do.
        muting: What keeps people from being alerted of it: kinds and words.
        can_renew: A handshake with Amazon would help, and is possible.
        renew_url: A page outside on which it can be renewed.
        headline: How it is where nothing is wrong; *meaning* says why.
        is_countdown: Nothing is called: it counts from a date.
        next_expiry: What recording a renewal leads to; empty where that would invent an end.
        sign_in: As whom to sign in at Amazon.
    """

    each: ConnectionJson
    connection: Connection | None
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
    muting: tuple[tuple[str, str], ...]
    can_renew: bool
    renew_url: str | None
    headline: str
    meaning: str
    is_countdown: bool
    next_expiry: str
    sign_in: str


def path_of(name: str) -> str:
    """Return the path of a connection's page."""
    return f"/connections/{quote(name, safe='')}"


def make_rows(
    tx: Transaction,
    parts: Parts,
    found: Iterable[ConnectionJson],
    now: datetime,
    all_until: datetime | None = None,
) -> list[ConnectionRow]:
    """Return the rows of *found*; the key of handshakes is looked at once for all of them.

    Args:
        all_until: When a mute of everything ends, which the page says above.
    """

    @cache
    def has_key() -> bool:
        return find_key_obstacle(parts.config) is None

    found = list(found)
    known = parts.plan.settings.connections_of(tx, [each["name"] for each in found])
    return [
        _make_row(parts, each, known.get(each["name"]), now, has_key, all_until) for each in found
    ]


def _describe_muting(
    each: ConnectionJson, now: datetime, zone: tzinfo, all_until: datetime | None
) -> Iterator[tuple[str, str]]:
    """Return what mutes it, with its times as elements."""
    until = read_instant(each["muted_until"])
    for kind, words in describe_muting(each, now, zone, all_until):
        yield kind, with_times(words, [until], now, zone)


def make_row(tx: Transaction, parts: Parts, each: ConnectionJson, now: datetime) -> ConnectionRow:
    """Return the row of one connection."""
    return make_rows(tx, parts, [each], now)[0]


def _make_row(
    parts: Parts,
    each: ConnectionJson,
    connection: Connection | None,
    now: datetime,
    has_key: Callable[[], bool],
    all_until: datetime | None,
) -> ConnectionRow:
    region = connection.region.value if isinstance(connection, AmazonConnection) else None
    provider = title_of(each["provider"])
    checked_at, zone = read_instant(each["checked_at"]), parts.config.alerts.zone
    is_needing = needs_attention(each)
    wants_renewal = is_needing and connection is not None and _wants_renewal(each)
    can_renew = (
        wants_renewal
        and connection is not None
        and find_own_obstacle(parts.config, connection) is None
        and has_key()
    )
    return ConnectionRow(
        each=each,
        connection=connection,
        path=path_of(each["name"]),
        look="soon" if each["expiring_soon"] and each["state"] == State.ACTIVE else each["state"],
        place=f"{provider} {region.upper()}" if region else provider,
        marketplaces=_marketplaces(each, connection),
        days=_days(each, connection, now),
        quota=_quota(each, now, zone),
        checked_at=checked_at,
        checked="never" if checked_at is None else format_ago(checked_at, now),
        since=format_since(each, now),
        trouble=format_problem(each, now, zone, can_renew_here=can_renew),
        is_needing=is_needing,
        muting=tuple(_describe_muting(each, now, zone, all_until)),
        can_renew=can_renew,
        renew_url=outside_page_of(parts.config, connection)
        if wants_renewal and connection is not None
        else None,
        headline=_headline(each, now),
        meaning=explain(Reason.OK, each["provider"]).meaning,
        is_countdown=isinstance(connection, CountdownConnection),
        next_expiry=_next_expiry(each, connection, now),
        sign_in=say_sign_in(each) if wants_renewal and _is_store(each) else "",
    )


def _headline(each: ConnectionJson, now: datetime) -> str:
    """Return how a connection is where nothing is wrong; what is not called cannot "work"."""
    if each["provider"] != COUNTDOWN:
        return say(texts.HEALTHY)
    first = _next_end(each)
    if first is None:
        return say(texts.ON_SCHEDULE_WITHOUT_DATE)
    return say(texts.ON_SCHEDULE, day=format_date(datetime.fromisoformat(first["ends_at"]), now))


def _next_expiry(each: ConnectionJson, connection: Connection | None, now: datetime) -> str:
    """Return what recording a renewal leads to; nothing where no clock is there to start anew.

    A token of which no end is known would get one that its service does not know.
    """
    if connection is None or not connection.valid_days:
        return ""
    has_clock = isinstance(connection, AmazonConnection | CountdownConnection)
    if not has_clock and each["authorization"] is None:
        return ""
    today = start_of(now.astimezone(UTC).date())
    day = format_date(today + timedelta(days=connection.valid_days), now)
    return say(texts.NEXT_EXPIRY, day=day, n=format_number(connection.valid_days))


def _is_store(each: ConnectionJson) -> bool:
    return each["provider"] == AMAZON


def say_sign_in(each: ConnectionJson) -> str:
    """Return as whom to sign in at Amazon, which takes whoever is signed in already."""
    return say(texts.SIGN_IN, store=each["account"] or each["name"])


def _wants_renewal(each: ConnectionJson) -> bool:
    """Tell whether the next step is a renewal; a missing role, say, is not mended by one."""
    if each["state"] in {State.ERROR, State.EXPIRED}:
        reason = Reason(each["reason"])
        return reason in RENEWED and need_of(each, reason) is Need.AUTHORIZE
    return bool(each["expiring_soon"])


def _marketplaces(each: ConnectionJson, connection: Connection | None) -> tuple[str, ...]:
    if each["marketplaces"] is not None:
        return tuple(one["country"] for one in each["marketplaces"] if one["participating"])
    if isinstance(connection, AmazonConnection):
        return tuple(connection.marketplaces or ())
    return ()


def _days(each: ConnectionJson, connection: Connection | None, now: datetime) -> Bar | None:
    first = _next_end(each)
    if first is None:
        if each["renewal_unrecorded"]:
            return Bar("end unknown", None, WARN, "record the renewal")
        return None
    ends_at = datetime.fromisoformat(first["ends_at"])
    days = count_days(ends_at, now)
    whole = (connection.valid_days if connection else 0) or DEFAULT_VALID_DAYS
    tone = GOOD
    if each["expiring_soon"] or ends_at <= now:
        tone = BAD if days < NEAR_END_DAYS else WARN
    elif each["state"] in {State.ERROR, State.EXPIRED}:
        # What is refused has no good days left.
        tone = SOFT
    return Bar(
        format_days_left(ends_at, now),
        max(0, min(100, round(days * 100 / whole))),
        tone,
        f"until {format_date(ends_at, now)}" if ends_at > now else format_date(ends_at, now),
        _format_exactly(ends_at, now),
    )


def _format_exactly(at: datetime, now: datetime) -> str:
    """Return an end to the second, in UTC; what ends at 00:00 is named by its date."""
    return format_date(at, now) if at.time() == time() else format_time(at, now, UTC, is_exact=True)


def _quota(each: ConnectionJson, now: datetime, zone: tzinfo) -> Bar | None:
    quota = each["quota"]
    if quota is None:
        return None
    percent = None
    if quota["limit"] and quota["remaining"] is not None:
        percent = max(0, min(100, round(quota["remaining"] * 100 / quota["limit"])))
    tones: dict[str | None, str] = {Level.LOW: WARN, Level.EXHAUSTED: BAD, None: SOFT}
    tone = tones.get(quota["level"], GOOD)
    if tone == GOOD and runs_out_early(quota):
        tone = WARN
    resets_at = read_instant(quota["resets_at"])
    return Bar(
        format_quota(quota),
        percent,
        tone,
        format_forecast(quota, now, zone),
        "" if resets_at is None else f"resets {_format_exactly(resets_at, now)}",
    )
