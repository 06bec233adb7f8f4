"""Serve LWA and the regional hosts over HTTP, below the simulator's root or on ports of their own.

Decides the order in which a request meets faults and the service, what a fault answers in another
answer's place, and which ports are open, so that one host can be down while the others work.
Faults that only change an answer are heeded where it is made, in `amazon_api`.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import web

from monitor.simulator.amazon import AmazonRegion
from monitor.simulator.amazon_api import (
    PARTICIPATIONS_PATH,
    REFUSED,
    ROTATION_PATH,
    TOKEN_HEADER,
    SpCall,
    SpError,
    answer_participations,
    answer_rotation,
    answer_token_request,
    denied,
    not_routed,
    read_token_request,
    refusal,
    sp_error,
    throttled,
    unauthorized_client,
)
from monitor.simulator.base import (
    MAX_BODY,
    SimulatedAnswer,
    SimulatorError,
    UnknownNameError,
    serve,
)
from monitor.simulator.faults import AmazonFault, Fault, Wording
from monitor.simulator.misbehave import break_connection, delay
from monitor.simulator.world import TOKEN_PATH

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from monitor.simulator.amazon import Amazon
    from monitor.simulator.faults import Value
    from monitor.simulator.world import World

    Look = Fault | Callable[[Value], SimulatedAnswer]


ERROR_PAGE = (
    b"<!doctype html><html><head><title>Service unavailable</title></head>"
    b"<body><h1>Service unavailable</h1><p>Please try again later.</p></body></html>"
)


def _page(value: Value) -> SimulatedAnswer:
    return SimulatedAnswer(int(float(value or 0)), ERROR_PAGE, "text/html; charset=utf-8")


# What a fault answers, or does to the connection in the words of `misbehave`; the first one wins.
_LWA_LOOKS: Mapping[AmazonFault, Look] = {
    AmazonFault.LWA_HANG: Fault.HANG,
    AmazonFault.LWA_RESET: Fault.RESET,
    AmazonFault.LWA_500: lambda _: refusal(
        HTTPStatus.INTERNAL_SERVER_ERROR, "server_error", "Internal Server Error"
    ),
    AmazonFault.LWA_503: lambda _: refusal(
        HTTPStatus.SERVICE_UNAVAILABLE, "temporarily_unavailable", "Service Unavailable"
    ),
    AmazonFault.LWA_HTML: _page,
    AmazonFault.LWA_EMPTY: lambda _: SimulatedAnswer(HTTPStatus.OK, b""),
    # Nobody has documented what being throttled looks like here.
    AmazonFault.LWA_THROTTLE: lambda _: refusal(
        HTTPStatus.TOO_MANY_REQUESTS, "temporarily_unavailable", "Rate exceeded"
    ),
    AmazonFault.LWA_ACCESS_DENIED: lambda _: refusal(
        HTTPStatus.FORBIDDEN, "access_denied", "Access denied"
    ),
    AmazonFault.LWA_UNAUTHORIZED_CLIENT: lambda _: unauthorized_client(),
}

_SP_LOOKS: Mapping[AmazonFault, Look] = {
    AmazonFault.SP_HANG: Fault.HANG,
    AmazonFault.SP_RESET: Fault.RESET,
    AmazonFault.SP_500: lambda _: sp_error(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "InternalFailure",
        "We encountered an internal error. Please try again.",
        "",
    ),
    AmazonFault.SP_503: lambda _: sp_error(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "ServiceUnavailable",
        "Service is temporarily unavailable. Please try again.",
        "",
    ),
    AmazonFault.SP_HTML: _page,
    AmazonFault.SP_EMPTY: lambda value: SimulatedAnswer(int(float(value or 0)), b""),
    AmazonFault.SP_THROTTLE: lambda _: throttled(),
    AmazonFault.SP_401: lambda _: replace(denied(REFUSED), status=401, headers={}),
    AmazonFault.SP_404: lambda _: sp_error(
        HTTPStatus.NOT_FOUND, "NotFound", "Resource not found.", ""
    ),
    AmazonFault.STORM_403: lambda _: denied(""),
    AmazonFault.TOKEN_REFUSED: lambda _: denied(REFUSED),
}


def reshape(answer: SimulatedAnswer, faults: Mapping[AmazonFault, Value]) -> SimulatedAnswer:
    """Return the answer as the faults about its form leave it."""
    spoils = {AmazonFault.SHUFFLED_KEYS, AmazonFault.MISSING_DETAILS} & faults.keys()
    if not spoils or answer.content_type != "application/json" or not answer.body:
        return answer
    body = json.loads(answer.body)
    if AmazonFault.MISSING_DETAILS in faults:
        for error in body.get("errors", ()):
            if error.get("details") == "":
                del error["details"]
    if AmazonFault.SHUFFLED_KEYS in faults:
        body = _turn_round(body)
    return replace(answer, body=json.dumps(body).encode())


def _turn_round(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turn_round(value[name]) for name in reversed(value)}
    if isinstance(value, list):
        return [_turn_round(item) for item in value]
    return value


_OPERATIONS = {
    ("GET", PARTICIPATIONS_PATH): answer_participations,
    ("POST", ROTATION_PATH): answer_rotation,
}


def add_lwa(app: web.Application, prefix: str, world: World, stopping: asyncio.Event) -> None:
    """Serve the token endpoint below *prefix*."""
    app.router.add_post(prefix + TOKEN_PATH, partial(_handle_lwa, world, stopping))


def add_region(
    app: web.Application, prefix: str, region: AmazonRegion, world: World, stopping: asyncio.Event
) -> None:
    """Serve a region's host below *prefix*; it answers every path."""
    handle = partial(_handle_region, world, region, stopping)
    app.router.add_route("*", prefix + "/{path:.*}", handle)


