"""Let people add and edit connections: choose a kind, fill in its fields, have it tried, save it.

What is asked for is declared in `monitor.web.entry_forms`, a trial is made in `monitor.web.trials`,
and what may be written is decided as for programs, in `monitor.web.api_entries`. Nothing that was
typed is lost where something is wrong; secrets stay in a sealed field.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from monitor.config.entries import hide_secrets
from monitor.config.owners import EntryRefused
from monitor.engine.batch import FinishedCheck
from monitor.engine.entries import KeyMissing
from monitor.engine.evaluate import evaluate
from monitor.judge.connections import OWNER_DASHBOARD, OWNER_FILE
from monitor.store import connections, entries
from monitor.web.api import find_or_refuse, no_such_connection
from monitor.web.api_entries import Basis, Conditions, EntryDesk, NotToWrite
from monitor.web.bodies import form
from monitor.web.entry_forms import (
    KINDS,
    NO_ERRORS,
    OTHER,
    PRESET_KINDS,
    STORE_TOKEN,
    EntryKind,
    FormErrors,
    all_keys,
    fill_in,
    kind_of,
    list_stored_secrets,
    place_errors,
    propose,
    read_form,
    show_entry,
)
from monitor.web.handshake import find_key_obstacle
from monitor.web.pages.actions import go_back
from monitor.web.parts import Here, Parts
from monitor.web.sessions import Visitor, Who
from monitor.web.templating import lead_to, render
from monitor.web.trials import Trial, seal, try_connection, unseal
from monitor.web.views import path_of
from monitor.web.visibility import for_all_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitor.engine.evaluate import Evaluated
    from monitor.judge.outcome import Outcome
    from monitor.store.engine import Transaction
    from monitor.store.entries import StoredEntry
    from monitor.web.api_entries import ReadyEntry

log = structlog.get_logger()

router = APIRouter(dependencies=[for_all_groups])

SEALED, VERSION, ACTION = "sealed", "version", "action"
SAVE_PAUSED = "paused"
ENTRY = "entry"
"""What sealed secrets are for."""

UNTRIED = frozenset(
    (
        "authorized_on",
        "channels",
        "enabled",
        "every",
        "group",
        "name",
        "notes",
        "renamed_from",
        "renew_url",
        "tags",
        "valid_days",
    )
)
"""Keys that a trial says nothing about."""

TAKEN = "another connection has this name"
CHANGED_SINCE = (
    "This {} was changed by someone else since you opened it. Your input is below and not saved"
    " yet. Save again to overwrite the other change, or cancel to see it."
)
MOST_ALIKE = 50


# --- a form


@dataclass(frozen=True, slots=True)
class EntryForm:
    """A form as it was filled in.

    Args:
        typed: What stands in its fields, secrets aside.
        secrets: Those that were typed, now or before.
        former: The entry that is edited; None for a new one.
    """

    kind: EntryKind
    typed: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    former: StoredEntry | None = None
    version: str = ""

    @property
    def content(self) -> Mapping[str, Any]:
        """Return what is stored so far."""
        return {} if self.former is None else self.former.table

    @property
    def former_name(self) -> str | None:
        """Return the name so far, if it is to be another one."""
        name = self.typed.get("name", "").strip()
        is_renamed = self.former is not None and name != self.former.name
        return self.former.name if self.former is not None and is_renamed else None

    def read(self) -> dict[str, Any]:
        """Return the entry that it means."""
        values = read_form(self.kind, self.typed, self.content, self.secrets)
        values.pop("renamed_from", None)
        if self.former_name is not None:
            values["renamed_from"] = self.former_name
        return values

    def list_missing(self, said: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the fields that must be filled in and are not, but for those of which it is said.

        The models may stop at the first.
        """
        known, values = {place for place, _ in said}, self.read()
        needed = (one.key for one in self.kind.fields if one.is_required)
        return [(key, "required") for key in needed if key not in known and not values.get(key)]

    def needs_trial(self, values: Mapping[str, Any]) -> bool:
        """Tell whether anything is new that shows only when the service is called."""
        if not self.kind.is_called or self.kind is OTHER:
            return False
        keys = (values.keys() | self.content.keys()) - UNTRIED
        return any(values.get(key) != self.content.get(key) for key in keys)


def _open_form(
    here: Parts,
    who: Visitor,
    kind: EntryKind,
    fields: Mapping[str, str],
    former: StoredEntry | None = None,
) -> EntryForm:
    earlier = unseal(here, who, ENTRY, fields.get(SEALED, "")) or {}
    typed_now = {key: fields[key] for key in kind.secret_keys if fields.get(key)}
    typed = {one.key: fields.get(one.key, "") for one in kind.all_fields if not one.is_secret}
    # Spaces around what is pasted are said of secrets, and mean nothing elsewhere.
    secrets = {key: text for key, text in (earlier | typed_now).items() if key in kind.secret_keys}
    return EntryForm(kind, typed, secrets, former, fields.get(VERSION, ""))


