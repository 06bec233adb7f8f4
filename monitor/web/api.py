"""Answer programs what is known: connections, their history, alerts, the file, and what happens.

What is said of a connection is decided in `monitor.report`, which commands use as well.
JSON carries a fingerprint: who has it already is spared the body. A stream of events
outlives neither the login nor the token that opened it.
"""

# ruff: noqa: TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

import asyncio
import hashlib
import json
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from monitor.config.secret import SecretUnavailable
from monitor.report.audit import audit_json
from monitor.report.history import HistoryJson, alert_json, history_json
from monitor.report.status import ConnectionJson, instant
from monitor.store import audit, connections, history
from monitor.store.engine import StoreError
from monitor.web import overview
from monitor.web.hub import HubFull
from monitor.web.overview import read_cursor, write_cursor
from monitor.web.parts import Here, is_in_force
from monitor.web.problems import answers, problem, problems
from monitor.web.schemas import AlertListJson, AuditJson, ConfigurationJson, ConnectionListJson
from monitor.web.sessions import Authenticator, NotLetIn, Who
from monitor.web.visibility import channels_of, for_all_groups, only_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
    from contextlib import AbstractContextManager

    from starlette.types import Receive, Scope, Send

    from monitor.judge.access import Access
    from monitor.judge.audit import AuditRow
    from monitor.judge.connections import ConnectionRecord
    from monitor.store.engine import Transaction
    from monitor.store.history import AlertRow, OnlyOf
    from monitor.web.hub import Hub, Queue

router = APIRouter(prefix="/api/v1", tags=["reading"])

REVALIDATE = "private, no-cache"


