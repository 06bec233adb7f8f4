"""
Say instants, lengths of time and numbers in words.

Pure: everything is UTC, everything is rounded down.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitor.alert import texts
from monitor.judge.outcome import QuotaUnit


def say_span(span: timedelta) -> str:
    """
    Return *span* in its two largest units: "2 days 3 hours", never "0 days".
    """
    minutes = int(span / timedelta(minutes=1))
    if minutes < 1:
        return texts.LESS_THAN_A_MINUTE
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


def say_instant(instant: datetime) -> str:
    """
    Return *instant* as date and time in UTC.
    """
    return instant.astimezone(UTC).strftime(texts.INSTANT)


def say_day(instant: datetime) -> str:
    """
    Return the day of *instant* in UTC.
    """
    return instant.astimezone(UTC).strftime(texts.DAY)


def say_when(instant: datetime, now: datetime) -> str:
    """
    Return how many days of the calendar *instant* is away: "in 30 days", "tomorrow", "today".

    Counted in dates, because it is said beside one.
    """
    days = (instant.astimezone(UTC).date() - now.astimezone(UTC).date()).days
    if days < 0:
        return texts.YESTERDAY if days == -1 else texts.DAYS_AGO.format(n=say_number(-days))
    near = {0: texts.TODAY, 1: texts.TOMORROW}
    return near.get(days) or texts.IN_DAYS.format(n=say_number(days))


_UNITS: dict[str, str] = {
    QuotaUnit.CONCURRENT: "requests at a time",
    QuotaUnit.OTHER: "units",
}


def say_number(number: int) -> str:
    """
    Return *number* with its thousands set apart.
    """
    return f"{number:,}"


def say_unit(unit: str) -> str:
    """
    Return what a quota counts, in the plural.
    """
    return _UNITS.get(unit, unit)


def read_instant(value: object) -> datetime | None:
    """
    Read an instant of an alert's facts; None where there is none.

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
