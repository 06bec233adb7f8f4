"""Draw how much of each quota is used, and whether the rest will last (`quota`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer  # noqa: TC002 - typer reads the annotations when the program runs
from rich.text import Text

from monitor.cli.checks import read_records
from monitor.cli.completion import AsObject, ConnectionNames, Wide  # noqa: TC001 - typer reads the annotations
from monitor.cli.output import (
    LEVEL_STYLES,
    clean,
    fit_name,
    open_console,
    print_json,
    print_wrapped,
)
from monitor.clock import utc_now
from monitor.notify.times import (
    count_days,
    format_date,
    format_day,
    format_end,
    format_span,
    read_instant,
)
from monitor.notify.words import format_number, format_unit
from monitor.report.status import quotas_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, tzinfo

    from rich.console import Console

    from monitor.cli.session import Session
    from monitor.report.status import Json

WIDEST_BAR = 60
INDENT = "  "

GLYPHS = ("█", "▒", "·")
PLAIN_GLYPHS = ("#", "+", ".")
"""Used, foreseen to be used by the reset, left; with and without Unicode."""


def quota(
    context: typer.Context,
    names: ConnectionNames = None,
    is_json: AsObject = False,
    is_wide: Wide = False,
) -> None:
    """Show quotas, and when they run out.

    Nobody is asked: it shows what the checks have seen.
    """
    session: Session = context.obj
    chosen = session.choose(names)
    records = read_records(session, session.open_for_reading(), chosen)
    now = utc_now()
    watched = session.watched_of([record.name for record in records])
    known = [(record, watched[record.name]) for record in records if record.name in watched]
    report = quotas_json(known, now)
    if is_json:
        print_json(report)
    else:
        zone = session.config.alerts.zone
        _print_quotas(open_console(), report, now, zone, is_asked=bool(names), is_wide=is_wide)


def _print_quotas(
    console: Console, report: Json, now: datetime, zone: tzinfo, *, is_asked: bool, is_wide: bool
) -> None:
    """Print the quotas that are known, and of those asked for also that they are not."""
    shown = [each for each in report["connections"] if each["windows"] or is_asked]
    if not shown:
        console.print("no quota has been seen yet")
    for number, each in enumerate(shown):
        if number:
            console.print()
        name = clean(each["name"]) if is_wide else fit_name(each["name"])
        console.print(name, style="bold", soft_wrap=True)
        is_one_of_several = len(each["windows"]) > 1
        for window in each["windows"]:
            for text in _draw(window, now, zone, console, is_one_of_several=is_one_of_several):
                print_wrapped(console, Text(INDENT), text)
        if not each["windows"]:
            console.print(f"{INDENT}no quota has been seen yet")
    if any(window["limit"] for each in shown for window in each["windows"]):
        used, coming, left = _glyphs(console)
        legend = f"\n{used} used   {coming} expected by the reset   {left} left"
        console.print(legend, style="dim", soft_wrap=True)


def _draw(
    window: Json, now: datetime, zone: tzinfo, console: Console, *, is_one_of_several: bool
) -> list[Text]:
    style = LEVEL_STYLES.get(window["level"], "")
    mark = " (decides)" if is_one_of_several and window["deciding"] else ""
    name = clean(window["window"]) + mark
    texts = [Text(f"{name}: {_format_left(window)}" if name else _format_left(window), style)]
    if window["limit"] and window["remaining"] is not None:
        texts.insert(0, _bar(window, console, style))
    return [*texts, *map(Text, describe_window(window, now, zone))]


def _bar(window: Json, console: Console, style: str) -> Text:
    width = max(min(console.width - len(INDENT) - 2, WIDEST_BAR), 1)
    limit, remaining = window["limit"], min(window["remaining"], window["limit"])
    foreseen = window["forecast"] and window["forecast"]["left_at_reset"]
    left = remaining if foreseen is None else min(foreseen, remaining)
    # Rounded so that what is not used up never looks so, nor what is, not.
    n_used = width - -(-remaining * width // limit)
    n_coming = width - -(-left * width // limit) - n_used
    used, coming, rest = _glyphs(console)
    bar = Text("[")
    bar.append(used * n_used, style)
    bar.append(coming * n_coming, "yellow")
    bar.append(rest * (width - n_used - n_coming), "dim")
    return bar + Text("]")


def _glyphs(console: Console) -> tuple[str, str, str]:
    return GLYPHS if console.encoding.startswith("utf") else PLAIN_GLYPHS


def _format_left(window: Json) -> str:
    limit, remaining, unit = window["limit"], window["remaining"], format_unit(window["unit"])
    if remaining is None:
        return f"{unit} left: unknown"
    if not limit:
        return f"{format_number(remaining)} {unit} left"
    percent = 100 - -(-min(remaining, limit) * 100 // limit)
    return f"{format_number(remaining)} of {format_number(limit)} {unit} left, {percent} % used"


def describe_window(window: Json, now: datetime, zone: tzinfo) -> Iterator[str]:
    """Say in words when it is reset, and whether it lasts until then."""
    resets_at, forecast = read_instant(window["resets_at"]), window["forecast"]
    if resets_at is not None:
        verb = "resets" if resets_at > now else "should have been reset"
        yield f"{verb} {format_end(resets_at, now, zone)}"
    exhausts_at = forecast and read_instant(forecast["exhausts_at"])
    if window["remaining"] == 0:
        yield "used up: calls that cost quota fail until the reset or an upgrade"
    elif not window["deciding"] or window["level"] is None:
        return  # only the window that decides, and is worth a warning, is foreseen
    elif forecast is None:
        yield "not enough data for a forecast yet"
    elif exhausts_at is not None and (resets_at is None or exhausts_at < resets_at):
        yield _format_exhaustion(exhausts_at, resets_at, now)
        if range_ := _format_range(
            read_instant(forecast["earliest"]), read_instant(forecast["latest"]), resets_at, now
        ):
            yield range_
    else:
        left = forecast["left_at_reset"]
        rest = "" if left is None else f": about {format_number(left)} will be left"
        yield f"lasts until the reset{rest}"


def _format_exhaustion(exhausts_at: datetime, resets_at: datetime | None, now: datetime) -> str:
    if resets_at is None:
        return f"runs out {format_day(exhausts_at, now)}; when it is reset is not known"
    return (
        f"runs out {format_day(exhausts_at, now)}, {_format_length(exhausts_at, resets_at)} before "
        "the reset"
    )


def _format_range(
    earliest: datetime | None, latest: datetime | None, resets_at: datetime | None, now: datetime
) -> str:
    if earliest is None:
        return ""
    if latest is None or (resets_at is not None and latest >= resets_at):
        return f"most likely not before {format_date(earliest, now)}, and it may just last"
    if format_date(earliest, now) == format_date(latest, now):
        return ""
    return f"most likely between {format_date(earliest, now)} and {format_date(latest, now)}"


def _format_length(begin: datetime, end: datetime) -> str:
    # By the dates that stand beside it, so that they add up.
    days = count_days(end, begin)
    return f"{days:,} days" if days > 1 else format_span(end - begin)
