"""Let programs keep connections that are not in the file: put, read, delete, many at once.

What an entry may say is decided in `monitor.config.owners`, what it may call in
`monitor.config.hosts`, what follows from it in `monitor.engine.entries`. Secrets come in and never
go out.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Header, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor.config.channels import ChannelRules
from monitor.config.entries import hide_secrets
from monitor.config.hosts import find_unreachable_hosts
from monitor.config.owners import (
    EntryRefused,
    EntryRules,
    find_address,
    list_changed_keys,
    without_answer,
)
from monitor.engine.channels import rename_in_channels
from monitor.engine.ciphers import Cipher, KeyUnusable
from monitor.engine.entries import DASHBOARD, EntryWriter, KeyMissing, open_former
from monitor.engine.entries import NO_KEY as NO_KEY_SET
from monitor.engine.settings import RowSettings
from monitor.judge.access import FULL_ACCESS
from monitor.judge.audit import Action, AuditRow
from monitor.judge.connections import OWNER_DASHBOARD
from monitor.report.status import ConnectionJson
from monitor.sources.rows import check_keys, parse_json
from monitor.store import connections, credentials, entries
from monitor.store.audit import Tally, add_audit
from monitor.store.statements import in_groups
from monitor.web.api import find_or_refuse, names_tag, no_such_connection, read_connection
from monitor.web.bodies import BodyTooLarge, media_type_of, refuse_unknown_fields
from monitor.web.parts import Here, Parts
from monitor.web.problems import ProblemResponse, answers, problem, problems
from monitor.web.schemas import EntrySchema
from monitor.web.sessions import Visitor, Who
from monitor.web.visibility import channels_of, for_all_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from monitor.config.connections import Connection
    from monitor.config.owners import CheckedEntry, FormerEntry
    from monitor.engine.entries import Put
    from monitor.judge.access import Access
    from monitor.judge.connections import WrittenEntry
    from monitor.store.engine import Transaction
    from monitor.store.entries import StoredEntry

log = structlog.get_logger()

router = APIRouter(prefix="/api/v1", tags=["connections"])

NDJSON = "application/x-ndjson"
MOST_LINES = 10_000
LARGEST_LINE = 64 * 1024
LARGEST_BATCH = 64 * 1024 * 1024
"""Of all lines together: they are held until all of them are there."""

AT_ONCE = 200

NO_KEY, OWNED_BY = "/problems/no-key", "/problems/owned-by"

_NOT_MET = "The connection is not as If-Match or If-None-Match says: read it again."


class _Undone(Exception):  # noqa: N818 - it states a condition
    """Raised within a transaction of which nothing is to stay."""

    def __init__(self, result: Any) -> None:
        super().__init__("nothing of it is kept")
        self.result = result


class NotToWrite(Exception):  # noqa: N818 - it states a condition
    """Raised where an entry is not to be written, with the answer that says why."""

    def __init__(self, answer: ProblemResponse) -> None:
        super().__init__("it is not to be written")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class ReadyEntry:
    """An entry that can be written."""

    checked: CheckedEntry
    written: WrittenEntry

    @property
    def connection(self) -> Connection:
        """Return what it means."""
        return self.checked.connection


@dataclass(slots=True)
class EntryDesk:
    """Takes entries in, by the settings that a request began with.

    Args:
        who: Who writes, as the audit names them.
        hosts: Why hosts may not be called, as far as that was asked already.
    """

    here: Parts
    who: str
    rules: EntryRules
    writer: EntryWriter
    settings: RowSettings
    hosts: dict[tuple[str, int], str | None] = field(default_factory=dict)

    @classmethod
    async def open(cls, here: Parts, who: Visitor) -> EntryDesk:
        """Return one for a request of *who*."""
        key = await here.reader.read(find_fingerprint_key)
        settings = here.plan.settings
        assert isinstance(settings, RowSettings), "a daemon goes by rows"
        rules = EntryRules(here.config, partial(credentials.fingerprint, key), here.clock())
        writer = EntryWriter(here.config, here.plan, DASHBOARD, Cipher.find(here.config.web))
        return cls(here, who.who, rules, writer, settings)

    def former(self, tx: Transaction, name: str) -> FormerEntry | None:
        """Return what the dashboard has of the connection called *name*."""
        row = entries.find_of_owner(tx, OWNER_DASHBOARD, name)
        return None if row is None else open_former(self.settings, row)

    def check(self, values: Any, former: FormerEntry | None) -> CheckedEntry:
        """Return the entry that *values* are; raise EntryRefused if it cannot be used."""
        said = without_answer(values) if isinstance(values, dict) else values
        return self.rules.check(said, former)

    async def examine(self, values: Any, basis: Basis) -> ReadyEntry:
        """Return the entry that *values* are, if it may be written.

        Raises:
            EntryRefused: It cannot be used, or names an address that may not be called.
            KeyMissing: It holds a secret that nothing can encrypt.
            NotToWrite: It may not be written.
        """
        former = await self.here.reader.read(partial(basis.find_former, self))
        checked = await asyncio.to_thread(self.check, values, former)
        await self.look_up([checked])
        return self.seal(checked)

    async def store(
        self,
        ready: ReadyEntry,
        basis: Basis,
        also: Callable[[Transaction], object] | None = None,
        *,
        is_kept: bool = True,
    ) -> tuple[ConnectionJson, bool, str]:
        """Write one entry; return the connection, whether it is new, and its digest.

        Args:
            also: What belongs to it and is written with it.

        Raises:
            EntryRefused: It takes over a name that it may not.
            NotToWrite: Somebody was faster.
        """
        name, former_name = ready.connection.name, ready.connection.renamed_from
        has_channels = False

        def write(tx: Transaction) -> tuple[ConnectionJson, bool, str]:
            nonlocal has_channels
            former = basis.find_former(self, tx)
            put = self.put(tx, [ready])
            if put.created or put.changed:
                keys = list_changed_keys(former, ready.checked)
                add_audit(tx, AuditRow(self.here.clock(), self.who, Action.PUT, name, keys=keys))
            if former_name is not None and name in put.created:
                has_channels = self._rename_in_channels(tx, former_name, name)
            if also is not None:
                also(tx)
            result = (
                read_connection(tx, self.here, name, FULL_ACCESS),
                name in put.created,
                ready.written.digest,
            )
            if not is_kept:
                raise _Undone(result)
            return result

        try:
            result = await self.here.store.write(write)
        except _Undone as undone:
            undone_result: tuple[ConnectionJson, bool, str] = undone.result
            return undone_result
        if former_name is not None and result[1]:
            self.here.now.calls.held.rename(former_name, name)
        if has_channels:
            await self.here.follow_stored()
        return result

    def _rename_in_channels(self, tx: Transaction, old: str, new: str) -> bool:
        here, now = self.here, self.here.clock()
        fingerprint = partial(credentials.fingerprint, find_fingerprint_key(tx))
        rules = ChannelRules(here.config, fingerprint, now)
        return rename_in_channels(tx, {old: new}, rules, here.plan, here.config, now)

    async def look_up(self, entries: Sequence[CheckedEntry]) -> None:
        """Find out which hosts that entries name may not be called, several at a time."""
        named = (find_address(one.content, one.connection) for one in entries)
        unknown = {address.place for address in named if address} - self.hosts.keys()
        self.hosts |= await find_unreachable_hosts(unknown, self.here.config.web.reachable)

    def seal(self, checked: CheckedEntry) -> ReadyEntry:
        """Do as `make_ready` does, where the host was looked up before."""
        address = find_address(checked.content, checked.connection)
        why = None if address is None else self.hosts[address.place]
        if address is not None and why is not None:
            raise address.refuse(why)
        return ReadyEntry(checked, self.writer.seal(checked))

    def put(self, tx: Transaction, ready: Sequence[ReadyEntry]) -> Put:
        """Write entries; return what became of them."""
        meant = {one.connection.name: one.connection for one in ready}
        return self.writer.put(tx, [one.written for one in ready], meant, self.here.clock())


def find_fingerprint_key(tx: Transaction) -> bytes:
    """Return what tells texts apart; a daemon that serves has made it."""
    key = credentials.find_key(tx, credentials.FINGERPRINT_KEY)
    assert key is not None, "it is made before anything is served"
    return key


def refuse_entry(error: EntryRefused) -> ProblemResponse:
    """Return the answer to what cannot be used."""
    wrong = [{"place": place, "why": why} for place, why in error.problems]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}.", errors=wrong)


def refuse_without_key(here: Parts) -> ProblemResponse:
    """Return the answer to a secret that nothing can encrypt."""
    why = NO_KEY_SET
    if here.config.web.key is not None:
        try:
            Cipher.of(here.config.web)
        except KeyUnusable as error:
            why = f"a secret is stored encrypted: {error}"
    return problem(HTTPStatus.CONFLICT, f"{why[0].upper()}{why[1:]}.", type=NO_KEY)


def _refuse_owned(owner: str) -> ProblemResponse:
    where = "the configuration file" if owner == "file" else f'the source "{owner}"'
    return problem(
        HTTPStatus.FORBIDDEN,
        f"This connection is in {where}: change it there.",
        type=OWNED_BY,
        owner=owner,
    )


def _owner_beside(tx: Transaction, here: Parts, name: str) -> str | None:
    """Return who owns *name*, if that is not the dashboard."""
    return _owners_beside(tx, here, [name]).get(name)


def _owners_beside(tx: Transaction, here: Parts, names: Collection[str]) -> dict[str, str]:
    """Return who owns those of *names* that are not the dashboard's, usable or not."""
    watched = here.plan.watched_of(tx, names)
    owners = {name: one.owner for name, one in watched.items()} | entries.owners_of(tx, names)
    return {name: owner for name, owner in owners.items() if owner != OWNER_DASHBOARD}


