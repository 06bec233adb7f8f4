"""
Show one connection, and carry out what is ordered about it.

Orders are those of the API; a person is led back to the page afterwards.

Say what to do about a connection, and on which page: the first thing its page shows.

Carry out what pages order about being told: take on a trouble, silence, and back.

Orders are those of the API; a person is led back to where the button was.

Validate a connection before the eyes of whoever pressed the button.

The page arrives as the steps do: a browser without scripts shows them as they
come, a script takes only the middle of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from fastapi import APIRouter
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import RedirectResponse, Response, StreamingResponse

from monitor.alerting.suppression import (
    describe_scope,
    find_acknowledged,
    find_problem,
    list_covering_silences,
)
from monitor.config.connections import AmazonConnection
from monitor.config.model import dashboard_address
from monitor.judge.outcome import Reason, State
from monitor.judge.suppression import Scope
from monitor.notify.words import format_instant
from monitor.report.advice import CONSENT_PATH, NEEDS, Need, find_page
from monitor.store import history, suppression
from monitor.store.quota import load_samples
from monitor.web import api_actions, schemas, views
from monitor.web.api import find_or_refuse, read_connection
from monitor.web.api_actions import (
    SilenceId,
    note,
)
from monitor.web.charts import DAYS_SHOWN, are_enough, draw_charts
from monitor.web.handshake import find_obstacle
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.schemas import NewAcknowledgementSchema, NewSilenceSchema
from monitor.web.security import parse_fields
from monitor.web.sessions import (
    Who,
    badge_path,
)
from monitor.web.templating import base_of, render
from monitor.web.validations import NotPossible
from monitor.web.views import make_row, path_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from datetime import datetime

    from monitor.report.advice import Advice, RemedyPage
    from monitor.store.engine import Transaction
    from monitor.web.handshake import Obstacle
    from monitor.web.parts import Parts
    from monitor.web.validations import ValidationRun
    from monitor.web.views import ConnectionRow


@dataclass(frozen=True, slots=True)
class RemedyAction:
    """
    Where somebody can mend a connection.

    Args:
        start: The path on which a handshake begins; None where none is possible.
        obstacle: Why not, where one would help.
        page: A page outside.
    """

    start: str | None = None
    obstacle: Obstacle | None = None
    page: RemedyPage | None = None


@dataclass(frozen=True, slots=True)
class Remedy:
    """A piece of advice with the way to follow it."""

    words: str
    mending: RemedyAction


def start_of(name: str) -> str:
    """Return the path on which a handshake begins."""
    return f"/oauth/amazon/start/{quote(name, safe='')}"


def find_remedy_action(parts: Parts, row: ConnectionRow) -> RemedyAction:
    """Return where *row* can be mended."""
    each = row.each
    if State(each["state"]) in {State.ERROR, State.EXPIRED}:
        need = NEEDS.get(Reason(each["reason"]))
    else:
        need = Need.AUTHORIZE if each["expiring_soon"] or each["renewal_unrecorded"] else None
    return RemedyAction() if need is None else _find_action(parts, each["name"], need)


def _find_action(parts: Parts, name: str, need: Need) -> RemedyAction:
    connection = parts.config.connection(name)
    if connection is None:
        return RemedyAction()
    application = None
    if isinstance(connection, AmazonConnection):
        application = parts.config.application(connection.application)
        if need is Need.AUTHORIZE:
            obstacle = find_obstacle(parts.config, connection)
            if obstacle is None:
                return RemedyAction(start=start_of(name))
            page = find_page(connection, application, need, "")
            return RemedyAction(obstacle=obstacle, page=_but_consent(page))
    return RemedyAction(page=find_page(connection, application, need, ""))


def follow_advice(parts: Parts, name: str, advice: Sequence[Advice]) -> list[Remedy]:
    """Return *advice* with links that lead back here where that is possible."""
    remedies = []
    for one in advice:
        mending = RemedyAction(page=one.page)
        if one.page is not None and _is_consent(one.page):
            mending = _find_action(parts, name, Need.AUTHORIZE)
        words = views.HANDSHAKE_STEP if mending.start else one.remedy
        remedies.append(Remedy(words, mending))
    return remedies


def _is_consent(page: RemedyPage) -> bool:
    return page.url is not None and CONSENT_PATH in page.url


def _but_consent(page: RemedyPage | None) -> RemedyPage | None:
    """Leave out the consent page itself: its answer could not be taken."""
    return None if page is None or _is_consent(page) else page


router = APIRouter()

HOURLY_SHOWN = timedelta(days=7)
N_CHECKS = 500
N_LISTED = 15

DONE = {
    "paused": "It is paused: nothing is called and nobody is told until it is resumed.",
    "resumed": "It is watched again, and checked now.",
    "renewed": "The renewal is recorded, and the connection is checked now.",
    "taken": "You have taken it on: nobody is reminded of it. A new trouble is told as ever.",
    "untaken": "It is taken back: people are reminded again while the trouble lasts.",
    "silenced": "It is silent now. What is still true when the silence ends is told then.",
    "told": "The silence is over: what was held back and is still true is told now.",
    "authorized": "Authorized again. The new token is in use, and its days count from today.",
}


@router.get("/connections/{name}")
async def show_connection(request: Request, here: Here, name: str, done: str = "") -> Response:
    """Show one connection: what is wrong and what to do, then what happened."""
    now = here.clock()

    def read(tx: Transaction) -> dict[str, object]:
        record = find_or_refuse(tx, here, name)
        return {
            "trouble": find_problem(record, here.plan),
            "taken_on": find_acknowledged(tx, record, here.plan, now),
            "silences": list_covering_silences(
                suppression.list_active_silences(tx, now), name, here.plan
            ),
            "quotas": load_samples(tx, record.id, record.quota.known.name),
            "outlook": record.outlook.shown(now),
            "each": read_connection(tx, here, name),
        } | load_past(tx, record.id, now)

    known = await here.reader.read(read)
    row = make_row(here, known["each"], now)  # type: ignore[arg-type]
    context = known | {
        "row": row,
        "mending": find_remedy_action(here, row),
        "done": DONE.get(done, ""),
        "drawn": draw_charts(known, row.each, now),
        "n_listed": N_LISTED,
        "badge": badge_path(here, name),
        "badge_address": (dashboard_address(here.config) or "") + badge_path(here, name),
        "tomorrow": f"{now + timedelta(days=1):%Y-%m-%d}",
        "say_instant": format_instant,
        "say_what": describe_scope,
    }
    return render(request, "connection.html", context)


def load_past(tx: Transaction, connection_id: int, now: datetime) -> dict[str, object]:
    """Return what happened to a connection, as far as its page shows it."""
    sums = history.list_sums(tx, connection_id, now - DAYS_SHOWN, now - HOURLY_SHOWN)
    # Raw checks lie among those of all others: more than are listed only if they are drawn.
    n_checks = N_LISTED if are_enough(sums) else N_CHECKS
    return {
        "transitions": history.list_transitions(tx, connection_id, N_LISTED),
        "checks": history.list_checks(tx, connection_id, n_checks),
        "alerts": history.list_alerts(tx, N_LISTED, connection_id=connection_id),
        "states": history.list_states(tx, connection_id, now - DAYS_SHOWN),
        "sums": sums,
    }


@router.post("/connections/{name}/pause")
async def pause(request: Request, here: Here, who: Who, name: str) -> Response:
    """Pause it, and show that."""
    await api_actions.pause(here, who, name)
    return go_back(request, name, "paused")


@router.post("/connections/{name}/resume")
async def resume(request: Request, here: Here, who: Who, name: str) -> Response:
    """Resume it, and show that."""
    await api_actions.resume(here, who, name)
    return go_back(request, name, "resumed")


@router.post("/connections/{name}/renew")
async def renew(request: Request, here: Here, who: Who, name: str) -> Response:
    """Record a renewal, and show that."""
    on = (parse_fields(await request.body())).get("on", "")
    try:
        renewal = schemas.RenewalSchema(on=date.fromisoformat(on) if on else None)
    except ValueError:
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY, "The date is not one such as 2026-01-15."
        ) from None
    await api_actions.renew(here, who, name, renewal)
    return go_back(request, name, "renewed")


@router.get("/connections/{name}/delete")
async def ask_to_delete(request: Request, here: Here, name: str) -> Response:
    """Ask, and explain what stops."""
    await here.reader.read(lambda tx: find_or_refuse(tx, here, name))
    return render(request, "delete.html", {"name": name, "path": path_of(name)})


@router.post("/connections/{name}/delete")
async def delete(request: Request, here: Here, who: Who, name: str) -> Response:
    """Delete it, and show the list."""
    await api_actions.delete(here, who, name)
    return RedirectResponse(f"{base_of(request)}/", HTTPStatus.SEE_OTHER)


def go_back(request: Request, name: str, done: str) -> Response:
    """Lead to the page of a connection, which says what was done."""
    return RedirectResponse(f"{base_of(request)}{path_of(name)}?done={done}", HTTPStatus.SEE_OTHER)


Read = TypeVar("Read", bound=BaseModel)


@router.post("/connections/{name}/ack")
async def acknowledge(request: Request, here: Here, who: Who, name: str) -> Response:
    """Take on its trouble, and show that."""
    fields = parse_fields(await request.body())
    sent = {"until": fields.get("until") or None, "note": fields.get("note", "")}
    await api_actions.acknowledge(here, who, name, _read(NewAcknowledgementSchema, sent))
    return go_back(request, name, "taken")


@router.post("/connections/{name}/ack/end")
async def take_back(request: Request, here: Here, who: Who, name: str) -> Response:
    """Take an acknowledgement back, and show that."""
    await api_actions.take_back(here, who, name)
    return go_back(request, name, "untaken")


@router.post("/connections/{name}/silence")
async def silence_connection(request: Request, here: Here, who: Who, name: str) -> Response:
    """Tell nobody of it for a while, and show that."""
    fields = parse_fields(await request.body())
    await _silence(here, who, fields, Scope.CONNECTION, name)
    return go_back(request, name, "silenced")


@router.post("/silences")
async def silence(request: Request, here: Here, who: Who) -> Response:
    """Tell nobody of a tag, or of anything, for a while."""
    fields = parse_fields(await request.body())
    tag = fields.get("tag") or None
    await _silence(here, who, fields, Scope.ALL if tag is None else Scope.TAG, tag)
    return _go_to_alerts(request, "silenced")


async def _silence(
    here: Here, who: Who, fields: dict[str, str], scope: Scope, target: str | None
) -> None:
    sent = {
        "scope": scope,
        "target": target,
        "for": fields.get("for", ""),
        "reason": fields.get("reason", ""),
    }
    await api_actions.silence(here, who, _read(NewSilenceSchema, sent))


@router.post("/silences/{number}/end")
async def end_silence(request: Request, here: Here, who: Who, number: SilenceId) -> Response:
    """End a silence, and go back to the page on which the button was."""
    await api_actions.end_silence(here, who, number)
    name = (parse_fields(await request.body())).get("name", "")
    return go_back(request, name, "told") if name else _go_to_alerts(request, "told")


def _go_to_alerts(request: Request, done: str) -> Response:
    return RedirectResponse(f"{base_of(request)}/alerts?done={done}", HTTPStatus.SEE_OTHER)


def _read(kind: type[Read], sent: Mapping[str, object]) -> Read:
    """
    Return what a form sent, as the API takes it.

    Raises:
        HTTPException: It cannot be that.
    """
    try:
        return kind.model_validate(sent)
    except ValidationError as error:
        wrong = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, wrong) from None


MIDDLE = "<!-- steps -->"
ONLY_STEPS = "x-only-steps"


@router.post("/connections/{name}/validate")
async def validate(request: Request, here: Here, who: Who, name: str) -> Response:
    """Begin a validation, and show its steps as they finish."""
    record = await here.reader.read(lambda tx: find_or_refuse(tx, here, name))
    try:
        run = await here.validations.start(name)
    except NotPossible as error:
        raise HTTPException(HTTPStatus.CONFLICT, f"{error}.") from error
    note(who, "validate", name)
    head = tail = ""
    if ONLY_STEPS not in request.headers:
        page = render(request, "validation.html", {"name": name, "path": path_of(name)})
        head, _, tail = bytes(page.body).decode().partition(MIDDLE)
    return StreamingResponse(
        _stream_steps(request, here, run, (head, tail), is_paused=record.is_switched_off),
        media_type="text/html; charset=utf-8",
        headers={"X-Accel-Buffering": "no"},
    )


async def _stream_steps(
    request: Request, parts: Parts, run: ValidationRun, frame: tuple[str, str], *, is_paused: bool
) -> AsyncGenerator[str, None]:
    head, tail = frame
    yield f'{head}<ol class="steps">'
    n_told, target = 0, ""
    while True:
        await run.wait_for_more(n_told)
        for step in run.steps[n_told:]:
            yield _render(request, "step.html", step=step, is_new=step.target != target)
            target = step.target
        n_told = len(run.steps)
        if run.is_done:
            break
    yield "</ol>"
    yield _render(request, "verdict.html", **_verdict(parts, run), is_paused=is_paused) + tail


def _verdict(parts: Parts, run: ValidationRun) -> dict[str, object]:
    now = parts.clock()
    row = None if run.answered is None else make_row(parts, run.answered.each, now)
    return {
        "run": run,
        "row": row,
        "said": "" if run.answered is None else run.answered.outcome.detail,
        "remedies": follow_advice(parts, run.name, run.advice),
    }


def _render(request: Request, template: str, **context: object) -> str:
    return bytes(render(request, template, context).body).decode()
