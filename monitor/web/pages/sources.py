"""Show where connections come from: how each source is, what is wrong with it, and what it removes.

Removals that are on hold can be accepted here, as by `connwatch sources accept`: only those that
the page showed. How sources are read is decided in `monitor.engine.sources`.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, urlsplit

import structlog
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from monitor.config.sources import FileSource, HttpSource
from monitor.judge.audit import Action, AuditRow
from monitor.judge.sources import Acceptance, SourceState, accept
from monitor.report.sources import list_sources, read_details
from monitor.store import sources
from monitor.store.audit import add_audit
from monitor.web.bodies import form
from monitor.web.parts import Here, Parts
from monitor.web.sessions import Who
from monitor.web.templating import lead_to, render
from monitor.web.views import path_of
from monitor.web.visibility import for_all_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.config.sources import Source
    from monitor.judge.sources import SourceMemory
    from monitor.report.sources import SourceDetails
    from monitor.store.engine import Transaction
    from monitor.store.sources import StoredSource

log = structlog.get_logger()

router = APIRouter(dependencies=[for_all_groups])

HELD = "held"
"""The form's field that says which removals its reader saw."""

CHANGED = "changed"
DONE = {
    "wanted": "The source is being read. Reload this page in a moment to see the result.",
    "accepted": "Accepted. The source is being read again; if its list is still the same, they are"
    " removed.",
    CHANGED: "The list has changed since this page was opened, and nothing was removed. Check"
    " what is on hold now.",
    "nothing_held": "No removals are on hold any more.",
}
"""What the page says of the order that led to it."""

STATE_WORDS = {SourceState.OK: "ok", SourceState.FAILED: "cannot be read", SourceState.HELD: "held"}
SHAPES = {SourceState.OK: "ok", SourceState.FAILED: "failed", SourceState.HELD: "held"}


@dataclass(frozen=True, slots=True)
class ShownSource:
    """A source as the page shows it.

    Args:
        place: Where its rows are; empty for a source that is no longer in the file.
        problems: What is wrong with its first bad rows.
    """

    name: str
    kind: str
    memory: SourceMemory
    details: SourceDetails
    place: str
    problems: Sequence[str]

    @property
    def shape(self) -> str:
        """Return the shape that stands before its state."""
        return SHAPES[self.memory.state] if self.memory.tried_at else "pending"

    @property
    def word(self) -> str:
        """Return how it is."""
        return STATE_WORDS[self.memory.state] if self.memory.tried_at else "not read yet"

    @property
    def path(self) -> str:
        """Return where its buttons send to."""
        return f"/sources/{quote(self.name, safe='')}"


@router.get("/sources")
async def show_sources(request: Request, here: Here, done: str = "") -> Response:
    """Show all sources, with their errors, bad rows and removals."""
    places = {one.name: place_of(one) for one in here.config.sources}

    def read(tx: Transaction) -> list[ShownSource]:
        return [
            _show(one, places.get(one.name, ""), read_details(tx, one.name))
            for one in list_sources(tx, here.config)
        ]

    context = {
        "sources": await here.reader.read(read),
        "done": DONE.get(done, ""),
        "done_tone": "warn" if done == CHANGED else "good",
        "file": here.config.path.name,
        "path_of": path_of,
        "held_field": HELD,
    }
    return render(request, "sources.html", context)


def place_of(source: Source) -> str:
    """Return where a source's rows are, without anything that may be a secret."""
    match source:
        case FileSource():
            return str(source.path)
        case HttpSource():
            return urlsplit(source.url).hostname or ""
        case _:
            return "a database"


def _show(one: StoredSource, place: str, details: SourceDetails) -> ShownSource:
    return ShownSource(one.name, one.kind, one.memory, details, place, one.problems)


def _find(tx: Transaction, here: Parts, name: str) -> StoredSource:
    for one in list_sources(tx, here.config):
        if one.name == name:
            return one
    raise HTTPException(HTTPStatus.NOT_FOUND, "There is no source of this name.")


@router.post("/sources/{name}/refresh", dependencies=[form()])
async def refresh(request: Request, here: Here, who: Who, name: str) -> Response:
    """Have a source read at once."""
    now = here.clock()

    def write(tx: Transaction) -> None:
        sources.want_source(tx, name, _find(tx, here, name).kind, now)

    await here.store.write(write)
    log.info("web.ordered", order="refresh", source=name, who=who.who)
    return lead_to(request, "/sources?done=wanted")


@router.post("/sources/{name}/accept")
async def accept_removals(
    request: Request, here: Here, who: Who, name: str, fields: Annotated[dict[str, str], form(HELD)]
) -> Response:
    """Let the connections go whose removal the page showed as held, and no others."""
    now = here.clock()

    def write(tx: Transaction) -> Acceptance:
        found = _find(tx, here, name)
        said, memory = accept(replace(found.memory, shown=fields.get(HELD, "")))
        if said is Acceptance.ACCEPTED:
            sources.save_memory(tx, name, memory)
            sources.want_source(tx, name, found.kind, now)
            key = (f"sources.{name}",)
            count = found.memory.pending
            add_audit(tx, AuditRow(now, who.who, Action.ACCEPT, keys=key, count=count))
        return said

    said = await here.store.write(write)
    log.info("web.ordered", order="accept", source=name, who=who.who, said=said.value)
    return lead_to(request, f"/sources?done={said.value}")