async def _handle_lwa(
    world: World, stopping: asyncio.Event, request: web.Request
) -> web.StreamResponse:
    """Answer one request for tokens; its refresh token tells which store's faults hold."""
    fields = read_token_request(await request.read(), request.content_type)
    grant = world.amazon.grant_of(fields.get("refresh_token", ""))
    region, grant_id = (grant.region, grant.id) if grant else (None, None)
    faults = world.amazon_faults.of(region, grant_id)

    def answer() -> SimulatedAnswer:
        wording = Wording(str(faults.get(AmazonFault.LWA_WORDING, Wording.USUAL)))
        return answer_token_request(world.amazon, fields, world.clock.now(), wording)

    return await _answer(request, AmazonFault.LWA_SLOW, _LWA_LOOKS, faults, answer, stopping)


async def _handle_region(
    world: World, region: AmazonRegion, stopping: asyncio.Event, request: web.Request
) -> web.StreamResponse:
    """Answer one call; its access token tells which store's faults hold.

    What a fault answers is not drawn from the store's bucket.
    """
    token = request.headers.get(TOKEN_HEADER)
    known = world.amazon.access_tokens.find(token) if token else None
    grant = known.grant if known else None
    faults = world.amazon_faults.of(region, grant.id if grant else None)
    has_body = request.body_exists or "Content-Length" in request.headers
    call = SpCall(region, request.method, request.match_info["path"], token, has_body)

    def answer() -> SimulatedAnswer:
        return _answer_call(world.amazon, call, faults, world.clock.now())

    return await _answer(request, AmazonFault.SP_SLOW, _SP_LOOKS, faults, answer, stopping)


def _answer_call(
    amazon: Amazon, call: SpCall, faults: Mapping[AmazonFault, Value], now: datetime
) -> SimulatedAnswer:
    operation = _OPERATIONS.get((call.method, call.path))
    if operation is None:
        return not_routed()
    try:
        return operation(amazon, call, faults, now)
    except SpError as error:
        return error.answer


async def _answer(
    request: web.Request,
    slow: AmazonFault,
    looks: Mapping[AmazonFault, Look],
    faults: Mapping[AmazonFault, Value],
    answer: Callable[[], SimulatedAnswer],
    stopping: asyncio.Event,
) -> web.StreamResponse:
    """Answer late if *slow* is on, and let the first of *looks* that is on take the place."""
    if slow in faults:
        await delay({Fault.SLOW: faults[slow]}, stopping)
    fault = next((fault for fault in looks if fault in faults), None)
    look = looks[fault] if fault else None
    if isinstance(look, Fault):
        return await break_connection(request, look, None, stopping)
    return _respond(look(faults[fault]) if fault and look else answer(), faults)


def _respond(answer: SimulatedAnswer, faults: Mapping[AmazonFault, Value]) -> web.Response:
    answer = reshape(answer, faults)
    headers = {**answer.headers, "x-amzn-RequestId": str(uuid.uuid4())}
    if answer.status != HTTPStatus.NO_CONTENT:
        headers["Content-Type"] = answer.content_type
    return web.Response(status=answer.status, body=answer.body, headers=headers)


LWA = "lwa"
HOSTS = (LWA, *AmazonRegion)


class AmazonHosts:
    """The ports of Amazon's hosts; none is open at first.

    Args:
        address: The address of this machine to listen on.
    """

    def __init__(
        self,
        world: World,
        stopping: asyncio.Event,
        address: str,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self._world = world
        self._stopping = stopping
        self._address = address
        self._ssl_context = ssl_context
        self._runners: dict[str, web.AppRunner] = {}

    async def start(self) -> None:
        """Open all ports that are not open."""
        for name in HOSTS:
            await self.start_host(name)

    async def start_host(self, name: str) -> None:
        """Open a host's port; the second time it gets the port it had."""
        if _known(name) in self._runners:
            return
        url = self._world.amazon_hosts.get(name)
        port = 0 if url is None else urlsplit(url).port or 0
        runner, root = await serve(self._build(name), self._address, port, self._ssl_context)
        self._runners[name] = runner
        self._world.amazon_hosts[name] = root

    async def stop_host(self, name: str) -> None:
        """Close a host's port, so that connecting to it fails."""
        runner = self._runners.pop(_known(name), None)
        if runner is not None:
            await runner.cleanup()

    async def stop(self) -> None:
        """Close all ports."""
        for name in HOSTS:
            await self.stop_host(name)

    def url(self, name: str) -> str:
        """Return a host's root, such as `http://127.0.0.1:8091`."""
        try:
            return self._world.amazon_hosts[_known(name)]
        except KeyError:
            raise SimulatorError("Amazon's hosts have no ports of their own yet") from None

    def _build(self, name: str) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY)
        if name == LWA:
            add_lwa(app, "", self._world, self._stopping)
        else:
            add_region(app, "", AmazonRegion(name), self._world, self._stopping)
        return app


def _known(name: str) -> str:
    if name not in HOSTS:
        raise UnknownNameError.among("host", name, HOSTS)
    return name
