"""Do what programs and pages order: about connections, and about what people are alerted of.

The same as the commands `validate`, `pause`, `resume`, `renew`, `delete`, `ack`, `silence`
and `alerts`; `monitor.web.security` has made sure that whoever orders may do so. What
orders mean is decided in `monitor.engine.actions` and `monitor.alerting.suppression`.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

import structlog
from fastapi import APIRouter, Depends, Path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor.alerting import suppression
from monitor.config.values import check_past_day
from monitor.engine import actions
from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.audit import ALERTS, ENDED, Action, AuditRow, row_of_mute
from monitor.judge.authorizations import DateChange, start_of
from monitor.judge.suppression import Acknowledgement, Scope
from monitor.report.history import silence_json
from monitor.report.status import ConnectionJson, instant, milliseconds
from monitor.store import alerts, connections
from monitor.store import suppression as stored
from monitor.store.audit import add_audit
from monitor.store.engine import StoreError
from monitor.web import schemas
from monitor.web.api import answer, find_or_refuse, no_such_connection, read_connection
from monitor.web.bodies import refuse_unknown_fields
from monitor.web.parts import Here
from monitor.web.problems import answers, problems
from monitor.web.sessions import Who
from monitor.web.validations import NotPossible, ValidationRun
from monitor.web.visibility import (
    channels_of,
    refuse_limited,
    require_group,
    seen_silences,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.judge.access import Access
    from monitor.judge.connections import ConnectionRecord, Entry
    from monitor.judge.suppression import Silence
    from monitor.store.engine import Transaction

log = structlog.get_logger()

router = APIRouter(
    prefix="/api/v1", tags=["changing"], dependencies=[Depends(refuse_unknown_fields)]
)

_CONNECTION = answers(ConnectionJson, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, is_change=True)


def entry_of(tx: Transaction, here: Here, name: str, access: Access) -> Entry:
    """Return what its owner says of the connection called *name*, deleted or not.

    Args:
        access: What whoever asks may see: what they may not is as if it were not there.

    Raises:
        HTTPException: Nothing is said.
    """
    entry = here.plan.entry(tx, name)
    if entry is None or not access.sees(entry.group):
        raise no_such_connection()
    return entry


def _note(who: Who, order: str, **about: str) -> None:
    """Log who ordered what."""
    log.info("web.ordered", order=order, **about, who=who.who)


async def _change(
    here: Here,
    who: Who,
    action: Action,
    name: str,
    change: Callable[[Transaction, ConnectionRecord], bool],
) -> Response:
    """Change the connection called *name*, and answer with what it is then.

    Args:
        change: Tells whether anything was changed by it.
    """

    def write(tx: Transaction) -> ConnectionJson:
        if change(tx, find_or_refuse(tx, here, name, who.access)):
            add_audit(tx, AuditRow(here.clock(), who.who, action, name))
        return read_connection(tx, here, name, who.access)

    each = await here.store.write(write)
    _note(who, action.value, connection=name)
    return JSONResponse(each)


@router.post(
    "/connections/{name}/validate",
    responses=answers(
        schemas.ValidationJson, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, is_change=True
    ),
)
async def validate(here: Here, who: Who, name: str) -> Response:
    """Check a connection now, step by step, and say what to do.

    A paused connection is checked once and stays paused; the result is not stored.
    """
    _, run = await begin_validation(here, who, name)
    await run.wait()
    if run.answered is None or run.failure is not None:
        raise HTTPException(HTTPStatus.CONFLICT, f"It could not be validated: {run.failure}.")
    each = await here.reader.read(lambda tx: read_connection(tx, here, name, who.access))
    return JSONResponse(validation_json(run, each))


async def begin_validation(
    here: Here, who: Who, name: str
) -> tuple[ConnectionRecord, ValidationRun]:
    """Begin to validate the connection called *name*; return it as it was, and the run.

    Raises:
        HTTPException: There is none, or it cannot be validated.
    """
    record = await here.reader.read(lambda tx: find_or_refuse(tx, here, name, who.access))
    try:
        run = await here.validations.start(name)
    except NotPossible as error:
        raise HTTPException(HTTPStatus.CONFLICT, f"{error}.") from error
    begun = AuditRow(here.clock(), who.who, Action.VALIDATE, name)
    try:
        await here.store.write(lambda tx: add_audit(tx, begun))
    except StoreError as error:
        # The run says so itself where it stores what it found; its steps are shown all the same.
        log.warning("audit.not_written", action=begun.action, connection=name, error=str(error))
    _note(who, "validate", connection=name)
    return record, run


def validation_json(run: ValidationRun, each: ConnectionJson) -> schemas.ValidationJson:
    """Return what a validation found.

    Args:
        each: The connection as it is now.
    """
    return {
        "name": run.name,
        "steps": [
            {
                "name": step.name.value,
                "target": step.target,
                "state": step.state.value,
                "words": step.words,
                "took_ms": milliseconds(step.took_ms),
            }
            for step in run.steps
        ],
        "advice": [
            {
                "remedy": one.remedy,
                "words": one.page.words if one.page else None,
                "url": one.page.url if one.page else None,
            }
            for one in run.advice
        ],
        "connection": each,
    }


@router.post("/connections/{name}/pause", responses=_CONNECTION)
async def pause(here: Here, who: Who, name: str) -> Response:
    """Call nothing and tell nothing until it is resumed."""

    def change(tx: Transaction, record: ConnectionRecord) -> bool:
        connections.pause(tx, record.id)
        return not record.is_paused

    return await _change(here, who, Action.PAUSE, name, change)


@router.post("/connections/{name}/resume", responses=_CONNECTION)
async def resume(here: Here, who: Who, name: str) -> Response:
    """Watch a connection again: after a pause, or after a deletion."""

    def change(tx: Transaction) -> tuple[ConnectionJson, bool]:
        entry = entry_of(tx, here, name, who.access)
        resumed = actions.resume(tx, entry, here.clock())
        if resumed is None:
            find_or_refuse(tx, here, name, who.access)
        elif resumed is not actions.Resumed.NOTHING:
            add_audit(tx, AuditRow(here.clock(), who.who, Action.RESUME, name))
        return read_connection(tx, here, name, who.access), entry.is_enabled

    each, is_enabled = await here.store.write(change)
    if not is_enabled:
        raise HTTPException(
            HTTPStatus.CONFLICT, "The file switches it off: set enabled = true there."
        )
    _note(who, "resume", connection=name)
    return JSONResponse(each)


@router.post("/connections/{name}/renew", responses=_CONNECTION | problems(HTTPStatus.BAD_REQUEST))
async def renew(
    here: Here, who: Who, name: str, renewal: schemas.RenewalSchema | None = None
) -> Response:
    """Record a renewed authorization: its days are counted from the new date."""
    now = here.clock()
    day = renewal.on if renewal else None
    try:
        if day is not None:
            check_past_day(day, now)
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"on: {error}") from error
    at = None if day is None else start_of(day)

    def change(tx: Transaction, _: ConnectionRecord) -> bool:
        renewed = actions.renew(tx, entry_of(tx, here, name, who.access), at, now)
        return renewed is not None and renewed[1] is not DateChange.NONE

    try:
        return await _change(here, who, Action.RENEW, name, change)
    except actions.DayNeeded as needed:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"on: {needed}") from needed


@router.post("/alerts/retry", responses=answers(schemas.RevivedJson, is_change=True))
async def retry(here: Here, who: Who) -> Response:
    """Make dead notifications due again."""
    refuse_limited(who)

    def revive(tx: Transaction) -> int:
        now = here.clock()
        n_due, n_old = suppression.retry_dead(tx, here.plan, now)
        if n_due or n_old:
            retried = AuditRow(now, who.who, Action.RESUME, keys=(ALERTS,), count=n_due + n_old)
            add_audit(tx, retried)
        return n_due

    revived = await here.store.write(revive)
    here.wake()
    _note(who, "retry")
    return JSONResponse({"revived": revived})


# --- what people are alerted of

alerts_router = APIRouter(
    prefix="/api/v1", tags=["alerting"], dependencies=[Depends(refuse_unknown_fields)]
)

LARGEST_ID = 2**63 - 1
"""What a database can hold."""

SilenceId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@alerts_router.get("/silences", responses=answers(schemas.SilenceListJson))
async def list_silences(request: Request, here: Here, who: Who) -> Response:
    """List the silences in effect."""

    def read(tx: Transaction) -> list[Silence]:
        lasting = stored.list_active_silences(tx, here.clock())
        return seen_silences(tx, here, who.access, lasting)

    lasting = await here.reader.read(read)
    return answer(request, {"silences": [silence_json(one) for one in lasting], "next": None})


@alerts_router.post(
    "/silences",
    status_code=HTTPStatus.CREATED,
    responses=answers(
        schemas.BegunSilenceJson,
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        status=HTTPStatus.CREATED,
        is_change=True,
    ),
)
async def silence(here: Here, who: Who, wanted: schemas.NewSilenceSchema) -> Response:
    """Mute the alerts of a connection, of a group, of a tag or of everything.

    Checks continue. When it ends, what is still true is sent.
    """
    now = here.clock()
    is_all = wanted.scope is Scope.ALL
    if is_all != (wanted.target is None):
        what = "null to mute everything" if is_all else f"the {wanted.scope} to mute"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"target: {what}")

    if not who.access.sees_all and wanted.scope not in {Scope.CONNECTION, Scope.GROUP}:
        raise HTTPException(HTTPStatus.FORBIDDEN, "You can mute connections and groups only.")

    def begin(tx: Transaction) -> schemas.BegunSilenceJson:
        if wanted.scope is Scope.TAG and wanted.target not in known_tags(tx, here):
            raise HTTPException(HTTPStatus.NOT_FOUND, "No connection has this tag.")
        if wanted.scope is Scope.GROUP:
            require_group(tx, here, who.access, wanted.target or "")
        if wanted.scope is Scope.CONNECTION:
            find_or_refuse(tx, here, wanted.target or "", who.access)
        begun = suppression.begin_silence(
            tx,
            here.plan,
            wanted.scope,
            wanted.target,
            wanted.length,
            wanted.reason,
            now,
            who.access,
        )
        [kept] = [one for one in stored.list_active_silences(tx, now) if one.id == begun.id]
        add_audit(tx, row_of_mute(now, who.who, wanted.scope, wanted.target))
        return {**silence_json(kept), "held": begun.n_suppressed}

    begun = await here.store.write(begin)
    _note(who, "silence", connection=suppression.describe_scope(wanted.scope, wanted.target))
    return JSONResponse(begun, HTTPStatus.CREATED)


def known_tags(tx: Transaction, here: Here) -> list[str]:
    """Return the tags that connections have, each once."""
    return sorted(here.plan.settings.list_tags(tx))


@alerts_router.delete(
    "/silences/{number}",
    responses=answers(schemas.EndedSilenceJson, HTTPStatus.NOT_FOUND, is_change=True),
)
async def end_silence(here: Here, who: Who, number: SilenceId) -> Response:
    """End a silence early: what was held back and is still true is sent."""

    def end(tx: Transaction) -> int | None:
        now = here.clock()
        lasting = [one for one in stored.list_active_silences(tx, now) if one.id == number]
        if not seen_silences(tx, here, who.access, lasting):
            return None
        n_due = suppression.end_silence(tx, here.plan, number, now, who.access)
        if n_due is not None:
            [ended] = lasting
            add_audit(tx, row_of_mute(now, who.who, ended.scope, ended.target, (ENDED,)))
        return n_due

    n_due = await here.store.write(end)
    if n_due is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such silence now.")
    here.wake()
    _note(who, "end silence", connection=str(number))
    return JSONResponse({"due": n_due})


async def end_all_mutes(here: Here, who: Who) -> None:
    """End every silence of everything; one that is over already is no fault.

    Raises:
        HTTPException: Whoever asks is limited to groups.
    """
    refuse_limited(who)

    def end(tx: Transaction) -> int:
        now = here.clock()
        n_ended = sum(
            suppression.end_silence(tx, here.plan, one.id, now) is not None
            for one in stored.list_active_silences(tx, now)
            if one.scope is Scope.ALL
        )
        if n_ended:
            add_audit(tx, row_of_mute(now, who.who, Scope.ALL, None, (ENDED,), n_ended))
        return n_ended

    n_ended = await here.store.write(end)
    here.wake()
    _note(who, "end silence", connection=f"all ({n_ended})")


@alerts_router.post(
    "/connections/{name}/ack",
    responses=answers(
        schemas.AcknowledgementJson,
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        is_change=True,
    ),
)
async def acknowledge(
    here: Here, who: Who, name: str, given: schemas.NewAcknowledgementSchema | None = None
) -> Response:
    """Acknowledge the present problem of a connection: its reminders stop.

    New problems still alert.
    """
    now = here.clock()
    wanted = given or schemas.NewAcknowledgementSchema()
    until = None if wanted.until is None else start_of(wanted.until)
    if until is not None and until <= now:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "until: a future day")
    kept = Acknowledgement(now, until, wanted.note)

    def write(tx: Transaction) -> str | None:
        record = find_or_refuse(tx, here, name, who.access)
        problem = suppression.acknowledge(tx, record, here.plan, kept)
        if problem is not None:
            add_audit(tx, AuditRow(now, who.who, Action.ACK, name))
        return problem

    problem = await here.store.write(write)
    if problem is None:
        raise HTTPException(HTTPStatus.CONFLICT, "It has no problem to acknowledge.")
    _note(who, "ack", connection=name)
    body: schemas.AcknowledgementJson = {
        "connection": name,
        "trouble": problem,
        "at": instant(kept.at),
        "until": instant(kept.until),
        "note": kept.note,
    }
    return JSONResponse(body)


@alerts_router.delete(
    "/connections/{name}/ack",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(HTTPStatus.NOT_FOUND, is_change=True),
)
async def take_back(here: Here, who: Who, name: str) -> Response:
    """Undo an acknowledgement: reminders are sent again."""

    def drop(tx: Transaction) -> bool:
        record = find_or_refuse(tx, here, name, who.access)
        was_there = stored.drop_acknowledgement(tx, record.id)
        if was_there:
            add_audit(tx, AuditRow(here.clock(), who.who, Action.ACK, name, keys=(ENDED,)))
        return was_there

    if not await here.store.write(drop):
        raise HTTPException(HTTPStatus.NOT_FOUND, "It is not acknowledged.")
    _note(who, "take back ack", connection=name)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@alerts_router.post(
    "/alerts/test",
    responses=answers(
        schemas.TestedJson, HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, is_change=True
    ),
)
async def send_test(here: Here, who: Who, wanted: schemas.NewTestSchema) -> Response:
    """Send a test message to one channel, the way any alert goes."""
    channel = wanted.channel
    seen = channels_of(here, who.access)
    if channel not in seen and not who.access.sees_all:
        raise HTTPException(HTTPStatus.FORBIDDEN, "You can test channels of your groups only.")
    if channel not in seen:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no channel of this name.")

    def send(tx: Transaction) -> int:
        now = here.clock()
        add_audit(tx, AuditRow(now, who.who, Action.VALIDATE, keys=(f"channels.{channel}",)))
        return alerts.add_alert(tx, AlertDue.of(AlertKind.TEST), [], [channel], now)

    number = await here.store.write(send)
    here.wake()
    _note(who, "test", channel=channel)
    return JSONResponse({"alert": number})
