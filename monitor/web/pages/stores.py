"""Connect an Amazon store: choose application and region, confirm at Amazon, give it a name.

What an answer of the consent page is worth is decided in `monitor.web.new_stores`; what may be
written, as for all entries, in `monitor.web.api_entries`.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from monitor.config.connections import AmazonConnection
from monitor.config.owners import EntryRefused
from monitor.engine.ciphers import Cipher
from monitor.engine.entries import KeyMissing
from monitor.judge.access import Role
from monitor.judge.audit import Action, AuditRow
from monitor.store import connections
from monitor.store.audit import add_audit
from monitor.web import handshake, new_stores
from monitor.web.api import find_or_refuse
from monitor.web.api_entries import Basis, Conditions, EntryDesk, NotToWrite
from monitor.web.bodies import form
from monitor.web.entry_forms import (
    COMMON,
    NO_ERRORS,
    STORE_TOKEN,
    FormErrors,
    FormField,
    place_errors,
    read_form,
)
from monitor.web.handshake import HandshakeRefused, Seller, find_obstacle, take_grant
from monitor.web.new_stores import (
    REGIONS,
    SHORT,
    KnownStore,
    StoreGrant,
    find_known_stores,
    propose_name,
)
from monitor.web.pages.actions import go_back
from monitor.web.pages.connection import start_of
from monitor.web.pages.entries import (
    ACTION,
    SAVE_PAUSED,
    SEALED,
    TAKEN,
    find_free_name,
    store_entry,
)
from monitor.web.parts import Here, Parts
from monitor.web.security import OWN_PAGES
from monitor.web.sessions import Visitor, Who
from monitor.web.templating import lead_to, render
from monitor.web.trials import Trial, seal, unseal
from monitor.web.views import path_of
from monitor.web.visibility import for_all_groups, refuse_limited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.store.engine import Transaction

log = structlog.get_logger()

router = APIRouter(dependencies=[for_all_groups])

STORE = "store"
"""What a sealed authorization is for."""

AGAIN = "/new/store"
"""Where a store is connected."""

RENEW, ADD = "renew", "add"
CONNECTION = "connection"

_ASKED = ("name", "group", "tags", "notes")
FIELDS: tuple[FormField, ...] = tuple(one for one in COMMON if one.key in _ASKED)


# --- to Amazon


@router.get("/new/store")
async def choose(request: Request, here: Here, who: Who, beside: str = "") -> Response:
    """Ask for application and region, or say what is missing."""
    known = None
    if beside:

        def read(tx: Transaction) -> Any:
            find_or_refuse(tx, here, beside, who.access)
            return here.plan.connection(tx, beside)

        known = await here.reader.read(read)
    store = known if isinstance(known, AmazonConnection) else None
    offered = [
        (one, new_stores.find_store_obstacle(here, one))
        for one in here.config.applications
        if store is None or one.name == store.application
    ]
    context = {
        "applications": offered,
        "regions": {
            region: words
            for region, words in REGIONS.items()
            if store is None or region is not store.region
        },
        "short": SHORT,
        "beside": beside if store is not None else "",
    }
    return render(request, "new_store.html", context)


@router.get("/oauth/amazon/new/{application}/{region}")
async def start(
    request: Request, here: Here, who: Who, application: str, region: str, beside: str = ""
) -> Response:
    """Lead to the region's consent page, or to the page that says why there is no way there.

    Another site gets no further than that page, whose buttons lead here.
    """
    if request.headers.get("sec-fetch-site", "none") not in OWN_PAGES:
        return lead_to(request, "/new/store")
    session = handshake.browser_of(who)
    try:
        target = await new_stores.begin_store(here, application, region, session, beside)
    except handshake.HandshakeImpossible:
        return lead_to(request, "/new/store")
    return RedirectResponse(target, HTTPStatus.SEE_OTHER)


# --- and back


@dataclass(frozen=True, slots=True)
class StoreForm:
    """What is known and typed of a store that was authorized."""

    grant: StoreGrant
    typed: Mapping[str, str] = field(default_factory=dict)

    def read(self) -> dict[str, Any]:
        """Return the entry that it means."""
        entry = self.grant.to_entry(self.typed.get("name", "").strip())
        said = read_form(STORE_TOKEN, self.typed)
        return entry | {key: said[key] for key in _ASKED if key in said}


async def receive(
    request: Request, here: Parts, who: Visitor, begun: new_stores.BegunStore
) -> Response:
    """Take what the consent page sends for a new store, and ask for a name.

    Raises:
        HandshakeRefused: It brings no authorization that counts.
    """
    # Amazon leads back to a route that operators use as well.
    if not who.role.covers(Role.ADMIN):
        raise HTTPException(HTTPStatus.FORBIDDEN, "Only an admin can connect a store.")
    refuse_limited(who)
    session = handshake.browser_of(who)
    grant = await new_stores.receive_grant(here, begun, request.query_params, session)
    log.info("handshake.received", application=grant.application, region=grant.region)
    connection = await _examine(here, who, StoreForm(grant, {"name": "new-store"}))
    trial = await new_stores.try_grant(here, connection)
    typed = await _propose(here, grant, trial.outcome.account)
    return await _show(request, here, who, StoreForm(grant, typed), trial)


async def _propose(here: Parts, grant: StoreGrant, account: str | None) -> dict[str, str]:
    """Return what the form proposes: a name, and what a store of the same seller has."""

    def read(tx: Transaction) -> AmazonConnection | None:
        name = None if grant.beside is None else connections.find_name(tx, grant.beside)
        found = None if name is None else here.plan.connection(tx, name)
        return found if isinstance(found, AmazonConnection) else None

    beside = await here.reader.read(read)
    stem = propose_name(account, beside.name if beside else None, grant.region)
    typed = {"name": await find_free_name(here, stem)}
    if beside is not None:
        typed |= {"group": beside.group or "", "tags": ", ".join(beside.tags)}
    return typed


async def _examine(here: Parts, who: Visitor, filled: StoreForm) -> AmazonConnection:
    """Return the connection that an authorization makes, under a name that does not matter yet."""
    desk = await EntryDesk.open(here, who)
    try:
        connection = desk.check(filled.read(), None).connection
    except EntryRefused as error:
        raise HandshakeRefused(
            "No usable token", f"Amazon's response cannot be used: {error}."
        ) from None
    assert isinstance(connection, AmazonConnection), "it is an entry of a store"
    return connection


async def _show(  # noqa: PLR0913 - what can be said about a form
    request: Request,
    here: Parts,
    who: Visitor,
    filled: StoreForm,
    trial: Trial,
    *,
    errors: FormErrors = NO_ERRORS,
    status: int = HTTPStatus.OK,
) -> Response:
    grant, outcome = filled.grant, trial.outcome
    known: list[KnownStore] = await here.reader.read(
        lambda tx: find_known_stores(tx, here, grant, outcome.account)
    )
    context = {
        "grant": grant,
        "region": REGIONS[grant.region],
        "account": outcome.account,
        "marketplaces": [
            one.country or one.id for one in outcome.marketplaces or () if one.is_participating
        ],
        "trial": trial,
        "known": known,
        "fields": FIELDS,
        "typed": filled.typed,
        "errors": errors,
        "sealed": seal(here, who, STORE, grant.to_json()),
        "path_of": path_of,
    }
    return render(request, "store.html", context, status=status)


Fields = Annotated[dict[str, str], form(*_ASKED, SEALED, ACTION, CONNECTION)]


@router.post("/new/store")
async def finish(request: Request, here: Here, who: Who, fields: Fields) -> Response:
    """Save a store that was authorized under its name, or renew the connection that it is of."""
    values = unseal(here, who, STORE, fields.get(SEALED, ""))
    if values is None:
        late = HandshakeRefused(
            "Too late",
            "The authorization was kept for half an hour, in the browser in which it was started."
            " Nothing was saved. Connect the store again.",
        )
        return await refuse_answer(request, here, who, late, AGAIN)
    filled = StoreForm(StoreGrant.of_json(values), {key: fields.get(key, "") for key in _ASKED})
    try:
        if fields.get(ACTION) == RENEW:
            return await _renew(request, here, who, filled.grant, fields.get(CONNECTION, ""))
        return await _add(request, here, who, filled, fields.get(ACTION, ""))
    except HandshakeRefused as error:
        return await refuse_answer(request, here, who, error, AGAIN)


async def refuse_answer(
    request: Request, here: Parts, who: Visitor, error: HandshakeRefused, again: str | None
) -> Response:
    """Write down that *who* tried, and return the page that says why nothing was changed.

    Args:
        again: Where to start again, if not on the page of the connection.
    """
    log.warning("handshake.refused", connection=error.name, why=error.title)
    tried = AuditRow(here.clock(), who.who, Action.RENEW, error.name, count=0)
    await here.store.write(partial(add_audit, row=tried))
    context = {
        "title": error.title,
        "why": error.why,
        "name": error.name,
        "path": None if error.name is None else path_of(error.name),
        "start": start_of(error.name) if error.name and error.is_by_name else None,
        "again": again,
    }
    return render(request, "handshake.html", context, status=HTTPStatus.BAD_REQUEST)


async def _add(
    request: Request, here: Parts, who: Visitor, filled: StoreForm, how: str
) -> Response:
    connection = await _examine(here, who, StoreForm(filled.grant, {"name": "new-store"}))
    trial = await new_stores.try_grant(here, connection)
    is_paused = how == SAVE_PAUSED
    show = partial(_show, request, here, who, filled, trial, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if not (trial.is_good or is_paused):
        return await show()
    desk, values = await EntryDesk.open(here, who), filled.read()
    basis = Basis(str(values["name"]), Conditions(if_none_match="*"))
    cipher = Cipher.find(here.config.web)
    try:
        ready = await desk.examine(values, basis)
        made = ready.connection
        if cipher is None or not isinstance(made, AmazonConnection):
            raise KeyMissing
        keep = partial(filled.grant.keep, here=here, connection=made, cipher=cipher)
        await store_entry(desk, ready, basis, trial, keep, is_paused=is_paused)
    except EntryRefused as error:
        return await show(errors=place_errors(FIELDS, error.problems, filled.typed))
    except NotToWrite:
        return await show(errors=FormErrors({"name": TAKEN}))
    here.now.calls.held.put(made.name, filled.grant.token, made.refresh_token)
    log.info("web.ordered", order="connect", connection=made.name, who=who.who)
    return go_back(request, made.name, "saved-paused" if is_paused else "added")


async def _renew(
    request: Request, here: Parts, who: Visitor, grant: StoreGrant, name: str
) -> Response:
    """Take an authorization into use for the connection called *name*."""

    def read(tx: Transaction) -> AmazonConnection | None:
        find_or_refuse(tx, here, name, who.access)
        found = here.plan.connection(tx, name)
        return found if isinstance(found, AmazonConnection) else None

    connection = await here.reader.read(read)
    is_same = (
        connection is not None
        and connection.application == grant.application
        and connection.region is grant.region
    )
    if connection is None or not is_same or find_obstacle(here.config, connection) is not None:
        raise HandshakeRefused(
            "Not for this connection",
            f"{name} is of another application or region, or cannot be renewed from here. Nothing"
            " was changed.",
            name,
        )
    await take_grant(here, connection, grant.token, Seller(grant.seller_id), who.who)
    return go_back(request, name, "authorized")
