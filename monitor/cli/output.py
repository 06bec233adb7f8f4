"""Print what commands have to say: JSON for programs, lines for people.

Decides colours, widths, the few words for how connections stand, and how texts from outside are
made harmless. Lines are made for 80 columns and never cut a name. What is said comes from the
objects of `report.status`, so that people and programs are told the same.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass, field
from datetime import UTC
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from monitor.config.errors import format_count
from monitor.judge.outcome import OutcomeClass, Reason, State
from monitor.judge.quota import Level
from monitor.notify.texts import RENEW_COMMAND
from monitor.notify.times import (
    format_ago,
    format_date,
    format_days_left,
    format_end,
    format_expiry,
    format_span,
    format_time,
    read_instant,
)
from monitor.notify.words import explain, format_number, name_command
from monitor.report.advice import current_reason, explain_state
from monitor.report.conditions import describe_muting
from monitor.report.status import (
    AUTHORIZATION,
    NEEDS_ATTENTION,
    SOON_DAYS,
    end_of,
    ending_secret,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, tzinfo

    from monitor.report.history import CheckJson, HistoryJson, TransitionJson
    from monitor.report.status import ConnectionJson


GAP = "  "
INDENT = "   "
"""Remarks stand below the word of the state, behind its symbol."""

NARROWEST = 20
USUAL_WIDTH = 80


@dataclass(frozen=True, slots=True)
class TableRow:
    """A line of a table, and what is remarked below it."""

    cells: Sequence[Text | str]
    remarks: Sequence[Text | str] = field(default=())


def open_console(*, is_stderr: bool = False) -> Console:
    """Return a console for stdout, or for stderr; coloured on a terminal only."""
    stream = sys.stderr if is_stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a symbol less is better than no table
    console = Console(
        file=stream,
        force_terminal=stream.isatty(),
        markup=False,
        emoji=False,
        highlight=False,
    )
    if console.width < NARROWEST:
        console.width = USUAL_WIDTH  # COLUMNS=0, as some schedulers say, would leave no text
    return console


def print_json(value: Any) -> None:
    """Print one object for programs, in ASCII: it harms no terminal either."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def print_rows(
    console: Console,
    rows: Sequence[TableRow],
    header: Sequence[str] = (),
    names_at: int | None = None,
) -> None:
    """Print *rows* in columns as wide as they need, leaving out empty columns.

    Args:
        names_at: The column of names, which are shortened where lines would get too long.
    """
    lines = [[_text(cell) for cell in row.cells] for row in rows]
    if names_at is not None and rows:
        _fit_names(lines, header, names_at, console.width)
    widths = [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]
    shown = [position for position, width in enumerate(widths) if width]
    if header and rows:
        widths = [max(len(title), width) for title, width in zip(header, widths, strict=True)]
        titles = [Text(title) for title in header]
        _print_line(console, [titles[at] for at in shown], [widths[at] for at in shown], "dim")
    for row, line in zip(rows, lines, strict=True):
        _print_line(console, [line[at] for at in shown], [widths[at] for at in shown])
        for remark in row.remarks:
            print_wrapped(console, Text(INDENT), _text(remark))


def _fit_names(lines: Sequence[list[Text]], header: Sequence[str], at: int, width: int) -> None:
    """Shorten the names of *lines* to what the other columns leave of *width*, within limits."""
    others = 0
    for position, column in enumerate(zip(*lines, strict=True)):
        widest = max(cell.cell_len for cell in column)
        if widest and position != at:
            title = len(header[position]) if header else 0
            others += max(widest, title) + len(GAP)
    room = min(max(width - others, NARROWEST_NAME), WIDEST_NAME)
    for line in lines:
        name = line[at]
        line[at] = Text(fit_name(name.plain, room), name.style)


def _print_line(
    console: Console, cells: Sequence[Text], widths: Sequence[int], style: str = ""
) -> None:
    line = Text(style=style)
    for cell, width in zip(cells, widths, strict=True):
        line.append_text(cell)
        line.append(" " * (width - cell.cell_len) + GAP)
    line.rstrip()
    console.print(line, soft_wrap=True)


def print_wrapped(console: Console, first: Text, words: Text) -> None:
    """Print *words* behind *first*, every further line below their beginning."""
    margin = Text(" " * first.cell_len)
    for line in words.wrap(console, max(console.width - first.cell_len, 1)):
        line.rstrip()
        console.print(first + line, soft_wrap=True)
        first = margin


def _text(cell: Text | str) -> Text:
    return cell if isinstance(cell, Text) else Text(clean(cell))


