"""Let people list, add, edit and delete channels; each is sent a test message before it is saved.

What is asked for is declared in `monitor.web.channel_forms`; what may be written is decided as for
programs, in `monitor.web.api_channels`. Channels of the file are shown as they are.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from monitor.config.channels import describe_channel
from monitor.config.owners import EntryRefused
from monitor.config.secret import SecretUnavailable
from monitor.engine.channels import read_channels
from monitor.engine.entries import KeyMissing
from monitor.judge.connections import OWNER_FILE
from monitor.notify.channel_urls import BadParts
from monitor.notify.failures import name_failure
from monitor.store import channels
from monitor.web import api_channels
from monitor.web.api_channels import How, MessageNotTaken, put_channel_entry
from monitor.web.api_entries import Conditions, NotToWrite
from monitor.web.bodies import form
from monitor.web.channel_forms import (
    ANY,
    CHANNEL_KINDS,
    ChannelKind,
    all_channel_keys,
    fields_of,
    fill_in_channel,
    name_service,
    place_channel_problem,
    read_channel_form,
    show_rules,
)
from monitor.web.entry_forms import NO_ERRORS, FormErrors, place_errors
from monitor.web.handshake import find_key_obstacle
from monitor.web.pages.entries import ACTION, CHANGED_SINCE, SEALED, VERSION
from monitor.web.parts import Here, Parts
from monitor.web.sessions import Visitor, Who
from monitor.web.templating import lead_to, render
from monitor.web.trials import seal, unseal
from monitor.web.visibility import for_all_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.config.model import Channel
    from monitor.store.channels import StoredChannel

router = APIRouter(dependencies=[for_all_groups])

CHANNEL = "channel"
"""What sealed secrets are for."""

UNTESTED = "untested"
DONE = {
    "added": "Saved. A test message was delivered: look whether it arrived.",
    "untested": "Saved without a test. Send one from here when it should work.",
    "saved": "Saved.",
    "deleted": "Deleted. What was queued for it is not sent.",
}


def path_of_channel(name: str) -> str:
    """Return the path of a channel's pages."""
    return f"/channels/{quote(name, safe='')}"


# --- the list


@dataclass(frozen=True, slots=True)
class ListedChannel:
    """A channel as the list shows it.

    Args:
        service: What people call its service.
        rules: What it receives, in words.
        problem: Why its URL cannot be read; empty if it can.
    """

    name: str
    service: str
    rules: Sequence[tuple[str, str]]
    is_of_file: bool
    path: str
    problem: str = ""


@router.get("/channels")
async def list_channels(request: Request, here: Here, done: str = "") -> Response:
    """List the channels, with what each receives."""
    stored = await here.reader.read(partial(read_channels, config=here.config))
    of_file = {one.name for one in here.config.file_channels}
    own = [one for one in stored if one.name not in of_file]
    context = {
        "channels": [_list_one(here, one) for one in (*here.config.file_channels, *own)],
        "done": DONE.get(done, ""),
        "file": here.config.path.name,
    }
    return render(request, "channels.html", context)


def _list_one(here: Parts, channel: Channel) -> ListedChannel:
    rules = show_rules(describe_channel(channel, here.config))
    service, problem = "", ""
    try:
        service = name_service(channel.url.reveal())
    except SecretUnavailable as error:
        problem = str(error)
    is_of_file = channel.owner == OWNER_FILE
    path = path_of_channel(channel.name)
    return ListedChannel(channel.name, service, rules, is_of_file, path, problem)


# --- a form


@dataclass(frozen=True, slots=True)
class ChannelForm:
    """A form as it was filled in.

    Args:
        kind: How its URL is given; None for one that is kept.
        former: The channel that is edited; None for a new one.
    """

    kind: ChannelKind | None
    typed: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    former: StoredChannel | None = None
    version: str = ""

    @property
    def content(self) -> Mapping[str, Any]:
        """Return what is stored so far."""
        return {} if self.former is None else self.former.table

    @property
    def path(self) -> str:
        """Return where the form is sent."""
        kind = "" if self.kind is None else self.kind.key
        if self.former is None:
            return f"/channels/new/{kind}"
        return f"{path_of_channel(self.former.name)}/edit" + (f"?kind={kind}" if kind else "")


