"""Let programs keep channels that are not in the file: put, read, delete.

What one may say is decided in `monitor.config.channels`, what it may call in
`monitor.config.hosts`, what follows from it in `monitor.engine.channels`. A channel is kept once
its URL took a message. The URL comes in and never goes out.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor.config.channels import URL, ChannelRules, describe_channel, list_connections
from monitor.config.owners import EntryRefused, without_answer
from monitor.engine.channels import drop_channel, put_channel, read_url
from monitor.engine.ciphers import Cipher
from monitor.engine.entries import KeyMissing
from monitor.judge.alerts import AlertKind
from monitor.judge.audit import Action, AuditRow
from monitor.judge.connections import OWNER_DASHBOARD, OWNER_FILE
from monitor.notify.apprise import AppriseSender, find_refusal
from monitor.notify.samples import send_samples
from monitor.store import channels, credentials
from monitor.store.audit import add_audit
from monitor.web.api import names_tag
from monitor.web.api_entries import (
    OWNED_BY,
    Conditions,
    DryRun,
    NotToWrite,
    find_fingerprint_key,
    refuse_entry,
    refuse_without_key,
)
from monitor.web.bodies import refuse_unknown_fields
from monitor.web.parts import Here, Parts
from monitor.web.problems import answers, problem, problems
from monitor.web.schemas import ChannelListSchema, ChannelSchema
from monitor.web.sessions import Visitor, Who
from monitor.web.visibility import for_all_groups

if TYPE_CHECKING:
    from monitor.config.channels import CheckedChannel
    from monitor.config.model import Channel
    from monitor.store.channels import StoredChannel
    from monitor.store.engine import Transaction

log = structlog.get_logger()

router = APIRouter(prefix="/api/v1/channels", tags=["channels"], dependencies=[for_all_groups])

_NOT_MET = "The channel is not as If-Match or If-None-Match says: read it again."

_CHANNEL = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "That of the address; may be left out."},
        "url": {
            "oneOf": [{"type": "string"}, {"enum": [{"set": True}]}],
            "description": 'An Apprise URL, or {"set": true} to keep the one that is stored.',
        },
    },
    "required": ["url"],
    "additionalProperties": True,
}


@dataclass(frozen=True, slots=True)
class How:
    """How a channel is to be put."""

    dry_run: DryRun = False
    untested: Annotated[bool, Query(description="Store it without sending a test message.")] = False


class MessageNotTaken(EntryRefused):
    """Raised for a channel of which a target did not take the test message."""


def _find_of_file(here: Parts, name: str) -> Channel | None:
    return next((one for one in here.config.file_channels if one.name == name), None)


def _require_own(here: Parts, name: str) -> None:
    """Raise NotToWrite for a channel that the file has."""
    if _find_of_file(here, name) is not None:
        raise NotToWrite(
            problem(
                HTTPStatus.FORBIDDEN,
                "This channel is in the configuration file: change it there.",
                type=OWNED_BY,
                owner=OWNER_FILE,
            )
        )


def no_such_channel() -> HTTPException:
    """Return the answer where no channel has the name that is asked for."""
    return HTTPException(HTTPStatus.NOT_FOUND, "There is no channel of this name.")


def _stored_json(here: Parts, name: str, content: Any) -> dict[str, Any]:
    """Return a channel that is stored, as it is shown."""
    is_shadowed = _find_of_file(here, name) is not None
    # Of a damaged row nothing is left but its name.
    said = content if isinstance(content, dict) else {"name": name, URL: {"set": True}}
    return said | {"owner": OWNER_DASHBOARD, "shadowed_by": OWNER_FILE if is_shadowed else None}


def _file_json(here: Parts, channel: Channel) -> dict[str, Any]:
    """Return a channel of the file, as it is shown."""
    return describe_channel(channel, here.config) | {"owner": OWNER_FILE, "shadowed_by": None}


# --- reading


@router.get("", responses=answers(ChannelListSchema, HTTPStatus.FORBIDDEN))
async def list_all(here: Here) -> Response:
    """List the channels: those of the file, then the others by name; without their URLs."""
    stored = await here.reader.read(channels.list_channels)
    listed = [_file_json(here, one) for one in here.config.file_channels]
    listed += [_stored_json(here, one.name, one.content) for one in stored]
    headers = {"Cache-Control": "private, no-cache"}
    return JSONResponse({"channels": listed, "next": None}, headers=headers)


@router.get("/{name}", responses=answers(ChannelSchema, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND))
async def get(request: Request, here: Here, name: str) -> Response:
    """Show a channel as its owner wrote it, without its URL."""

    def read(tx: Transaction) -> tuple[StoredChannel | None, bytes]:
        return channels.find_channel(tx, name), find_fingerprint_key(tx)

    row, key = await here.reader.read(read)
    of_file = _find_of_file(here, name)
    if row is not None:
        body, digest = _stored_json(here, name, row.content), row.digest
    elif of_file is not None:
        body = _file_json(here, of_file)
        digest = credentials.fingerprint(key, json.dumps(body, sort_keys=True))
    else:
        raise no_such_channel()
    tag = f'"{digest}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if names_tag(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return JSONResponse(body, headers=headers)


# --- writing


@router.put(
    "/{name}",
    responses=answers(
        ChannelSchema, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, is_change=True
    )
    | {201: {"model": ChannelSchema}},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": _CHANNEL}}}
    },
)
async def put(
    request: Request,
    here: Here,
    who: Who,
    name: str,
    conditions: Annotated[Conditions, Depends()],
    how: Annotated[How, Depends()],
) -> Response:
    """Create or replace a channel, once its URL took a test message.

    The body is an entry of `[[channels]]` as JSON, without `template`.
    """
    values = json.loads(await request.body() or b"null")
    if isinstance(values, dict):
        if values.setdefault("name", name) != name:
            return refuse_entry(EntryRefused((("name", "not the name in the address"),)))
        values = without_answer(values)
    try:
        checked, is_new = await put_channel_entry(here, who, name, values, conditions, how)
    except KeyMissing:
        return refuse_without_key(here)
    except EntryRefused as error:
        return refuse_entry(error)
    except NotToWrite as error:
        return error.answer
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    body = _stored_json(here, name, dict(checked.content))
    return JSONResponse(body, status, {"ETag": f'"{checked.digest}"'})


async def put_channel_entry(
    here: Parts, who: Visitor, name: str, values: Any, conditions: Conditions, how: How
) -> tuple[CheckedChannel, bool]:
    """Create or replace a channel; return it, and whether it is new.

    Raises:
        EntryRefused: It cannot be used, or a target did not take the test message.
        KeyMissing: Nothing can encrypt its URL.
        NotToWrite: It may not be written.
    """
    checked = await _check(here, name, values, conditions)
    cipher = Cipher.find(here.config.web)
    if cipher is None:
        raise KeyMissing
    await _try_url(here, checked, is_sent=not (how.dry_run or how.untested))
    is_new = await _store(here, who, checked, conditions, cipher, is_kept=not how.dry_run)
    if not how.dry_run:
        await here.follow_stored()
        log.info(
            "web.ordered",
            order="put channel",
            channel=name,
            who=who.who,
        )
    return checked, is_new


@dataclass(frozen=True, slots=True)
class _Basis:
    """What is known before a channel is written."""

    key: bytes
    former: StoredChannel | None
    watched: frozenset[str]


async def _check(here: Parts, name: str, values: Any, conditions: Conditions) -> CheckedChannel:
    """Return the channel that *values* are.

    Raises:
        EntryRefused: It cannot be used.
        NotToWrite: It may not be written.
    """

    def read(tx: Transaction) -> _Basis:
        former = _find_writable(tx, here, name, conditions)
        watched = here.plan.names_of(tx, list_connections(values))
        return _Basis(find_fingerprint_key(tx), former, frozenset(watched))

    known = await here.reader.read(read)
    rules = ChannelRules(here.config, partial(credentials.fingerprint, known.key), here.clock())
    former_url = None if known.former is None else read_url(known.former, here.config)
    return await asyncio.to_thread(rules.check, values, former_url, known.watched)


def _find_writable(
    tx: Transaction, here: Parts, name: str, conditions: Conditions
) -> StoredChannel | None:
    """Return what is stored of *name*, if it may be written under these *conditions*."""
    _require_own(here, name)
    row = channels.find_channel(tx, name)
    if not conditions.are_met(None if row is None else f'"{row.digest}"'):
        raise NotToWrite(problem(HTTPStatus.PRECONDITION_FAILED, _NOT_MET))
    return row


async def _try_url(here: Parts, checked: CheckedChannel, *, is_sent: bool) -> None:
    """Find out whether the URL of a channel is of use.

    Args:
        is_sent: A message is sent, which every target must take.

    Raises:
        EntryRefused: It is not; says why, without the URL.
    """
    allowed, channel = here.config.web.reachable, checked.channel
    why = await asyncio.to_thread(find_refusal, checked.url, allowed)
    if why is not None:
        raise EntryRefused(((URL, why),))
    if not is_sent:
        return
    sender = AppriseSender.for_channels([channel], allowed={channel.name: allowed})
    config = here.config.with_channels([channel])
    _, why = await send_samples(sender, channel.name, [AlertKind.TEST], config)
    if why is not None:
        raise MessageNotTaken(((URL, why),))


async def _store(
    here: Parts,
    who: Visitor,
    checked: CheckedChannel,
    conditions: Conditions,
    cipher: Cipher,
    *,
    is_kept: bool,
) -> bool:
    """Write a channel, and tell whether it is new."""
    name = checked.channel.name

    def write(tx: Transaction) -> bool:
        # Somebody may have been faster while the message was sent.
        former = _find_writable(tx, here, name, conditions)
        if is_kept and (former is None or former.digest != checked.digest):
            keys = _list_changed_keys(here, former, checked)
            put_channel(tx, checked, cipher, here.plan, here.config, here.clock())
            add_audit(tx, AuditRow(here.clock(), who.who, Action.PUT, keys=keys))
        return former is None

    return await here.store.write(write)


def _list_changed_keys(
    here: Parts, former: StoredChannel | None, checked: CheckedChannel
) -> tuple[str, ...]:
    """Return which channel it is, and the names of the keys that say something else than before."""
    before = {} if former is None else former.table
    keys = {*before, *checked.content} - {URL}
    changed = {key for key in keys if before.get(key) != checked.content.get(key)}
    if former is None or read_url(former, here.config) != checked.url:
        changed.add(URL)
    return (path_in_audit(checked.channel.name), *sorted(changed))


def path_in_audit(name: str) -> str:
    """Return how the audit names the channel called *name*."""
    return f"channels.{name}"


@router.delete(
    "/{name}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(HTTPStatus.NOT_FOUND, is_change=True),
    dependencies=[Depends(refuse_unknown_fields)],
)
async def delete(here: Here, who: Who, name: str) -> Response:
    """Forget a channel with its URL; what was due there is not sent."""

    def change(tx: Transaction) -> None:
        _require_own(here, name)
        if channels.find_channel(tx, name) is None:
            raise no_such_channel()
        add_audit(tx, AuditRow(here.clock(), who.who, Action.DELETE, keys=(path_in_audit(name),)))
        drop_channel(tx, name, here.plan, here.config, here.clock())

    try:
        await here.store.write(change)
    except NotToWrite as error:
        return error.answer
    await here.follow_stored()
    log.info("web.ordered", order="delete channel", channel=name, who=who.who)
    return Response(status_code=HTTPStatus.NO_CONTENT)