def clean(text: str) -> str:
    """Return *text* as one line that cannot move a terminal's cursor."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


NARROWEST_NAME, WIDEST_NAME = 24, 40
"""Between them is the width of a column of names: one long name must not fold every row."""

ELLIPSIS = "…"


def fit_name(name: str, width: int = WIDEST_NAME) -> str:
    """Return *name* in at most *width* cells of a terminal, shortened in its middle."""
    text = clean(name)
    if cell_len(text) <= width:
        return text
    room = width - cell_len(ELLIPSIS)
    head = set_cell_size(text, room - room // 2).rstrip()
    tail = text
    while cell_len(tail) > room // 2:
        tail = tail[1:]
    return f"{head}{ELLIPSIS}{tail.lstrip()}"


def fit_names(names: Sequence[str], n_more: int, width: int = WIDEST_NAME) -> str:
    """Return as many of *names* as *width* has room for, and how many more there are."""
    for n_shown in range(len(names), 0, -1):
        more = len(names) - n_shown + n_more
        rest = f" and {format_number(more)} more" if more else ""
        text = ", ".join(map(clean, names[:n_shown])) + rest
        if cell_len(text) <= width:
            return text
        if n_shown == 1:
            return fit_name(names[0], width - len(rest)) + rest
    return ""


NAMES_AT = 1

HEADER = ("STATE", "CONNECTION", "DAYS LEFT", "QUOTA LEFT", "CHECKED")

LOOKS = {
    State.ACTIVE: ("🟢", "green"),
    State.ERROR: ("🔴", "bold red"),
    State.EXPIRED: ("🟡", "bold yellow"),
    State.PENDING: ("⚪", ""),
    State.PAUSED: ("⏸ ", "dim"),  # half as wide as the others
}

LEVEL_STYLES: dict[str | None, str] = {Level.LOW: "yellow", Level.EXHAUSTED: "bold red"}


def connection_row(
    each: ConnectionJson,
    now: datetime,
    *,
    is_check: bool = False,
    said: str = "",
    soon_days: int = SOON_DAYS,
    can_renew_here: bool | None = False,
    with_notes: bool = False,
    zone: tzinfo = UTC,
    all_until: datetime | None = None,
) -> TableRow:
    """Return the line of one connection.

    Args:
        is_check: It was just asked: say how long that took, not when it was.
        said: The detail of what was just answered, which its standing may not have.
        soon_days: How near the end of a client secret must be to be named.
        can_renew_here: Its page in the dashboard leads to Amazon and back; None where what to do
            is printed elsewhere.
        with_notes: Say what the next person should know.
        zone: Whose clocks times are named by.
        all_until: When a mute of everything ends, which is said above.
    """
    state = State(each["state"])
    symbol, style = LOOKS[state]
    checked_at = read_instant(each["checked_at"])
    if is_check and state is not State.PAUSED:
        checked = "" if each["latency_ms"] is None else f"in {each['latency_ms']:,.0f} ms"
    else:
        checked = "never" if checked_at is None else format_ago(min(checked_at, now), now)
    return TableRow(
        (
            Text(f"{symbol} {state.value}", style),
            Text(clean(each["name"]), "dim" if state is State.PAUSED else ""),
            _days_left(each, now),
            _quota(each),
            checked,
        ),
        (
            *_remarks(each, now, clean(said), soon_days, zone, can_renew_here=can_renew_here),
            *(
                Text(clean(words), "cyan")
                for _, words in describe_muting(each, now, zone, all_until)
            ),
            *([f"group: {clean(each['group'])}"] if with_notes and each["group"] else []),
            *([f"notes: {each['notes']}"] if with_notes and each["notes"].strip() else []),
        ),
    )


def _days_left(each: ConnectionJson, now: datetime) -> Text | str:
    end = end_of(each)
    ends_at = end and read_instant(end["ends_at"])
    if ends_at is None:
        return ""
    text = format_days_left(ends_at, now)
    return Text(f"🟠 {text}", "yellow") if each["expiring_soon"] else text


def _quota(each: ConnectionJson) -> Text | str:
    quota = each["quota"]
    if quota is None:
        return ""
    remaining, limit = quota["remaining"], quota["limit"]
    text = "?" if remaining is None else format_number(remaining)
    if limit is not None:
        text += f" of {format_number(limit)}"
    return Text(text, LEVEL_STYLES.get(quota["level"], ""))


def _remarks(
    each: ConnectionJson,
    now: datetime,
    said: str,
    soon_days: int,
    zone: tzinfo,
    *,
    can_renew_here: bool | None,
) -> Iterator[Text | str]:
    state, reason = State(each["state"]), current_reason(each)
    text = explain_state(each, reason, can_renew_here=bool(can_renew_here))
    name, detail = text.name, clean(each["detail"])
    if state is State.PAUSED:
        if reason not in {Reason.OK, Reason.NOT_CHECKED}:
            yield f"before the pause: {name}"
        return
    if state in {State.ERROR, State.EXPIRED}:
        span = format_span(now - (read_instant(each["since"]) or now))
        remedy = "" if can_renew_here is None else name_command(text.remedy, clean(each["name"]))
        yield f"{name} for {span}" + (f". {remedy}" if remedy else "")
        if detail:
            yield detail
    yield from _last_check_remark(each, said)
    if each["expiring_soon"]:
        yield from _end_remark(each, now)
    if each["renewal_unrecorded"]:
        command = name_command(RENEW_COMMAND, each["name"])
        yield f"works past its known end: {command} records the renewal"
    yield from _secret_remark(each, now, soon_days)
    yield from _marketplace_remark(each)
    yield from _quota_remark(each, now, zone)


def _end_remark(each: ConnectionJson, now: datetime) -> Iterator[str]:
    end, authorization = end_of(each), each["authorization"]
    ends_at = end and read_instant(end["ends_at"])
    if end is None or ends_at is None:
        return
    if end["kind"] == AUTHORIZATION:
        yield f"the authorization {format_expiry(ends_at, now)}"
        return
    declared = read_instant(authorization and authorization["expires_at"])
    but = ""
    if declared and format_date(declared, now) != format_date(ends_at, now):
        but = f"; by the file it would be {format_date(declared, now)}"
    yield f"the token {format_expiry(ends_at, now)}, its service says{but}"


def _secret_remark(each: ConnectionJson, now: datetime, soon_days: int) -> Iterator[str]:
    end = ending_secret(each, soon_days)
    ends_at = end and read_instant(end["ends_at"])
    if end and ends_at and each["reason"] != Reason.CLIENT_SECRET_EXPIRED:
        yield f"the client secret of {end['of']} {format_expiry(ends_at, now)}"


def _marketplace_remark(each: ConnectionJson) -> Iterator[str]:
    suspended = [one["country"] for one in each["marketplaces"] or () if one["suspended_listings"]]
    if suspended:
        yield (
            f"listings are suspended in {', '.join(suspended)}: the seller finds out why in"
            " Seller Central"
        )


def _last_check_remark(each: ConnectionJson, said: str) -> Iterator[str]:
    last = each["last_check"]
    if last is None or last["conclusive"] or last["reason"] == current_reason(each):
        return
    reason = Reason(last["reason"])
    if reason.outcome_class is OutcomeClass.THROTTLED:
        yield "throttled: the service asks for fewer requests"
    else:
        times = f", {last['in_a_row']} times in a row" if last["in_a_row"] > 1 else ""
        why = f": {said}" if said else ""
        name = explain(reason, each["provider"]).name
        yield f"the last check had no usable response: {name}{times}{why}"


def _quota_remark(each: ConnectionJson, now: datetime, zone: tzinfo) -> Iterator[Text]:
    quota = each["quota"]
    if quota is None or quota["level"] not in LEVEL_STYLES:
        return
    word = "used up" if quota["level"] == Level.EXHAUSTED else "low"
    resets_at = read_instant(quota["resets_at"])
    until = ""
    if resets_at is not None and resets_at > now:
        until = f", resets {format_end(resets_at, now, zone)}"
    yield Text(f"quota {word}{until}", LEVEL_STYLES[quota["level"]])


def format_counts(summary: dict[str, int], n_secrets: int = 0) -> str:
    """Return how many connections are how, in one line.

    Args:
        n_secrets: How many client secrets end soon.
    """
    total = sum(summary[state.value] for state in State)
    parts = [
        f"{count} {key.replace('_', ' ')}"
        for key, count in summary.items()
        if count and key != NEEDS_ATTENTION
    ]
    n = summary.get(NEEDS_ATTENTION, 0)
    if n:
        parts.append(f"{n} {'needs' if n == 1 else 'need'} attention")
    if n_secrets:
        parts.append(f"{format_count(n_secrets, 'client secret')} expiring")
    return f"{format_count(total, 'connection')}: {', '.join(parts)}"


def transition_rows(
    history: HistoryJson, provider: str, now: datetime, zone: tzinfo
) -> list[TableRow]:
    """Return the lines of a connection's changes."""
    return [
        TableRow(
            (
                format_at(each["at"], now, zone),
                f"{each['from']} → {each['to']}",
                explain(Reason(each["reason"]), provider).name,
            ),
            _said(each),
        )
        for each in history["transitions"]
    ]


def check_rows(history: HistoryJson, provider: str, now: datetime, zone: tzinfo) -> list[TableRow]:
    """Return the lines of a connection's checks."""
    return [
        TableRow(
            (
                format_at(each["at"], now, zone),
                explain(Reason(each["reason"]), provider).name,
                "" if each["latency_ms"] is None else f"{each['latency_ms']:,.0f} ms",
            ),
            # What was said the check before as well is not worth repeating.
            _said(each) if earlier is None or each["detail"] != earlier["detail"] else (),
        )
        for each, earlier in zip_longest(history["checks"], history["checks"][1:])
    ]


def _said(each: CheckJson | TransitionJson) -> tuple[str, ...]:
    return (each["detail"],) if each["detail"] else ()


def format_at(instant: str, now: datetime, zone: tzinfo) -> str:
    """Return an instant of a report to the second; what is none, as it is."""
    at = read_instant(instant)
    return instant if at is None else format_time(at, now, zone, is_exact=True)
