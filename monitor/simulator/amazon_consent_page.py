"""
Serve the page on which sellers authorize applications.

Decides how the page looks and where its buttons lead. What it accepts is judged
in `amazon_consent`. Amazon's page wants a signed-in seller; here one is chosen.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

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
from monitor.simulator.fields import read_form, refuse_other_sites
from monitor.simulator.page import answer_page
from monitor.simulator.world import AMAZON_PATH, CONSENT_PATH, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.simulator.amazon_consent import Consent

_CARRIED = ("application_id", "state", "redirect_uri", "version")


def add_consent_pages(app: web.Application, world: World) -> None:
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
        world, now = self._world, self._world.clock.now()
        try:
            consent = self._read(request.query)
        except ConsentError as error:
            return _refused(error)
        context = {
            "consent": consent,
            "region": self._region,
            "path": request.path,
            "opened": int(now.timestamp()),
            "carried": {name: request.query[name] for name in _CARRIED if name in request.query},
            "stores": {
                grant.id: f"{grant.store_name} ({grant.region.upper()}, "
                f"{world.amazon.state_of(grant, now)})"
                for grant in stores_of(world.amazon, consent.application)
            },
        }
        return _page(context)

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """Lead the seller who confirms back to the application, and nobody else."""
        now = self._world.clock.now()
        try:
            refuse_other_sites(request)
            fields = read_form(await request.read())
            consent = self._read(fields)
            if fields.get("answer") != "confirm":
                return _page({})
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


def _refused(error: SimulatorError) -> web.Response:
    code = error.code if isinstance(error, ConsentError) else ""
    return _page({"sentence": str(error), "code": code}, HTTPStatus.BAD_REQUEST)


def _page(context: Mapping[str, object], status: int = HTTPStatus.OK) -> web.Response:
    return answer_page("consent.html", context, status, is_leaving=True)