def _open_form(
    here: Parts,
    who: Visitor,
    kind: ChannelKind | None,
    fields: Mapping[str, str],
    former: StoredChannel | None = None,
) -> ChannelForm:
    secret_keys = [one.key for one in (() if kind is None else kind.fields) if one.is_secret]
    earlier = unseal(here, who, CHANNEL, fields.get(SEALED, "")) or {}
    typed_now = {key: fields[key] for key in secret_keys if fields.get(key)}
    secrets = {key: text for key, text in (earlier | typed_now).items() if key in secret_keys}
    typed = {one.key: fields.get(one.key, "") for one in fields_of(kind) if not one.is_secret}
    return ChannelForm(kind, typed, secrets, former, fields.get(VERSION, ""))


def _show_form(  # noqa: PLR0913 - what can be said about a form
    request: Request,
    here: Parts,
    who: Visitor,
    filled: ChannelForm,
    *,
    errors: FormErrors = NO_ERRORS,
    failure: str = "",
    notice: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    kind, former = filled.kind, filled.former
    context = {
        "kind": kind,
        "kinds": CHANNEL_KINDS.values(),
        "fields": fields_of(kind),
        "typed": filled.typed,
        "kept": dict.fromkeys(filled.secrets, "Entered. Leave it empty to keep it."),
        "sealed": seal(here, who, CHANNEL, filled.secrets),
        "version": filled.version,
        "errors": errors,
        "failure": failure,
        "notice": notice,
        "former": former,
        "path": filled.path,
        "own_path": "" if former is None else path_of_channel(former.name),
        "obstacle": find_key_obstacle(here.config),
    }
    return render(request, "channel.html", context, status=status)


async def _save(
    request: Request, here: Parts, who: Visitor, filled: ChannelForm, how: str
) -> Response:
    """Send a test message and save the channel, or show the form with what is wrong.

    Args:
        how: `UNTESTED` for without a message.
    """
    is_new, name = filled.former is None, filled.typed.get("name", "").strip()
    conditions = (
        Conditions(if_none_match="*") if is_new else Conditions(if_match=f'"{filled.version}"')
    )
    # Nothing about its URL is new where that is kept.
    is_untested = how == UNTESTED or filled.kind is None
    try:
        values = read_channel_form(filled.kind, filled.typed, filled.content, filled.secrets)
        await put_channel_entry(
            here, who, name, values, conditions, How(dry_run=False, untested=is_untested)
        )
    except (BadParts, EntryRefused, KeyMissing, NotToWrite) as error:
        return await _show_refusal(request, here, who, filled, error)
    done = "added" if not is_untested else "untested" if how == UNTESTED else "saved"
    return lead_to(request, f"/channels?done={done}")


async def _show_refusal(
    request: Request,
    here: Parts,
    who: Visitor,
    filled: ChannelForm,
    error: BadParts | EntryRefused | KeyMissing | NotToWrite,
) -> Response:
    """Show why nothing was saved, beside what was typed."""
    show = partial(_show_form, request, here, who, filled)
    unsaved = HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, MessageNotTaken):
        # What the service sent back is not shown: only what that means.
        [(_, why)] = error.problems
        return show(failure=name_failure(why), status=unsaved)
    if isinstance(error, BadParts | EntryRefused):
        placed = [(place_channel_problem(filled.kind, place), why) for place, why in error.problems]
        return show(
            errors=place_errors(fields_of(filled.kind), placed, filled.typed), status=unsaved
        )
    if isinstance(error, KeyMissing):  # the page says so
        return show(status=HTTPStatus.CONFLICT)
    if filled.former is None:
        why = "another channel has this name"
        return show(errors=FormErrors({"name": why}), status=unsaved)
    row = await here.reader.read(partial(channels.find_channel, name=filled.former.name))
    if row is None:
        raise api_channels.no_such_channel()
    newer = replace(filled, former=row, version=row.digest)
    notice = CHANGED_SINCE.format("channel")
    return _show_form(request, here, who, newer, notice=notice, status=HTTPStatus.CONFLICT)


