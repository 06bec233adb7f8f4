"""
Say instants, lengths of time and numbers in words, and find the words for a reason.

Pure: everything is UTC, everything is rounded down.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitor.alert.texts import of_one, of_quota, reasons, spans
from monitor.config.wording import as_argument
from monitor.judge.expiry import days_left

if TYPE_CHECKING:
    from monitor.judge.outcome import Reason


def say_span(span: timedelta) -> str:
    """
    Return *span* in its two largest units: "2 days 3 hours", never "0 days".
    """
    minutes = int(span / timedelta(minutes=1))
    if minutes < 1:
        return spans.LESS_THAN_A_MINUTE
    counts = (
        (minutes // (24 * 60), spans.DAYS),
        (minutes // 60 % 24, spans.HOURS),
        (minutes % 60, spans.MINUTES),
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
    return instant.astimezone(UTC).strftime(spans.INSTANT)


def say_day(instant: datetime) -> str:
    """
    Return the day of *instant* in UTC.
    """
    return instant.astimezone(UTC).strftime(spans.DAY)


def say_when(instant: datetime, now: datetime) -> str:
    """
    Return how many days of the calendar *instant* is away: "in 30 days", "tomorrow", "today".

    Counted in dates, because it is said beside one.
    """
    days = (instant.astimezone(UTC).date() - now.astimezone(UTC).date()).days
    if days < 0:
        return spans.YESTERDAY if days == -1 else spans.DAYS_AGO.format(n=say_number(-days))
    near = {0: spans.TODAY, 1: spans.TOMORROW}
    return near.get(days) or spans.IN_DAYS.format(n=say_number(days))


def say_end(at: datetime, now: datetime) -> str:
    """
    Return when something ends or ended, with the days left rounded down as in every table.
    """
    if at <= now:
        return spans.ENDED.format(day=say_day(at), when=say_when(at, now))
    days = days_left(at, now)
    near = {0: spans.NO_DAY_LEFT, 1: spans.DAY_LEFT}
    left = near.get(days) or spans.DAYS_LEFT.format(n=say_number(days))
    return spans.ENDS.format(day=say_day(at), left=left)


def explain(reason: Reason, provider: str | None) -> reasons.ReasonText:
    """
    Return what is said of *reason* where connections of *provider* have it.

    Args:
        provider: None where it is not known, or where there are several.
    """
    return reasons.OF_PROVIDER.get((provider or "", reason)) or reasons.REASONS[reason]


def name_command(text: str, name: str) -> str:
    """
    Return *text* with the command that records a renewal made out for the connection *name*.
    """
    # Behind a dash nothing is an option any more.
    is_odd = name.startswith("-")
    words = ["--on DATE", as_argument(name)] if is_odd else [as_argument(name), "--on DATE"]
    return text.replace(of_one.RENEW_COMMAND, " ".join(["connwatch renew", *words]))


def say_number(number: int) -> str:
    """
    Return *number* with its thousands set apart.
    """
    return f"{number:,}"


def say_counted(forms: tuple[str, str], n: int, **others: str) -> str:
    """
    Return how *n* things are said of: the first of *forms* for one, the second for more or none.
    """
    return forms[n != 1].format(n=say_number(n), **others)


def say_unit(unit: str) -> str:
    """
    Return what a quota counts, in the plural.
    """
    return of_quota.UNITS.get(unit, unit)


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