# --- one


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must be so before anything is written."""

    if_match: Annotated[str | None, Header(max_length=1000)] = None
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None

    def are_met(self, tag: str | None) -> bool:
        """Tell whether they allow to write over what *tag* stands for; None for nothing."""
        if tag is None:
            return self.if_match is None
        is_met = self.if_match is None or names_tag(self.if_match, tag)
        return is_met and not (self.if_none_match and names_tag(self.if_none_match, tag))


_ENTRY = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "That of the address; may be left out."},
        "provider": {"enum": ["soldscope", "amazon", "http", "countdown"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "token": {"oneOf": [{"type": "string"}, {"enum": [{"set": True}]}]},
    },
    "required": ["provider"],
    "additionalProperties": True,
}
"""What is sent, as far as all providers have it in common."""

DryRun = Annotated[bool, Query(description="Answer the same, and store nothing.")]


@router.put(
    "/connections/{name}",
    responses=answers(
        ConnectionJson,
        HTTPStatus.CONFLICT,
        HTTPStatus.PRECONDITION_FAILED,
        is_change=True,
    )
    | {201: {"model": ConnectionJson}},
    dependencies=[for_all_groups],
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ENTRY}}}
    },
)
async def put(
    request: Request,
    here: Here,
    who: Who,
    name: str,
    conditions: Annotated[Conditions, Depends()],
    *,
    dry_run: DryRun = False,
) -> Response:
    """Create or replace a connection: the body is an entry as in the file, as JSON.

    A secret is a text, or `{"set": true}` to keep the one that is stored.
    """
    values = json.loads(await request.body() or b"null")
    if isinstance(values, dict) and values.setdefault("name", name) != name:
        wrong = EntryRefused((("name", "not the name in the address"),))
        return refuse_entry(wrong)
    desk = await EntryDesk.open(here, who)
    try:
        basis = Basis(name, conditions)
        ready = await desk.examine(values, basis)
        each, is_new, digest = await desk.store(ready, basis, is_kept=not dry_run)
    except EntryRefused as error:
        return refuse_entry(error)
    except KeyMissing:
        return refuse_without_key(here)
    except NotToWrite as error:
        return error.answer
    if not dry_run:
        here.void([name])
        log.info("web.ordered", order="put", connection=name, who=who.who)
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return JSONResponse(each, status, {"ETag": f'"{digest}"'})


@dataclass(frozen=True, slots=True)
class Basis:
    """What an entry is written over.

    Args:
        name: The name that it is to have.
        former_name: The one that it has so far, where that is another.
    """

    name: str
    conditions: Conditions
    former_name: str | None = None

    def find_former(self, desk: EntryDesk, tx: Transaction) -> FormerEntry | None:
        """Return what is stored of it, if it may be written.

        Raises:
            EntryRefused: Its new name is taken.
            NotToWrite: It may not.
        """
        known = self.former_name or self.name
        if self.former_name is not None and self._is_taken(desk, tx):
            raise EntryRefused((("name", "another connection has this name"),))
        owner = _owner_beside(tx, desk.here, known)
        if owner is not None:
            raise NotToWrite(_refuse_owned(owner))
        row = entries.find_of_owner(tx, OWNER_DASHBOARD, known)
        if not self.conditions.are_met(None if row is None else f'"{row.digest}"'):
            raise NotToWrite(problem(HTTPStatus.PRECONDITION_FAILED, _NOT_MET))
        return None if row is None else open_former(desk.settings, row)

    def _is_taken(self, desk: EntryDesk, tx: Transaction) -> bool:
        is_stored = entries.find_of_owner(tx, OWNER_DASHBOARD, self.name) is not None
        return is_stored or _owner_beside(tx, desk.here, self.name) is not None


@router.get(
    "/connections/{name}/config",
    responses=answers(EntrySchema, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def get_config(request: Request, here: Here, who: Who, name: str) -> Response:
    """Show the entry of a connection as its owner wrote it, without its secrets."""

    def read(tx: Transaction) -> tuple[dict[str, Any], str]:
        owners = entries.list_owners(tx, name)
        if not owners:
            raise no_such_connection()
        shown = OWNER_DASHBOARD if OWNER_DASHBOARD in owners else owners[0]
        row = entries.find_of_owner(tx, shown, name)
        if row is None or not isinstance(row.content, dict):
            raise no_such_connection()
        _require_seen(tx, here, who.access, row)
        beside = {"owner": shown, "shadowed_by": None if shown == owners[0] else owners[0]}
        return _without_others(here, who.access, hide_secrets(row.content)) | beside, row.digest

    body, digest = await here.reader.read(read)
    tag = f'"{digest}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if names_tag(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return JSONResponse(body, headers=headers)


def _without_others(here: Here, access: Access, content: dict[str, Any]) -> dict[str, Any]:
    """Return an entry without the channels that whoever asks does not see."""
    listed = content.get("channels")
    if access.sees_all or not isinstance(listed, list):
        return content
    seen = channels_of(here, access)
    return content | {"channels": [name for name in listed if name in seen]}


def _require_seen(tx: Transaction, here: Here, access: Access, row: StoredEntry) -> None:
    """Raise unless whoever asks sees the connection, and what is shown of it.

    What another owner wrote of the same name may be in another group.
    """
    if access.sees_all:
        return
    watched = here.plan.find(tx, row.name)
    is_seen = watched is not None and access.sees(watched.subject.group)
    if not is_seen or not access.sees(row.content.get("group")):
        raise no_such_connection()


@router.delete(
    "/connections/{name}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(HTTPStatus.NOT_FOUND, is_change=True),
    dependencies=[Depends(refuse_unknown_fields)],
)
async def delete(here: Here, who: Who, name: str) -> Response:
    """Forget a connection with its history.

    An entry of the file or of a source is ignored from then on. What was made in the dashboard or
    by API is gone, and its name is free.
    """
    writer = EntryWriter(here.config, here.plan, DASHBOARD, None)

    def change(tx: Transaction) -> None:
        record = find_or_refuse(tx, here, name, who.access)
        add_audit(tx, AuditRow(here.clock(), who.who, Action.DELETE, name))
        if _owner_beside(tx, here, name) is None:
            writer.remove(tx, [name], here.clock())
        else:
            connections.delete_connection(tx, record, here.clock())

    await here.store.write(change)
    here.void([name])
    log.info("web.ordered", order="delete", connection=name, who=who.who)
    return Response(status_code=HTTPStatus.NO_CONTENT)


# --- many


@router.post(
    "/connections:batch",
    responses={
        200: {"content": {NDJSON: {}}, "description": "A verdict a line, in order."},
        **problems(is_change=True),
    },
    dependencies=[for_all_groups],
    openapi_extra={
        "requestBody": {"required": True, "content": {NDJSON: {"schema": {"type": "string"}}}}
    },
)
async def put_many(
    request: Request,
    here: Here,
    who: Who,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Create or replace connections, an entry a line, each on its own.

    At most 10,000 lines of 64 KiB; the answer has a line for each, in order.
    """
    if media_type_of(request) != NDJSON:
        detail = f"Content-Type: must be {NDJSON}."
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    try:
        lines = await _read_lines(request)
    except BodyTooLarge as error:
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
    desk = await EntryDesk.open(here, who)
    tally = None if dry_run else Tally(who.who, Action.IMPORT)
    verdicts: list[dict[str, Any]] = []
    for some in in_groups(lines, AT_ONCE):
        verdicts += await _put_some(desk, some, tally)
    n_put = sum(not one["errors"] for one in verdicts)
    log.info(
        "web.ordered",
        order="put many",
        lines=len(lines),
        put=n_put,
        who=who.who,
    )
    body = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in verdicts)
    return Response(body, media_type=NDJSON)


