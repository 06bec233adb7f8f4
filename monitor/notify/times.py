"""Word days, clock times and lengths of time for people.

Pure. Days are calendar days, by the date in UTC and on every surface alike: what expires at 00:00
UTC on 1 December is "tomorrow" all through 30 November, "1 day" in a column, and never named by a
time or by the day of another zone. Programs are given whole 24 h instead (`judge.authorizations`).
Clock times are in the reader's zone, with its abbreviation, and with the year where that is another
than the present one.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from monitor.notify import texts
from monitor.notify.words import format_number, say

if TYPE_CHECKING:
    from datetime import date, tzinfo


# --- days

A_DAY = timedelta(days=1)


def count_days(at: datetime, now: datetime) -> int:
    """Return how many calendar days *at* is away, by the dates in UTC; negative for the past."""
    return (at.astimezone(UTC).date() - now.astimezone(UTC).date()).days


def format_date(at: datetime, now: datetime) -> str:
    """Return the date of *at* in UTC: "Dec 1", or "Dec 1, 2027" in another year than *now*."""
    return _format_date(at.astimezone(UTC).date(), now.astimezone(UTC).date())


def _format_date(day: date, today: date) -> str:
    # Not strftime, whose months depend on the locale.
    text = say(texts.DATE, month=texts.MONTHS[day.month - 1], day=str(day.day))
    return (
        text if day.year == today.year else say(texts.DATE_WITH_YEAR, date=text, year=str(day.year))
    )


def format_when(at: datetime, now: datetime) -> str:
    """Return how many days *at* is away: "in 30 days", "tomorrow", "today", "3 days ago"."""
    days = count_days(at, now)
    near = {-1: texts.YESTERDAY, 0: texts.TODAY, 1: texts.TOMORROW}
    far = texts.IN_DAYS if days > 0 else texts.DAYS_AGO
    return near.get(days) or say(far, n=format_number(abs(days)))


def format_day(at: datetime, now: datetime) -> str:
    """Return how many days *at* is away, and its date: "tomorrow (Dec 1)"."""
    return say(texts.DAY, when=format_when(at, now), date=format_date(at, now))


def format_expiry(at: datetime, now: datetime) -> str:
    """Return when something expires or expired: "expires tomorrow (Dec 1)"."""
    return say(texts.EXPIRES if at > now else texts.EXPIRED_ON, day=format_day(at, now))


def format_days_left(at: datetime, now: datetime) -> str:
    """Return the days until *at* for a column: "6 days", "1 day", "today", "expired"."""
    if at <= now:
        return texts.LEFT_NONE
    days = count_days(at, now)
    if not days:
        return texts.TODAY
    one, many = texts.DAYS
    return f"{format_number(days)} {one if days == 1 else many}"


# --- clock times


def format_time(at: datetime, now: datetime, zone: tzinfo, *, is_exact: bool = False) -> str:
    """Return date and time of *at* in *zone*: "Dec 9, 11:06 CET".

    Args:
        is_exact: To the second.
    """
    there = _move(at, zone)
    clock = f"{there:%H:%M:%S}" if is_exact else f"{there:%H:%M}"
    day = _format_date(there.date(), _move(now, zone).date())
    return say(texts.TIME, date=day, clock=clock, zone=_abbreviate(there))


def format_moment(at: datetime, now: datetime, zone: tzinfo) -> str:
    """Return the clock time of *at* alone if that is today in *zone*, else with its date."""
    there, here = _move(at, zone), _move(now, zone)
    if there.date() != here.date():
        return format_time(at, now, zone)
    return say(texts.TIME_TODAY, clock=f"{there:%H:%M}", zone=_abbreviate(there))


def _move(at: datetime, zone: tzinfo) -> datetime:
    """Return *at* on the clocks of *zone*; at the ends of the calendar, on those of UTC."""
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at.astimezone(UTC)


def _abbreviate(there: datetime) -> str:
    """Return the abbreviation of a zone; where it has none, how far from UTC it is: "UTC-3"."""
    name = there.tzname() or ""
    if name[:1] not in {"+", "-"}:
        return name
    hours, minutes = name[1:3].lstrip("0") or "0", name[3:]
    return f"UTC{name[0]}{hours}" + (f":{minutes}" if minutes.strip("0") else "")


def is_day(at: datetime, now: datetime) -> bool:
    """Tell whether *at* is best named by its date: it is far, or 00:00 UTC."""
    return at.astimezone(UTC).time() == time() or abs(at - now) >= A_DAY


def format_end(at: datetime, now: datetime, zone: tzinfo) -> str:
    """Return when a period ends: by its day, or by the time where that says more."""
    return format_day(at, now) if is_day(at, now) else format_time(at, now, zone)


# --- lengths

JUST_NOW = timedelta(seconds=5)


def format_span(span: timedelta) -> str:
    """Return *span* in its two largest units: "2 days 3 hours", never "0 days".

    Below a minute it is in seconds, at least one: "failing for 12 seconds".
    """
    minutes = int(span / timedelta(minutes=1))
    if minutes < 1:
        seconds = max(int(span / timedelta(seconds=1)), 1)
        one, many = texts.SECONDS
        return f"{seconds} {one if seconds == 1 else many}"
    counts = (
        (minutes // (24 * 60), texts.DAYS),
        (minutes // 60 % 24, texts.HOURS),
        (minutes % 60, texts.MINUTES),
    )
    first = next(place for place, (count, _) in enumerate(counts) if count)
    return " ".join(
        f"{count} {one if count == 1 else many}"
        for count, (one, many) in counts[first : first + 2]
        if count
    )


def describe_span(
    text: str, since: datetime | None, until: datetime, now: datetime, zone: tzinfo
) -> str:
    """Return *text* with both instants and the time between; nothing where *since* is unknown."""
    if since is None:
        return ""
    at, end = (format_time(one, now, zone) for one in (since, until))
    return say(text, at=at, until=end, span=format_span(until - since))


def format_ago(at: datetime, now: datetime) -> str:
    """Return how long ago *at* was, or how far ahead it is, in its largest unit."""
    age = abs(now - at)
    for unit, word in (
        (A_DAY, "day"),
        (timedelta(hours=1), "hour"),
        (timedelta(minutes=1), "min"),
        (timedelta(seconds=1), "s"),
    ):
        count = age // unit
        if count >= 1 and (word != "s" or age >= JUST_NOW):
            plural = "s" if count > 1 and word in {"day", "hour"} else ""
            return f"in {count} {word}{plural}" if at > now else f"{count} {word}{plural} ago"
    return "just now"


# --- what is stored


def read_instant(value: object) -> datetime | None:
    """Read an instant of an alert's facts or of a report; None where there is none.

    Facts may have been stored by another version: what cannot be read is left
    out of the text and stops no message.
    """
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