def _show_form(  # noqa: PLR0913 - what can be said about a form
    request: Request,
    here: Parts,
    who: Visitor,
    filled: EntryForm,
    *,
    errors: FormErrors = NO_ERRORS,
    trial: Trial | None = None,
    notice: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    kind, former = filled.kind, filled.former
    choices = {one.key: one.choices for one in kind.all_fields}
    if "application" in choices:
        choices["application"] = tuple((one.name, one.name) for one in here.config.applications)
    stored = list_stored_secrets(kind, filled.content)
    context = {
        "kind": kind,
        "choices": choices,
        "typed": filled.typed,
        "kept": dict.fromkeys(filled.secrets, "Entered. Leave it empty to keep it.")
        | dict.fromkeys(stored - filled.secrets.keys(), "Set. Leave it empty to keep it."),
        "sealed": seal(here, who, ENTRY, filled.secrets),
        "version": filled.version,
        "errors": errors,
        "trial": trial,
        "notice": notice,
        "former": former,
        "path": f"/new/{kind.key}" if former is None else f"{path_of(former.name)}/edit",
        "back": "/new" if former is None else path_of(former.name),
        "obstacle": find_key_obstacle(here.config) if kind.secret_keys and not stored else None,
    }
    return render(request, "entry.html", context, status=status)


async def _save(
    request: Request, here: Parts, who: Visitor, filled: EntryForm, how: str
) -> Response:
    """Try what was typed, and save it, or show the form with what is wrong.

    Args:
        how: `SAVE_PAUSED` for without a trial, paused.
    """
    if not filled.typed.get("name", "").strip() and filled.former is None:
        filled = replace(filled, typed={**filled.typed, "name": await _propose(here, filled)})
    values = filled.read()
    desk = await EntryDesk.open(here, who)
    conditions = (
        Conditions(if_none_match="*")
        if filled.former is None
        else Conditions(if_match=f'"{filled.version}"')
    )
    basis = Basis(str(values.get("name", "")), conditions, filled.former_name)
    is_paused, trial = how == SAVE_PAUSED, None
    try:
        ready = await desk.examine(values, basis)
        if not is_paused and filled.needs_trial(values):
            trial = await try_connection(here, ready.connection)
            if not trial.is_good:
                unsaved = HTTPStatus.UNPROCESSABLE_ENTITY
                return _show_form(request, here, who, filled, trial=trial, status=unsaved)
        await store_entry(desk, ready, basis, trial, is_paused=is_paused)
    except (EntryRefused, KeyMissing, NotToWrite) as error:
        return await _show_refusal(request, here, who, filled, error)
    name = ready.connection.name
    log.info("web.ordered", order="put", connection=name, who=who.who)
    return go_back(request, name, _what_was_done(is_new=filled.former is None, is_paused=is_paused))


async def _show_refusal(
    request: Request,
    here: Parts,
    who: Visitor,
    filled: EntryForm,
    error: EntryRefused | KeyMissing | NotToWrite,
) -> Response:
    """Show why nothing was saved, beside what was typed."""
    show = partial(_show_form, request, here, who, filled)
    unsaved = HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, EntryRefused):
        problems = [*error.problems, *filled.list_missing(error.problems)]
        errors = place_errors(filled.kind.all_fields, problems, filled.typed)
        return show(errors=errors, status=unsaved)
    if isinstance(error, KeyMissing):  # the page says so
        return show(status=HTTPStatus.CONFLICT)
    if filled.former is None:
        return show(errors=FormErrors({"name": TAKEN}), status=unsaved)
    if error.answer.status_code == HTTPStatus.PRECONDITION_FAILED:
        return await _show_newer(request, here, who, filled)
    return lead_to(request, f"{path_of(filled.former.name)}/edit")  # another owner's by now


def _what_was_done(*, is_new: bool, is_paused: bool) -> str:
    if is_paused:
        return "saved-paused"
    return "added" if is_new else "saved"


async def store_entry(
    desk: EntryDesk,
    ready: ReadyEntry,
    basis: Basis,
    trial: Trial | None,
    also: Callable[[Transaction], object] | None = None,
    *,
    is_paused: bool = False,
) -> None:
    """Write an entry, with what its trial found, or paused.

    Args:
        also: What belongs to it and is written before that counts.

    Raises:
        EntryRefused: It takes over a name that it may not.
        NotToWrite: Somebody was faster.
    """
    here, name = desk.here, ready.connection.name
    evaluated: list[Evaluated] = []

    def follow(tx: Transaction) -> None:
        record = connections.find_record(tx, name)
        assert record is not None, "it was just written"
        if also is not None:
            also(tx)
        if is_paused:
            connections.pause(tx, record.id)
        elif trial is not None:
            evaluated.extend(_keep(tx, here, record.id, trial.outcome))

    await desk.store(ready, basis, follow)
    here.void([name] if basis.former_name is None else [name, basis.former_name])
    here.announce(evaluated)