# --- editing


def _find_kind(key: str) -> ChannelKind:
    kind = CHANNEL_KINDS.get(key)
    if kind is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such kind of channel.")
    return kind


Fields = Annotated[dict[str, str], form(*all_channel_keys(), SEALED, VERSION, ACTION)]


async def _find_own(here: Parts, name: str) -> StoredChannel:
    """Return a channel that was made here.

    Raises:
        HTTPException: There is none.
    """
    is_of_file = any(one.name == name for one in here.config.file_channels)
    row = await here.reader.read(partial(channels.find_channel, name=name))
    if row is None or is_of_file:
        raise api_channels.no_such_channel()
    return row


@router.get("/channels/{name}/edit")
async def edit(request: Request, here: Here, who: Who, name: str, kind: str = "") -> Response:
    """Show a channel in its fields."""
    row = await _find_own(here, name)
    content = row.table
    chosen = _find_kind(kind) if kind else None
    typed = fill_in_channel(content) | {"name": name}
    return _show_form(request, here, who, ChannelForm(chosen, typed, {}, row, row.digest))


@router.post("/channels/{name}/edit")
async def save(
    request: Request, here: Here, who: Who, name: str, fields: Fields, kind: str = ""
) -> Response:
    """Save a channel that was edited; a new URL is sent a test message."""
    row = await _find_own(here, name)
    # A channel is its name: under another one it would be another channel.
    filled = _open_form(
        here, who, _find_kind(kind) if kind else None, {**fields, "name": name}, row
    )
    return await _save(request, here, who, filled, fields.get(ACTION, ""))


@router.get("/channels/{name}/delete")
async def ask_to_delete(request: Request, here: Here, name: str) -> Response:
    """Ask, and explain what stops."""
    await _find_own(here, name)
    return render(request, "channel_delete.html", {"name": name, "path": path_of_channel(name)})


@router.post("/channels/{name}/delete", dependencies=[form()])
async def delete(request: Request, here: Here, who: Who, name: str) -> Response:
    """Delete a channel, and show the list."""
    await _find_own(here, name)
    await api_channels.delete(here, who, name)
    return lead_to(request, "/channels?done=deleted")


# --- adding, after `edit` and `delete`: a channel may be called "new"


@router.get("/channels/new")
async def choose(request: Request, here: Here) -> Response:
    """Ask where alerts are to go."""
    context = {"kinds": CHANNEL_KINDS.values(), "obstacle": find_key_obstacle(here.config)}
    return render(request, "channel_kinds.html", context)


@router.get("/channels/new/{kind}")
async def ask(request: Request, here: Here, who: Who, kind: str) -> Response:
    """Ask for what a channel of some kind needs."""
    chosen = _find_kind(kind)
    taken = {one.name for one in here.config.channels}
    base = "ops" if chosen is ANY else f"ops-{chosen.key}"
    names = (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3)))
    name = next(name for name in names if name not in taken)
    return _show_form(request, here, who, ChannelForm(chosen, {"name": name}))


@router.post("/channels/new/{kind}")
async def add(request: Request, here: Here, who: Who, kind: str, fields: Fields) -> Response:
    """Send a test message to a channel and save it; show what is wrong otherwise."""
    filled = _open_form(here, who, _find_kind(kind), fields)
    return await _save(request, here, who, filled, fields.get(ACTION, ""))
