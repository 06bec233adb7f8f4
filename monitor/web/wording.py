"""
Say in the few words of a page how things stand.

Takes the objects of `monitor.report`, so that pages, commands and programs are
told the same. How it looks is left to the templates.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitor.alert.texts import of_one, of_quota
from monitor.alert.texts.reasons import REASONS
from monitor.alert.words import name_command, say_number, say_span, say_when
from monitor.judge.outcome import OutcomeClass, Reason, State
from monitor.judge.quota import Level

if TYPE_CHECKING:
    from monitor.report import Json

JUST_NOW = timedelta(seconds=5)
HANDSHAKE_STEP = (
    "Whoever owns the store presses “Renew at Amazon” and confirms in Seller Central; the new"
    " token is then used by itself."
)
NEAR_END_DAYS = 7

STATE_WORDS = {
    State.ACTIVE: "active",
    State.ERROR: "error",
    State.EXPIRED: "expired",
    State.PENDING: "pending",
    State.PAUSED: "paused",
}
PROVIDERS = {"amazon": "Amazon", "soldscope": "SoldScope", "countdown": "Countdown"}


def read(instant: str | None) -> datetime | None:
    """
    Return the instant that `monitor.report` wrote.
    """
    return None if instant is None else datetime.fromisoformat(instant)


def say_ago(at: datetime, now: datetime) -> str:
    """
    Return how long ago *at* was, or how far ahead it is, in its largest unit.
    """
    age = abs(now - at)
    for unit, word in (
        (timedelta(days=1), "day"),
        (timedelta(hours=1), "hour"),
        (timedelta(minutes=1), "min"),
        (timedelta(seconds=1), "s"),
    ):
        count = age // unit
        if count >= 1 and (word != "s" or age >= JUST_NOW):
            plural = "s" if count > 1 and word in {"day", "hour"} else ""
            return f"in {count} {word}{plural}" if at > now else f"{count} {word}{plural} ago"
    return "just now"


def say_days_left(days: int) -> str:
    """
    Return how long something still holds, never as "0 days".
    """
    if days < 0:
        return "ended"
    return {0: "ends today", 1: "1 day left"}.get(days, f"{say_number(days)} days left")


def say_exactly(at: datetime) -> str:
    """
    Return *at* to the second.
    """
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def say_quota(quota: Json) -> str:
    """
    Return what is left of a quota.
    """
    remaining, limit = quota["remaining"], quota["limit"]
    text = "?" if remaining is None else say_number(remaining)
    return text if limit is None else f"{text} of {say_number(limit)}"


def say_forecast(quota: Json, now: datetime) -> str:
    """
    Return when a quota runs out, or when its period ends.
    """
    exhausts_at, resets_at = read(quota["exhausts_at"]), read(quota["resets_at"])
    if quota["level"] == Level.EXHAUSTED:
        back = f": back {say_when(resets_at, now)}" if resets_at and resets_at > now else ""
        return f"used up{back}"
    if exhausts_at is not None and (resets_at is None or exhausts_at < resets_at):
        return f"runs out {say_when(exhausts_at, now)}"
    if resets_at is not None and resets_at > now:
        return f"resets {say_when(resets_at, now)}"
    return ""


def runs_out_early(quota: Json) -> bool:
    """
    Tell whether a quota is foreseen to be used up before it is reset.
    """
    exhausts_at, resets_at = read(quota["exhausts_at"]), read(quota["resets_at"])
    return exhausts_at is not None and resets_at is not None and exhausts_at < resets_at


def say_trouble(each: Json, now: datetime) -> tuple[str, str] | None:
    """
    Return what is wrong in a few words, and what to do; None if nothing is.
    """
    state, reason = State(each["state"]), Reason(each["reason"])
    if state is State.PAUSED:
        return None
    if state in {State.ERROR, State.EXPIRED}:
        return _capital(REASONS[reason].name), REASONS[reason].remedy
    return _say_quota_trouble(each, now) or _say_clock_trouble(each) or _say_doubt(each)


def _say_quota_trouble(each: Json, now: datetime) -> tuple[str, str] | None:
    quota = each["quota"]
    if quota is None:
        return None
    if quota["level"] == Level.EXHAUSTED:
        forecast = say_forecast(quota, now)
        return f"Quota {forecast}", of_quota.QUOTA_EXHAUSTED_STEP
    if quota["level"] == Level.LOW:
        return f"Quota low: {say_quota(quota)} left", of_quota.QUOTA_LOW_STEP
    if quota["level"] is not None and runs_out_early(quota):
        return f"Quota {say_forecast(quota, now)}, before it is reset", of_quota.FORECAST_STEP
    return None


def _say_clock_trouble(each: Json) -> tuple[str, str] | None:
    if each["expiring_soon"]:
        ends = [one for one in each["clocks"] if one["kind"] != "client_secret"]
        first = min(ends, key=lambda one: str(one["ends_at"]), default=None)
        if first is None:
            return "Authorization ends soon", of_one.EXPIRING_STEP
        left = {0: "today", 1: "1 day left"}.get(
            first["days_left"], f"{first['days_left']} days left"
        )
        return f"Authorization ends on {first['ends_at'][:10]} ({left})", of_one.EXPIRING_STEP
    if each["renewal_unrecorded"]:
        return "Works past its known end", name_command(of_one.UNRECORDED_STEP, each["name"])
    return None


def _say_doubt(each: Json) -> tuple[str, str] | None:
    """
    Speak of a last check without a usable answer: no trouble yet, but worth knowing.
    """
    last = each["last_check"]
    if last is None or last["conclusive"] or last["reason"] == Reason.NOT_CHECKED:
        return None
    reason = Reason(last["reason"])
    if reason.outcome_class is OutcomeClass.THROTTLED:
        return None
    times = f", {last['in_a_row']} times in a row" if last["in_a_row"] > 1 else ""
    name = _capital(REASONS[reason].name)
    return f"{name} at the last check{times}", "It is asked again by itself; wait for that."


def say_place(each: Json, region: str | None) -> str:
    """
    Return the provider, and the region of a store.
    """
    name = PROVIDERS.get(each["provider"], str(each["provider"]))
    return f"{name} {region.upper()}" if region else name


def say_since(each: Json, now: datetime) -> str:
    """
    Return for how long it has been in its state; nothing of a pause, whose beginning is not kept.
    """
    state = State(each["state"])
    if state is State.PAUSED:
        return ""
    return f"{STATE_WORDS[state]} for {say_span(now - (read(each['since']) or now))}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
