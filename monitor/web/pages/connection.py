"""Show one connection: what is wrong and what to do, on which page, and what happened.

Validates it before the eyes of whoever pressed the button: the page arrives as the steps
do. A browser without scripts shows them as they come, a script takes only the middle of it.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from monitor.alerting.suppression import (
    describe_scope,
    find_acknowledged,
    find_problem,
    list_covering_silences,
)
from monitor.config.connections import AmazonConnection
from monitor.config.model import dashboard_address, link_to
from monitor.config.renewal import STATE
from monitor.judge.connections import OWNER_FILE
from monitor.judge.invites import InviteState
from monitor.judge.outcome import Reason, State
from monitor.notify.times import format_date, format_days_left
from monitor.report.advice import Need, find_page, need_of
from monitor.store import history, suppression
from monitor.store.invites import list_invites, list_proposals
from monitor.store.quota import load_samples
from monitor.web.api import find_or_refuse
from monitor.web.api_actions import begin_validation
from monitor.web.bodies import form
from monitor.web.charts import DAYS_SHOWN, are_enough, draw_charts
from monitor.web.handshake import find_obstacle
from monitor.web.invites import find_invite_obstacle
from monitor.web.pages.actions import DONE
from monitor.web.parts import Here
from monitor.web.sessions import Who, badge_path
from monitor.web.templating import render
from monitor.web.views import make_row, path_of, say_sign_in
from monitor.web.visibility import only_of, seen_silences

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from monitor.judge.invites import Invite
    from monitor.report.advice import Advice, RemedyPage
    from monitor.store.engine import Transaction
    from monitor.store.history import OnlyOf
    from monitor.web.handshake import Obstacle
    from monitor.web.parts import Parts
    from monitor.web.validations import ValidationRun
    from monitor.web.views import ConnectionRow


@dataclass(frozen=True, slots=True)
class RemedyAction:
    """Where somebody can mend a connection.

    Args:
        start: The path on which a handshake begins; None where none is possible.
        obstacle: Why not, where one would help.
        page: A page outside.
        sign_in: As whom to sign in there.
        share: The address to send to whoever owns the store.
        needs_login: That address is a page of ours, behind a password.
    """

    start: str | None = None
    obstacle: Obstacle | None = None
    page: RemedyPage | None = None
    sign_in: str = ""
    share: str | None = None
    needs_login: bool = False


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
        need = need_of(each, Reason(each["reason"]))
    else:
        need = Need.AUTHORIZE if each["expiring_soon"] or each["renewal_unrecorded"] else None
    return RemedyAction() if need is None else _find_action(parts, row, need)


def _find_action(parts: Parts, row: ConnectionRow, need: Need) -> RemedyAction:
    name, connection = row.each["name"], row.connection
    if connection is None:
        return RemedyAction()
    if not isinstance(connection, AmazonConnection):
        return RemedyAction(page=find_page(connection, None, need, ""))
    application = parts.config.application(connection.application)
    page = find_page(connection, application, need, STATE)
    if need is not Need.AUTHORIZE:
        return RemedyAction(page=page)
    obstacle, sign_in = find_obstacle(parts.config, connection), say_sign_in(row.each)
    if obstacle is not None:
        share = page.url if page is not None else None
        return RemedyAction(obstacle=obstacle, page=page, sign_in=sign_in, share=share)
    share = link_to(parts.config, [name]) if parts.config.web.public_url else None
    needs_login = not parts.config.web.is_open
    return RemedyAction(start_of(name), sign_in=sign_in, share=share, needs_login=needs_login)


def follow_advice(parts: Parts, row: ConnectionRow, advice: Sequence[Advice]) -> list[Remedy]:
    """Return *advice* with links that lead back here where that is possible."""
    remedies = []
    for one in advice:
        mending = RemedyAction(page=one.page)
        if one.need is Need.AUTHORIZE:
            mending = _find_action(parts, row, Need.AUTHORIZE)
        remedies.append(Remedy(one.remedy, mending))
    return remedies


router = APIRouter()

HOURLY_SHOWN = timedelta(days=7)
N_CHECKS = 500
N_LISTED = 15


@router.get("/connections/{name}")
async def show_connection(
    request: Request, here: Here, who: Who, name: str, done: str = "", record: str = ""
) -> Response:
    """Show one connection: what is wrong and what to do, then what happened."""
    now = here.clock()

    def read(tx: Transaction) -> dict[str, Any]:
        record = find_or_refuse(tx, here, name, who.access)
        [each] = here.overview.describe(tx, [record.id])
        row = make_row(tx, here, each, now)
        lasting = suppression.list_active_silences(tx, now)
        subject = here.plan.watched_of(tx, [name])[name].subject
        return {
            "trouble": find_problem(record, here.plan),
            "taken_on": find_acknowledged(tx, record, here.plan, now),
            "silences": seen_silences(
                tx, here, who.access, list_covering_silences(lasting, subject)
            ),
            "quotas": load_samples(tx, record.id, record.quota.known.name),
            "outlook": record.outlook.shown(now),
            "each": each,
            "row": row,
            "mending": find_remedy_action(here, row),
            "start": _find_start(here, row),
            "adds_regions": isinstance(row.connection, AmazonConnection)
            and bool(row.connection.valid_days),
            "is_invitable": _is_invitable(here, row),
            "invites": _list_open_invites(tx, record.id, now),
            "proposals": [one.proposal for one in list_proposals(tx, record.id)],
        } | load_past(tx, record.id, now, only_of(here, who.access))

    known = await here.reader.read(read)
    context = known | {
        "is_recording": bool(record),
        "done": DONE.get(done, ""),
        "drawn": draw_charts(known, known["each"], now),
        "n_listed": N_LISTED,
        "badge": badge_path(here, name),
        "badge_address": (dashboard_address(here.config) or "") + badge_path(here, name),
        "tomorrow": f"{now + timedelta(days=1):%Y-%m-%d}",
        "say_date": lambda text: format_date(datetime.fromisoformat(text), now),
        "say_left": lambda text: format_days_left(datetime.fromisoformat(text), now),
        "say_what": describe_scope,
    }
    return render(request, "connection.html", context)


def _find_start(parts: Parts, row: ConnectionRow) -> str | None:
    """Return the path on which a handshake begins; None where its page would only say no."""
    if row.connection is None or find_obstacle(parts.config, row.connection) is not None:
        return None
    return start_of(row.each["name"])


def _is_invitable(parts: Parts, row: ConnectionRow) -> bool:
    """Tell whether a renewal link can be made, so that its button leads somewhere."""
    connection = row.connection
    return connection is not None and find_invite_obstacle(parts.config, connection) is None


def _list_open_invites(tx: Transaction, connection_id: int, now: datetime) -> list[Invite]:
    found = list_invites(tx, connection_id)
    return [one for one in found if one.state(now) is InviteState.OPEN][:N_LISTED]


def load_past(
    tx: Transaction, connection_id: int, now: datetime, only: OnlyOf | None = None
) -> dict[str, Any]:
    """Return what happened to a connection, as far as its page shows it.

    Args:
        only: The groups and channels that whoever asks may see; None for all.
    """
    sums = history.list_sums(tx, connection_id, now - DAYS_SHOWN, now - HOURLY_SHOWN)
    # Raw checks lie among those of all others: more than are listed only if they are drawn.
    n_checks = N_LISTED if are_enough(sums) else N_CHECKS
    return {
        "transitions": history.list_transitions(tx, connection_id, N_LISTED),
        "checks": history.list_checks(tx, connection_id, n_checks),
        "alerts": history.list_alerts(tx, N_LISTED, connection_id=connection_id, only=only),
        "states": history.list_states(tx, connection_id, now - DAYS_SHOWN),
        "sums": sums,
    }


@router.get("/connections/{name}/delete")
async def ask_to_delete(request: Request, here: Here, who: Who, name: str) -> Response:
    """Ask, and explain what stops."""

    def read(tx: Transaction) -> str:
        find_or_refuse(tx, here, name, who.access)
        watched = here.plan.find(tx, name)
        return OWNER_FILE if watched is None else watched.owner

    owner = await here.reader.read(read)
    return render(request, "delete.html", {"name": name, "path": path_of(name), "owner": owner})


# --- validation

MIDDLE = "<!-- steps -->"
ONLY_STEPS = "x-only-steps"


@router.post("/connections/{name}/validate", dependencies=[form()])
async def validate(request: Request, here: Here, who: Who, name: str) -> Response:
    """Begin a validation, and show its steps as they finish."""
    record, run = await begin_validation(here, who, name)
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
    verdict = await parts.reader.read(lambda tx: _verdict(tx, parts, run))
    yield _render(request, "verdict.html", **verdict, is_paused=is_paused) + tail


def _verdict(tx: Transaction, parts: Parts, run: ValidationRun) -> dict[str, object]:
    now = parts.clock()
    row = None if run.answered is None else make_row(tx, parts, run.answered.each, now)
    return {
        "run": run,
        "row": row,
        "said": "" if run.answered is None else run.answered.outcome.detail,
        "remedies": [] if row is None else follow_advice(parts, row, run.advice),
    }


def _render(request: Request, template: str, **context: object) -> str:
    return bytes(render(request, template, context).body).decode()
