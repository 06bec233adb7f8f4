"""
Serve the page on which sellers authorize applications.

Decides how the page looks and where its buttons lead. What it accepts is judged
in `amazon_consent`. Amazon's page wants a signed-in seller; here one is chosen.
"""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from aiohttp import web

from monitor.simulator.amazon_consent import (
    ConsentError,
    check_in_time,
    choose_store,
    confirm,
    read_consent,
    stores_of,
)
from monitor.simulator.amazon_faults import AmazonFault
from monitor.simulator.amazon_marketplaces import Region
from monitor.simulator.errors import SimulatorError
from monitor.simulator.fields import MAX_FIELDS, refuse_other_sites
from monitor.simulator.markup import (
    LEAVING_PAGE_HEADERS,
    write_form,
    write_hidden,
    write_options,
    write_page,
)
from monitor.simulator.world import AMAZON_PATH, CONSENT_PATH, World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.simulator.amazon import Amazon
    from monitor.simulator.amazon_consent import Consent

_CARRIED = ("application_id", "state", "redirect_uri", "version")


def add_routes(app: web.Application, world: World) -> None:
    """
    Add a consent page for each region to *app*.
    """
    for region in Region:
        page = _ConsentPage(world, region)
        path = f"{AMAZON_PATH}/consent/{region}{CONSENT_PATH}"
        app.router.add_get(path, page.show)
        app.router.add_post(path, page.decide)


class _ConsentPage:
    """
    The page in one region's Seller Central.
    """

    def __init__(self, world: World, region: Region) -> None:
        self._world = world
        self._region = region

    async def show(self, request: web.Request) -> web.StreamResponse:
        now = self._world.clock.now()
        try:
            consent = self._read(request.query)
        except ConsentError as error:
            return _refused(error)
        path = request.path
        body = _render(self._world.amazon, consent, self._region, path, request.query, now)
        return _page(body)

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """
        Lead the seller who confirms back to the application, and nobody else.
        """
        now = self._world.clock.now()
        try:
            refuse_other_sites(request)
            fields = _read_form(await request.read())
            consent = self._read(fields)
            if fields.get("answer") != "confirm":
                return _page("<h2>Nothing was authorized</h2><p>The application is not told.</p>")
            check_in_time(fields.get("opened", ""), now)
            grant = choose_store(self._world.amazon, consent, self._region, fields, now)
            target = confirm(self._world.amazon, consent, grant, now)
        except SimulatorError as error:
            return _refused(error)
        headers = {"Location": target, "Cache-Control": "no-store"}
        return web.Response(status=HTTPStatus.FOUND, headers=headers)

    def _read(self, fields: Mapping[str, str]) -> Consent:
        forced = self._world.amazon_faults.of(self._region, None).get(AmazonFault.CONSENT_ERROR)
        return read_consent(self._world.amazon, fields, None if forced is None else str(forced))


def _read_form(raw: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise SimulatorError("the form has too many fields") from error


def _refused(error: SimulatorError) -> web.Response:
    code = error.code if isinstance(error, ConsentError) else ""
    shown = f"<p>Error code: <strong>{escape(code)}</strong></p>" if code else ""
    body = f"<h2>This did not work</h2><p>{escape(str(error))}</p>{shown}"
    return _page(body, HTTPStatus.BAD_REQUEST)


def _page(body: str, status: int = HTTPStatus.OK) -> web.Response:
    text = write_page(
        "Authorize an application",
        f'<header><h1>Seller Central, simulated</h1></header><main><section class="card">{body}'
        "</section></main>",
    )
    return web.Response(
        status=status, text=text, content_type="text/html", headers=LEAVING_PAGE_HEADERS
    )


def _render(
    amazon: Amazon,
    consent: Consent,
    region: Region,
    path: str,
    query: Mapping[str, str],
    now: datetime,
) -> str:
    application = consent.application
    stores = [
        (grant.id, f"{grant.store_name} ({grant.region.upper()}, {amazon.state_of(grant, now)})")
        for grant in stores_of(amazon, application)
    ]
    carried = "".join(write_hidden(name, query[name]) for name in _CARRIED if name in query)
    form = write_form(
        path,
        f'{carried}{write_hidden("opened", str(int(now.timestamp())))}<div class="stack">'
        f'<label>Signed in as <select name="store">'
        f"{write_options([*stores, ('', 'a new store')])}</select></label>"
        '<label>Name of a new store <input name="store_name" maxlength="100" '
        'value="New store"></label>'
        '<div class="row"><button name="answer" value="confirm">Confirm</button>'
        '<button name="answer" value="cancel">Cancel</button></div></div>',
    )
    roles = "".join(f"<li>{escape(role)}</li>" for role in sorted(application.roles))
    return (
        f"<h2>Authorize {escape(application.name)}</h2>"
        f"<p>{escape(application.name)} asks for access to your selling account in the region "
        f"<strong>{region.upper()}</strong>, for 365 days:</p><ul>{roles}</ul>"
        f'<p class="quiet">Afterwards you are led to {escape(consent.redirect_uri)}</p>{form}'
    )
