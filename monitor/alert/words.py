"""
Say instants, lengths of time and numbers in words.

Pure: everything is UTC, everything is rounded down.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitor.alert import texts


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


def say_number(number: int) -> str:
    """
    Return *number* with its thousands set apart.
    """
    return f"{number:,}"


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