def answer(request: Request, body: Mapping[str, object]) -> Response:
    """Return *body*, or 304 if the client has the same already."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return tagged(request, text.encode(), "application/json")


def tagged(request: Request, body: bytes, media_type: str, caching: str = REVALIDATE) -> Response:
    """Return *body* with an entity tag; 304 if the client names that tag."""
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": caching}
    if names_tag(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def names_tag(sent: str, tag: str) -> bool:
    """Tell whether *sent*, an If-Match or If-None-Match, names the entity *tag*."""
    tags = [one.strip().removeprefix("W/") for one in sent.split(",")]
    return tag in tags or tags == ["*"]


MOST_LISTED = 1000
USUALLY_LISTED = 100
MOST_WORDS = 10

Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]


class StateSchema(StrEnum):
    """What one can filter by."""

    ACTIVE = "active"
    ERROR = "error"
    EXPIRED = "expired"
    PENDING = "pending"
    PAUSED = "paused"
    EXPIRING_SOON = "expiring_soon"
    NEEDS_ATTENTION = "needs_attention"
    LOW_QUOTA = "low_quota"
    RENEWAL_UNRECORDED = "renewal_unrecorded"
    MUTED = "muted"
    ACKNOWLEDGED = "acknowledged"


class Order(StrEnum):
    """How the list is sorted."""

    FILE = "file"
    WORST_FIRST = "worst_first"


class Wanted(BaseModel, extra="forbid"):
    """Which connections are listed: filters of one kind widen, of several kinds narrow."""

    state: list[StateSchema] = Field(default=[], max_length=10)
    tag: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=20)
    provider: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=20)
    group: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=20)
    q: str = Field(default="", max_length=200, description="Words in name, account, group or tags.")
    order: Order = Order.FILE
    limit: int = Field(
        default=USUALLY_LISTED, ge=1, le=MOST_LISTED, description="How many at most."
    )
    cursor: str | None = Field(
        default=None, max_length=200, description="`next` of the page before."
    )

    def query(self, access: Access) -> overview.Query:
        """Return it as the overview is asked, by somebody who sees what *access* says."""
        return overview.Query(
            states=frozenset(self.state),
            tags=frozenset(self.tag),
            providers=frozenset(self.provider),
            groups=frozenset(self.group),
            access=access,
            words=tuple(self.q.casefold().split()[:MOST_WORDS]),
            is_worst_first=self.order is Order.WORST_FIRST,
            cursor=self.cursor,
            limit=self.limit,
        )


@router.get("/connections", responses=answers(ConnectionListJson))
async def list_connections(
    request: Request, here: Here, who: Who, wanted: Annotated[Wanted, Query()]
) -> Response:
    """List the connections of the file; the summary counts all that match, on every page."""
    query = wanted.query(who.access)
    page = await here.reader.read(lambda tx: here.overview.find(tx, query))
    counts = {key: page.counts[key] for key in overview.SUMMARY}
    body = {"connections": page.connections, "summary": counts, "next": page.next}
    return answer(request, body)


def no_such_connection() -> HTTPException:
    """Return what is said of a name that no connection has."""
    return HTTPException(HTTPStatus.NOT_FOUND, "There is no connection of this name.")


def find_or_refuse(tx: Transaction, here: Here, name: str, access: Access) -> ConnectionRecord:
    """Return the record of the connection called *name*.

    Args:
        access: What whoever asks may see: what they may not is as if it were not there.

    Raises:
        HTTPException: There is none.
    """
    record = connections.find_record(tx, name)
    watched = here.plan.find(tx, name)
    if record is None or not record.is_configured or watched is None:
        raise no_such_connection()
    if not access.sees(watched.subject.group):
        raise no_such_connection()
    return record


def read_connection(tx: Transaction, here: Here, name: str, access: Access) -> ConnectionJson:
    """Return the connection called *name* as it is shown.

    Raises:
        HTTPException: There is none that whoever asks may see.
    """
    [each] = here.overview.describe(tx, [find_or_refuse(tx, here, name, access).id])
    return each


@router.get("/connections/{name}", responses=answers(ConnectionJson, HTTPStatus.NOT_FOUND))
async def get_connection(request: Request, here: Here, who: Who, name: str) -> Response:
    """Describe one connection."""
    each = await here.reader.read(lambda tx: read_connection(tx, here, name, who.access))
    return answer(request, each)


@router.get("/connections/{name}/history", responses=answers(HistoryJson, HTTPStatus.NOT_FOUND))
async def get_history(
    request: Request, here: Here, who: Who, name: str, limit: Limit = USUALLY_LISTED
) -> Response:
    """Say what happened to one connection: changes, checks and alerts, the newest first."""

    def read(tx: Transaction) -> HistoryJson:
        record = find_or_refuse(tx, here, name, who.access)
        only = only_of(here, who.access)
        return history_json(
            record.name,
            history.list_transitions(tx, record.id, limit),
            history.list_checks(tx, record.id, limit),
            history.list_alerts(tx, limit, connection_id=record.id, only=only),
        )

    return answer(request, await here.reader.read(read))


@router.get("/alerts", responses=answers(AlertListJson))
async def list_alerts(
    request: Request,
    here: Here,
    who: Who,
    dead: Annotated[bool, Query(description="Only those that some channel did not take.")] = False,
    limit: Limit = USUALLY_LISTED,
    cursor: Cursor = None,
) -> Response:
    """List what people were told, are being told, or could not be told; the newest first."""
    only = only_of(here, who.access)
    shown, following = await here.reader.read(
        lambda tx: list_alerts_from(tx, cursor, limit, only, only_dead=dead)
    )
    return answer(request, {"alerts": [alert_json(row) for row in shown], "next": following})


def list_alerts_from(
    tx: Transaction, cursor: str | None, limit: int, only: OnlyOf | None, *, only_dead: bool
) -> tuple[list[AlertRow], str | None]:
    """Return a page of the alerts, the newest first, and the cursor of the next one.

    Args:
        only: The groups and channels that whoever asks may see; None for all.

    Raises:
        HTTPException: *cursor* was not made here.
    """
    after = read_cursor(cursor, 1)
    before_id = after[0] if after else None
    rows = history.list_alerts(tx, limit + 1, only_dead=only_dead, before_id=before_id, only=only)
    shown = rows[:limit]
    return shown, write_cursor((shown[-1].id,)) if len(rows) > limit else None


@router.get("/audit", responses=answers(AuditJson))
async def list_audit(
    request: Request,
    here: Here,
    who: Who,
    connection: Annotated[
        str | None, Query(max_length=100, description="Only what was done to this connection.")
    ] = None,
    limit: Limit = USUALLY_LISTED,
    cursor: Cursor = None,
) -> Response:
    """List who changed what, the newest first."""
    shown, following = await here.reader.read(
        lambda tx: list_audit_from(tx, cursor, limit, connection, who.access)
    )
    return answer(request, {"audit": [audit_json(row) for row in shown], "next": following})


def list_audit_from(
    tx: Transaction, cursor: str | None, limit: int, connection: str | None, access: Access
) -> tuple[list[AuditRow], str | None]:
    """Return a page of what was changed, the newest first, and the cursor of the next one.

    Args:
        connection: Only what was done to this one; None for everything.
        access: What whoever asks may see.

    Raises:
        HTTPException: *cursor* was not made here.
    """
    after = read_cursor(cursor, 1)
    rows = audit.list_audit(
        tx,
        connection=connection,
        groups=access.groups,
        before=after[0] if after else None,
        most=limit + 1,
    )
    shown = rows[:limit]
    following = write_cursor((shown[-1][0],)) if len(rows) > limit else None
    return [row for _, row in shown], following


@router.get(
    "/configuration",
    responses=answers(ConfigurationJson, HTTPStatus.FORBIDDEN),
    dependencies=[for_all_groups],
)
async def show_configuration(request: Request, here: Here) -> Response:
    """Say which settings are in force, and what is wrong with the file."""
    reloads = here.reloads
    body: ConfigurationJson = {
        "path": str(here.config.path),
        "read_at": instant(reloads.read_at),
        "failed_at": instant(reloads.failed_at),
        "mistakes": [{"place": one.place, "message": one.message} for one in reloads.problems],
        "needs_restart": list(reloads.need_restart),
    }
    return answer(request, body)


HEARTBEAT_S = 15.0
"""Proxies close what is silent for a minute."""

RIGHTS_LAST_S = 2.0
"""For so long whoever listens may do so, then is looked up anew."""

LONGEST_S = 3600.0
"""Browsers come back by themselves."""

RETRY_MS = 3000


@router.get(
    "/events",
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "`state`, `alert` and `sent` events, or `reload` where there were"
            " too many to tell.",
        },
        **problems(),
    },
)
async def events(request: Request, here: Here, who: Who) -> Response:
    """Stream what happens from now on."""
    authenticator = Authenticator()

    async def is_welcome() -> bool:
        # A reload sends all home who listen, and must find those who were on their way in.
        if not is_in_force(request):
            return False
        try:
            now = await authenticator.recognise(request)
        except StoreError:
            return True  # nothing is known against them, and there is nothing to tell
        except (NotLetIn, SecretUnavailable):
            return False
        # With other rights others are told of: whoever listens comes back for that.
        return (now.by, now.name, now.access) == (who.by, who.name, who.access)

    channels = None if who.access.sees_all else frozenset(channels_of(here, who.access))
    return _EventStream(partial(here.hub.listen, who.access, channels), here.hub, is_welcome)


class _EventStream(Response):
    """The events, for as long as somebody listens; a place among the listeners goes with it."""

    def __init__(
        self,
        listen: Callable[[], AbstractContextManager[Queue]],
        hub: Hub,
        is_welcome: Callable[[], Awaitable[bool]],
    ) -> None:
        super().__init__()
        self._listen = listen
        self._hub = hub
        self._is_welcome = is_welcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the stream, or say that too many listen."""
        try:
            with self._listen() as queue:
                await self._hub.wait_until_looking()
                events = stream(queue, self._is_welcome)
                answer = StreamingResponse(events, media_type="text/event-stream")
                await answer(scope, receive, send)
        except HubFull:
            detail = "Too many event streams are open. Try again in 30 seconds."
            refusal = problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "30"})
            await refusal(scope, receive, send)


async def stream(
    queue: Queue, is_welcome: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[bytes, None]:
    """Yield events, and a comment where there are none for a while.

    Args:
        is_welcome: Tells whether whoever listens may still do so.
    """
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    welcome_until, said_at = began_at, began_at
    yield f"retry: {RETRY_MS}\n: connwatch\n\n".encode()
    while loop.time() < began_at + LONGEST_S:
        if loop.time() >= welcome_until:
            if not await is_welcome():
                return
            welcome_until = loop.time() + RIGHTS_LAST_S
        silent_until = min(welcome_until, said_at + HEARTBEAT_S)
        try:
            event = await asyncio.wait_for(queue.get(), silent_until - loop.time())
        except TimeoutError:
            if loop.time() >= said_at + HEARTBEAT_S:
                said_at = loop.time()
                yield b": still here\n\n"
            continue
        if event is None:
            return
        said_at = loop.time()
        yield event.encode()
