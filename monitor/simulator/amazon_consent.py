"""Serve the page on which sellers authorize applications.

Decides which requests the page refuses, with Amazon's codes, and where a seller who confirms is
led. Amazon's page wants a signed-in seller; here one is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aiohttp import web

from monitor.simulator.amazon import AmazonRegion
from monitor.simulator.base import SimulatorError
from monitor.simulator.control import read_form, refuse_other_sites
from monitor.simulator.faults import AmazonFault
from monitor.simulator.page import answer_page
from monitor.simulator.world import AMAZON_PATH, CONSENT_PATH, World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.simulator.amazon import Amazon, AmazonApplication, Grant


CONSENT_LIFE = timedelta(minutes=10)
MAX_DIGITS = 12

SENTENCES = {
    "MD1000": "The application is not known, or is a draft and the address lacks version=beta.",
    "MD5101": "The redirect URI is not registered with the application.",
    "MD5110": "The redirect URI has a fragment, the part from “#”.",
    "MD9100": "The application has no redirect URI registered.",
    "SPDC8143": "Only the primary user of the account may authorize an application.",
    "CONSENT_LIMIT_REACHED": "The application has reached its number of authorizations.",
}


class ConsentError(SimulatorError):
    """A consent that Amazon's page refuses, and tells nobody but the seller.

    Args:
        code: Amazon's code; empty where none is known.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Consent:
    """What an application asks a seller for.

    Args:
        state: What the application sent along to recognise the answer by.
    """

    application: AmazonApplication
    redirect_uri: str
    state: str | None


def read_consent(amazon: Amazon, fields: Mapping[str, str], forced: str | None) -> Consent:
    """Return what the address of the page asks for, or refuse it.

    Raises `ConsentError`.

    Args:
        forced: The code of an error that is switched on.
    """
    if forced is not None:
        raise _error(forced)
    wanted = fields.get("application_id", "")
    application = next((one for one in amazon.applications if one.application_id == wanted), None)
    if application is None or (application.is_draft and fields.get("version") != "beta"):
        raise _error("MD1000")
    if not application.redirect_uris:
        raise _error("MD9100")
    redirect_uri = fields.get("redirect_uri") or application.redirect_uris[0]
    if "#" in redirect_uri:
        raise _error("MD5110")
    if redirect_uri not in application.redirect_uris:
        raise _error("MD5101")
    return Consent(application, redirect_uri, fields.get("state"))


def check_in_time(opened: str, now: datetime) -> None:
    """Refuse a confirmation more than ten minutes after the page was opened.

    Raises `ConsentError`.

    Args:
        opened: The second in which it was, since the epoch.
    """
    is_number = opened.isascii() and opened.isdecimal() and len(opened) <= MAX_DIGITS
    if not is_number or now.timestamp() - int(opened) > CONSENT_LIFE.total_seconds():
        raise ConsentError("", "This page was open for too long. Start again.")


def confirm(amazon: Amazon, consent: Consent, grant: Grant, now: datetime) -> str:
    """Record that the seller confirmed, and return the address to lead the browser to.

    The year starts anew at once; the new refresh token comes with the code.
    """
    if grant.application is not consent.application:
        raise ConsentError("", "The store belongs to another application.")
    amazon.record_consent(grant.id, now)
    answer = {
        "selling_partner_id": grant.seller_id,
        "spapi_oauth_code": amazon.codes.issue(grant, consent.redirect_uri, now),
    }
    if consent.state is not None:
        answer["state"] = consent.state
    mark = "&" if "?" in consent.redirect_uri else "?"
    return f"{consent.redirect_uri}{mark}{urlencode(answer)}"


def choose_store(
    amazon: Amazon, consent: Consent, region: AmazonRegion, fields: Mapping[str, str], now: datetime
) -> Grant:
    """Return the store whose seller is signed in: a known `store`, or a new `store_name`.

    Its region may differ from the page's: Amazon cannot prevent that either.
    """
    if fields.get("store"):
        return amazon.grant(fields["store"])
    name = fields.get("store_name", "")
    return amazon.add_grant(consent.application.id, region, name, now).grant


def stores_of(amazon: Amazon, application: AmazonApplication) -> list[Grant]:
    """Return the stores of an application."""
    return [grant for grant in amazon.grants if grant.application is application]


def _error(code: str) -> ConsentError:
    return ConsentError(code, SENTENCES[code])


_CARRIED = ("application_id", "state", "redirect_uri", "version")


def add_consent_pages(app: web.Application, world: World) -> None:
    """Add a consent page for each region to *app*; it is also below the region's own address."""
    for region in AmazonRegion:
        page = _ConsentPage(world, region)
        for root in (f"{AMAZON_PATH}/consent/{region}", f"{AMAZON_PATH}/{region}"):
            app.router.add_get(root + CONSENT_PATH, page.show)
            app.router.add_post(root + CONSENT_PATH, page.decide)


class _ConsentPage:
    """The page in one region's Seller Central."""

    def __init__(self, world: World, region: AmazonRegion) -> None:
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