def _keep(tx: Transaction, here: Parts, connection_id: int, outcome: Outcome) -> list[Evaluated]:
    """Store what a trial came to as the first check."""
    return evaluate(tx, [FinishedCheck(connection_id, None, here.clock(), outcome)], here.plan)


async def _show_newer(request: Request, here: Parts, who: Visitor, filled: EntryForm) -> Response:
    """Show what was typed once more, where somebody else has saved the connection since."""
    assert filled.former is not None, "only what is edited can have been changed"
    row = await here.reader.read(partial(_find_own, name=filled.former.name))
    if row is None:
        raise no_such_connection()
    notice = CHANGED_SINCE.format("connection")
    newer = replace(filled, former=row, version=row.digest)
    return _show_form(request, here, who, newer, notice=notice, status=HTTPStatus.CONFLICT)


def _find_own(tx: Transaction, name: str) -> StoredEntry | None:
    return entries.find_of_owner(tx, OWNER_DASHBOARD, name)


async def _propose(here: Parts, filled: EntryForm) -> str:
    """Return a free name for a new connection."""
    host = urlsplit(filled.typed.get("url", "")).hostname or ""
    return await find_free_name(here, propose(filled.kind.proposed or host) or "connection")


async def find_free_name(here: Parts, base: str) -> str:
    """Return *base*, or with a number behind it if a connection has that name."""
    names = [base, *(f"{base}-{n}" for n in range(2, MOST_ALIKE))]
    taken = await here.reader.read(lambda tx: set(here.plan.names_of(tx, names)))
    return next((name for name in names if name not in taken), "")


# --- adding


@router.get("/new")
async def choose(request: Request, here: Here) -> Response:
    """Ask what is to be monitored."""
    context = {
        "kinds": [
            one for one in KINDS.values() if one not in PRESET_KINDS and one is not STORE_TOKEN
        ],
        "presets": PRESET_KINDS,
        "store_token": STORE_TOKEN,
        "has_applications": bool(here.config.applications),
        "obstacle": find_key_obstacle(here.config),
    }
    return render(request, "new.html", context)


def _find_kind(key: str) -> EntryKind:
    kind = KINDS.get(key)
    if kind is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such kind of connection.")
    return kind


@router.get("/new/{kind}")
async def ask(request: Request, here: Here, who: Who, kind: str) -> Response:
    """Ask for what a connection of some kind needs."""
    chosen = _find_kind(kind)
    name = await find_free_name(here, chosen.proposed) if chosen.proposed else ""
    return _show_form(request, here, who, EntryForm(chosen, {"name": name}))


Fields = Annotated[dict[str, str], form(*all_keys(), SEALED, VERSION, ACTION)]


@router.post("/new/{kind}")
async def add(request: Request, here: Here, who: Who, kind: str, fields: Fields) -> Response:
    """Try a connection and save it; show what is wrong otherwise."""
    filled = _open_form(here, who, _find_kind(kind), fields)
    return await _save(request, here, who, filled, fields.get(ACTION, ""))


# --- editing


@router.get("/connections/{name}/edit")
async def edit(request: Request, here: Here, who: Who, name: str) -> Response:
    """Show an entry in its fields; one of the file or a source as it is, and where that is."""

    def read(tx: Transaction) -> tuple[list[str], StoredEntry | None]:
        find_or_refuse(tx, here, name, who.access)
        owners = entries.list_owners(tx, name)
        return owners, entries.find_of_owner(tx, owners[0], name) if owners else None

    owners, row = await here.reader.read(read)
    if row is None:
        raise no_such_connection()
    if row.owner != OWNER_DASHBOARD:
        return _show_foreign(request, here, row, is_shadowing=OWNER_DASHBOARD in owners)
    content = row.table
    kind = kind_of(content)
    filled = EntryForm(kind, fill_in(kind, content) | {"name": name}, {}, row, row.digest)
    return _show_form(request, here, who, filled)


def _show_foreign(
    request: Request, here: Parts, row: StoredEntry, *, is_shadowing: bool
) -> Response:
    content = row.table
    context = {
        "name": row.name,
        "path": path_of(row.name),
        "owner": row.owner,
        "is_of_file": row.owner == OWNER_FILE,
        "file": here.config.path.name,
        "shown": list(show_entry(hide_secrets(content))),
        "is_shadowing": is_shadowing,
    }
    return render(request, "entry_elsewhere.html", context)


@router.post("/connections/{name}/edit")
async def save(request: Request, here: Here, who: Who, name: str, fields: Fields) -> Response:
    """Save an entry that was edited, tried again where a trial could find anything."""

    def read(tx: Transaction) -> StoredEntry | None:
        find_or_refuse(tx, here, name, who.access)
        return _find_own(tx, name)

    row = await here.reader.read(read)
    if row is None:  # the file's, or a source's
        return lead_to(request, f"{path_of(name)}/edit")
    content = row.table
    filled = _open_form(here, who, kind_of(content), fields, row)
    return await _save(request, here, who, filled, fields.get(ACTION, ""))
