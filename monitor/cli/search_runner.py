"""Ask SoldScope about searches, and follow one to its end.

Decides how often it is asked, how long a provider's trouble is borne, and with which words and
exit code it ends. Apart from `cli.searches`, because it brings in the HTTP client.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.cli.errors import DONE, NOT_DONE, CommandError, print_error
from monitor.cli.output import TableRow, clean, format_at, open_console, print_json, print_rows
from monitor.cli.session import read_access
from monitor.clock import utc_now
from monitor.config.connections import SoldscopeConnection
from monitor.judge.alerts import Severity
from monitor.notify.apprise import AppriseSender
from monitor.notify.delivery import AlertError, ThreadedSender
from monitor.notify.message import Message
from monitor.providers import soldscope
from monitor.providers.registry import with_newer_token
from monitor.providers.soldscope import SEARCH_ID, SearchFailure, SearchFailureKind, SearchReader
from monitor.providers.transport import HttpClients

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.cli.session import Session
    from monitor.config.model import Channel
    from monitor.providers.soldscope import PastSearch

    Show = Callable[[float | None, str], None]

REFUSED, USED_UP = 2, 4
"""Exit codes of `wait` for a refused token and a used-up quota."""

EXIT_OF = {SearchFailureKind.REFUSED: REFUSED, SearchFailureKind.USED_UP: USED_UP}

POLL_EVERY = timedelta(seconds=3)
"""The FAQ calls 2 to 5 seconds reasonable."""

RETRY_AFTER = timedelta(seconds=5)
"""How soon after an answer that could not be used."""

LONGEST_PAUSE = timedelta(seconds=60)
"""However long the service asks to wait."""

GIVE_UP_AFTER = 60
"""Answers in a row that could not be used: five minutes of trouble, or more."""


@dataclass(frozen=True, slots=True)
class WaitResult:
    """How waiting for a search ended."""

    code: int
    sentence: str


def list_searches(session: Session, connection: SoldscopeConnection, *, is_json: bool) -> None:
    """Print the past searches of *connection*.

    Raises:
        CommandError: They could not be had.
    """
    found = asyncio.run(_list(session, connection))
    if isinstance(found, SearchFailure):
        raise CommandError(found.detail)
    if is_json:
        print_json({"connection": connection.name, "searches": [_json(each) for each in found]})
    elif found:
        now, zone = utc_now(), session.config.alerts.zone
        rows = [
            TableRow((each.id, format_at(each.created_at, now, zone), each.text)) for each in found
        ]
        print_rows(open_console(), rows, ("ID", "CREATED", "SEARCH"))
    else:
        sys.stdout.write("no search so far\n")


def _json(each: PastSearch) -> dict[str, str | None]:
    return {"id": each.id, "text": each.text, "created_at": each.created_at or None}


async def _list(
    session: Session, connection: SoldscopeConnection
) -> list[PastSearch] | SearchFailure:
    async with HttpClients(1) as clients:
        return await _reader(session, connection, clients).list_past()


def _reader(
    session: Session, connection: SoldscopeConnection, clients: HttpClients
) -> SearchReader:
    try:
        client = clients.get(connection.ca_file, session.config.proxy_of(connection))
    except ValueError as error:
        raise CommandError(str(error)) from error
    access = read_access(session, session.open_for_reading(), {connection.name})
    newer = with_newer_token(connection, access.held)
    assert isinstance(newer, SoldscopeConnection), "it has another token, and is the same"
    return SearchReader(newer, client, session.config.timeout_of(connection))


def follow_search(
    session: Session, connection: SoldscopeConnection, search_id: str, channel: Channel | None
) -> int:
    """Wait until a search has ended, say how, and return the exit code.

    Raises:
        CommandError: No search can have that id.
    """
    if not SEARCH_ID.fullmatch(search_id):
        raise CommandError(f'no search can have the id "{clean(search_id)[:80]}"')
    ending = asyncio.run(_follow(session, connection, search_id))
    if ending.code == DONE:
        sys.stdout.write(ending.sentence + "\n")
    else:
        print_error(ending.sentence)
    if channel is not None and not _send(session, connection.name, ending, channel):
        return ending.code or NOT_DONE
    return ending.code


async def _follow(session: Session, connection: SoldscopeConnection, search_id: str) -> WaitResult:
    # The bar is drawn in here, where Ctrl-C is taken care of already.
    async with HttpClients(1) as clients:
        reader = _reader(session, connection, clients)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            console=open_console(is_stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        ) as progress:
            bar = progress.add_task(f"search {search_id}", total=None, said="")

            def show(percent: float | None, said: str) -> None:
                total = None if percent is None else 100
                progress.update(bar, total=total, completed=percent or 0, said=said)

            return _describe_end(search_id, await _poll_until_over(reader, search_id, show))


async def _poll_until_over(
    reader: SearchReader, search_id: str, show: Show
) -> soldscope.Progress | SearchFailure:
    """Return the answer after which there is nothing more to ask."""
    n_hiccups = 0
    while True:
        answer = await reader.read_progress(search_id)
        match answer:
            case soldscope.Progress(_, percent) if not answer.is_over:
                n_hiccups, pause = 0, POLL_EVERY
                show(percent, "" if percent is None else f"{percent:.0f} %")
            case SearchFailure(SearchFailureKind.HICCUP, detail) if n_hiccups + 1 < GIVE_UP_AFTER:
                n_hiccups, pause = n_hiccups + 1, _pause_after(answer)
                show(None, "no usable response, retrying")
                if n_hiccups == 1:
                    print_error(f"retrying: {detail}")
            case _:
                return answer
        await asyncio.sleep(pause.total_seconds())


def _pause_after(failure: SearchFailure) -> timedelta:
    if failure.retry_at is None:
        return RETRY_AFTER
    return min(max(failure.retry_at - utc_now(), RETRY_AFTER), LONGEST_PAUSE)


def _describe_end(search_id: str, answer: soldscope.Progress | SearchFailure) -> WaitResult:
    who = f"search {clean(search_id)}"
    match answer:
        case soldscope.Progress() if answer.is_completed:
            return WaitResult(DONE, f"{who} is completed: its results are ready")
        case soldscope.Progress():
            return WaitResult(DONE, f"{who} has ended without results: nothing was found")
        case SearchFailure(SearchFailureKind.HICCUP, detail):
            sentence = f"stopped after {GIVE_UP_AFTER} unusable responses in a row: {detail}"
            return WaitResult(NOT_DONE, f"{who}: {sentence}")
        case SearchFailure(kind, detail):
            return WaitResult(EXIT_OF.get(kind, NOT_DONE), f"{who}: {detail}")


def _send(session: Session, name: str, ending: WaitResult, channel: Channel) -> bool:
    """Send one message about the end, now; tell whether the channel took it."""
    if ending.code == DONE:
        title, severity = f"🔵 {name}: a search has ended", Severity.INFO
    else:
        title, severity = f"🟠 {name}: a search could not be followed", Severity.WARNING
    message = Message(title, f"{name}: {ending.sentence}", severity)
    from monitor.notify.samples import SEND_TIMEOUT

    reach = session.config_with_channels.reach_of_channels
    sender = AppriseSender({channel.name: channel.url}, allowed=reach)
    try:
        asyncio.run(ThreadedSender(SEND_TIMEOUT).send(sender, channel.name, (), message, ""))
    except AlertError as error:
        print_error(f"{channel.name} was not notified: {error}")
        return False
    return True
