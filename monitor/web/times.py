"""Write clock times into pages: in the reader's zone where a script runs, in the file's where not.

The text is that of `alerts.timezone`, with its abbreviation; `static/app.js` puts the same instant
in the browser's zone into its place, and UTC shows on hover. Days left, and what ends at 00:00 UTC,
are words that no zone changes: they are no such elements.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from jinja2 import pass_context
from markupsafe import Markup, escape

from monitor.notify.texts import MONTHS
from monitor.notify.times import format_date, format_day, format_moment, format_time, is_day

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, tzinfo

    from jinja2.runtime import Context


MINUTE, SECOND = "minute", "second"
"""How exactly a time is written, as the script is told it."""


def machine_time(at: datetime) -> str:
    """Return *at* as the script and other programs read it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def time_element(
    at: datetime, now: datetime, zone: tzinfo, *, is_exact: bool = False, text: str = ""
) -> Markup:
    """Return the element of a clock time.

    Args:
        is_exact: To the second.
        text: What is read without a script; by default date and time.
    """
    return Markup('<time datetime="{}" title="{}" data-clock="{}">{}</time>').format(
        machine_time(at),
        format_time(at, now, UTC, is_exact=True),
        SECOND if is_exact else MINUTE,
        text or format_time(at, now, zone, is_exact=is_exact),
    )


def end_element(at: datetime, now: datetime, zone: tzinfo) -> Markup:
    """Return when a period ends: a day, or the element of a time (see `format_end`)."""
    if is_day(at, now):
        return Markup("{}").format(format_day(at, now))
    return time_element(at, now, zone)


def with_times(
    sentence: str, instants: Iterable[datetime | None], now: datetime, zone: tzinfo
) -> Markup:
    """Return *sentence* with the clock times of *instants* in it as elements."""
    written = escape(sentence)
    for at in filter(None, instants):
        text = format_moment(at, now, zone)
        element = time_element(at, now, zone, text=text)
        written = element.join(written.split(escape(text), 1))
    return written


@pass_context
def clock(context: Context, at: datetime, is_exact: bool = False) -> Markup:
    """Write a clock time into a page."""
    return time_element(at, context["now"], context["zone"], is_exact=is_exact)


@pass_context
def date(context: Context, at: datetime) -> str:
    """Write a date, by UTC, into a page."""
    return format_date(at, context["now"])


@pass_context
def utc(context: Context, at: datetime) -> str:
    """Write what shows on hover."""
    return format_time(at, context["now"], UTC, is_exact=True)


DAY = "day"
AXIS = {"time": "%H:%M", "second": "%H:%M:%S"}
"""What stands below a chart, by how much of time it shows."""


@pass_context
def axis(context: Context, at: datetime, form: str) -> str:
    """Write an instant below a chart."""
    there = at.astimezone(context["zone"])
    return f"{MONTHS[there.month - 1]} {there.day}" if form == DAY else there.strftime(AXIS[form])