async def _read_lines(request: Request) -> list[tuple[int, bytes]]:
    """Return the lines that say something, each with its number.

    Raises:
        BodyTooLarge: There are too many, or too much is in them.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BATCH:
            raise BodyTooLarge(f"At most {LARGEST_BATCH >> 20} MiB may be sent at once.")
    lines = [(n, line) for n, line in enumerate(bytes(body).split(b"\n")) if line.strip()]
    if len(lines) > MOST_LINES:
        raise BodyTooLarge(f"At most {MOST_LINES:,} lines may be sent at once.")
    return lines


@dataclass(slots=True)
class _Line:
    """A line, and what became of it.

    Args:
        owner: Who has that name already, if that is not the dashboard.
        status: 0 while nothing is decided.
    """

    number: int
    values: Any
    name: str | None
    former: FormerEntry | None = None
    checked: CheckedEntry | None = None
    ready: ReadyEntry | None = None
    status: int = 0
    errors: Sequence[tuple[str, str]] = ()

    def refuse(self, status: int, *errors: tuple[str, str]) -> None:
        """Decide that it is not written."""
        self.status, self.errors = status, errors

    def verdict(self) -> dict[str, Any]:
        """Return the line that answers it."""
        errors = [{"place": place, "why": why} for place, why in self.errors]
        return {"line": self.number, "name": self.name, "status": self.status, "errors": errors}


async def _put_some(
    desk: EntryDesk, lines: Sequence[tuple[int, bytes]], tally: Tally | None
) -> list[dict[str, Any]]:
    """Write some lines; return a verdict for each.

    Args:
        tally: What is changed is added to it; None to store nothing.
    """
    parsed = [_parse_line(number, line) for number, line in lines]

    def look(tx: Transaction) -> None:
        """Check what can be known before anything is written."""
        names = [one.name for one in parsed if one.name is not None]
        owners = _owners_beside(tx, desk.here, names)
        for one in parsed:
            if (owner := owners.get(one.name or "")) is not None:
                one.refuse(HTTPStatus.FORBIDDEN, ("name", f"it is owned by {owner}"))
            elif not one.status:
                one.former = desk.former(tx, one.name) if one.name else None
                try:
                    one.checked = desk.check(one.values, one.former)
                except EntryRefused as error:
                    one.refuse(HTTPStatus.UNPROCESSABLE_ENTITY, *error.problems)

    await desk.here.reader.read(look)
    await desk.look_up([one.checked for one in parsed if one.checked is not None])
    for one in parsed:
        if one.checked is None:
            continue
        try:
            one.ready = desk.seal(one.checked)
        except EntryRefused as error:
            one.refuse(HTTPStatus.UNPROCESSABLE_ENTITY, *error.problems)
        except KeyMissing as error:
            one.refuse(HTTPStatus.UNPROCESSABLE_ENTITY, ("", str(error)))
    await _write_some(desk, [one for one in parsed if one.ready is not None], tally)
    return [one.verdict() for one in parsed]


async def _write_some(desk: EntryDesk, lines: Sequence[_Line], tally: Tally | None) -> None:
    """Write what can be written, in one transaction, and decide about each."""

    def write(tx: Transaction) -> None:
        for together in _part(lines):
            _write_together(desk, tx, together, tally)
        if tally is None:
            raise _Undone(None)

    if not lines:
        return
    try:
        await desk.here.store.write(write)
    except _Undone:
        return
    desk.here.void([one.name for one in lines if one.name is not None])


def _part(lines: Sequence[_Line]) -> list[list[_Line]]:
    """Return *lines* in parts, in order: no part has a name twice, and a rename stands alone."""
    parts: list[list[_Line]] = []
    names: set[str | None] = set()
    was_alone = True
    for one in lines:
        assert one.ready is not None, "only such are written"
        is_alone = one.ready.connection.renamed_from is not None
        if is_alone or was_alone or one.name in names:
            parts.append([])
            names = set()
        parts[-1].append(one)
        names.add(one.name)
        was_alone = is_alone
    return parts


def _write_together(
    desk: EntryDesk, tx: Transaction, lines: Sequence[_Line], tally: Tally | None
) -> None:
    names = [one.name for one in lines if one.name is not None]
    owners = _owners_beside(tx, desk.here, names)
    left = []
    for one in lines:
        # A source may have been faster since it was looked at.
        if (owner := owners.get(one.name or "")) is not None:
            one.refuse(HTTPStatus.FORBIDDEN, ("name", f"it is owned by {owner}"))
        elif one.ready is not None:
            left.append((one, one.ready))
    try:
        put = desk.put(tx, [ready for _, ready in left])
    except EntryRefused as error:  # of a rename, which stands alone
        for one, _ in left:
            one.refuse(HTTPStatus.UNPROCESSABLE_ENTITY, *error.problems)
    else:
        for one, _ in left:
            one.status = HTTPStatus.CREATED if one.name in put.created else HTTPStatus.OK
        changed = put.created | put.changed
        if tally is not None:
            keys = {
                key
                for one, ready in left
                if one.name in changed
                for key in list_changed_keys(one.former, ready.checked)
            }
            tally.add(tx, desk.here.clock(), changed, keys)


def _parse_line(number: int, line: bytes) -> _Line:
    why, values = "", None
    if len(line) > LARGEST_LINE:
        why = f"larger than {LARGEST_LINE >> 10} KiB"
    else:
        try:
            values = parse_json(line.decode("utf-8"))
            check_keys(values)
        except UnicodeDecodeError:
            why = "not UTF-8"
        except ValueError as error:
            why = str(error)
    name = values.get("name") if isinstance(values, dict) and not why else None
    # Half of a character can neither be looked up nor be sent back; what is wrong is said below.
    is_text = isinstance(name, str) and name.encode("utf-8", "replace").decode() == name
    one = _Line(number, values, name if is_text else None)
    if why:
        one.refuse(HTTPStatus.UNPROCESSABLE_ENTITY, ("", why))
    return one
