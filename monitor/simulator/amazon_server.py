"""
Serve LWA and the regional hosts over HTTP.

Decides the order in which a request meets faults and the service. The answers
come from `amazon_lwa`, `amazon_sp` and `amazon_misbehave`; starting and
stopping is left to `server` and `amazon_hosts`.
"""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from monitor.simulator.amazon_faults import AmazonFault, Wording
from monitor.simulator.amazon_lwa import answer_token_request, read_token_request
from monitor.simulator.amazon_misbehave import (
    LWA_LEADING,
    ON_THE_WIRE,
    SP_LEADING,
    faulty_answer,
    reshape,
)
from monitor.simulator.amazon_rotation import ROTATION_PATH, answer_rotation
from monitor.simulator.amazon_sellers import PARTICIPATIONS_PATH, answer_participations
from monitor.simulator.amazon_sp import TOKEN_HEADER, SpCall, SpError, not_routed
from monitor.simulator.faults import Fault
from monitor.simulator.misbehave import break_connection, delay
from monitor.simulator.world import TOKEN_PATH

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.simulator.amazon import Amazon
    from monitor.simulator.amazon_marketplaces import Region
    from monitor.simulator.answer import Answer
    from monitor.simulator.fault_values import Value
    from monitor.simulator.world import World

_OPERATIONS = {
    ("GET", PARTICIPATIONS_PATH): answer_participations,
    ("POST", ROTATION_PATH): answer_rotation,
}


def add_lwa(app: web.Application, prefix: str, world: World, stopping: asyncio.Event) -> None:
    """
    Serve the token endpoint below *prefix*.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _handle_lwa(world, stopping, request)

    app.router.add_post(prefix + TOKEN_PATH, handle)


def add_region(
    app: web.Application, prefix: str, region: Region, world: World, stopping: asyncio.Event
) -> None:
    """
    Serve a region's host below *prefix*; it answers every path.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _handle_region(world, region, stopping, request)

    app.router.add_route("*", prefix + "/{path:.*}", handle)


async def _handle_lwa(
    world: World, stopping: asyncio.Event, request: web.Request
) -> web.StreamResponse:
    """
    Answer one request for tokens; its refresh token tells which store's faults hold.
    """
    fields = read_token_request(await request.read(), request.content_type)
    grant = world.amazon.grant_of(fields.get("refresh_token", ""))
    region, grant_id = (grant.region, grant.id) if grant else (None, None)
    faults = world.amazon_faults.of(region, grant_id)
    await _wait(faults, AmazonFault.LWA_SLOW, stopping)
    fault = next((fault for fault in LWA_LEADING if fault in faults), None)
    if fault is not None:
        return await _misbehave(request, fault, faults, stopping)
    wording = Wording(str(faults.get(AmazonFault.LWA_WORDING, Wording.USUAL)))
    now = world.clock.now()
    return _respond(answer_token_request(world.amazon, fields, now, wording), faults)


async def _handle_region(
    world: World, region: Region, stopping: asyncio.Event, request: web.Request
) -> web.StreamResponse:
    """
    Answer one call; its access token tells which store's faults hold.

    What a fault answers is not drawn from the store's bucket.
    """
    token = request.headers.get(TOKEN_HEADER)
    known = world.amazon.access_tokens.find(token) if token else None
    grant = known.grant if known else None
    faults = world.amazon_faults.of(region, grant.id if grant else None)
    await _wait(faults, AmazonFault.SP_SLOW, stopping)
    fault = next((fault for fault in SP_LEADING if fault in faults), None)
    if fault is not None:
        return await _misbehave(request, fault, faults, stopping)
    has_body = request.body_exists or "Content-Length" in request.headers
    call = SpCall(region, request.method, request.match_info["path"], token, has_body)
    return _respond(_answer_call(world.amazon, call, faults, world.clock.now()), faults)


def _answer_call(
    amazon: Amazon, call: SpCall, faults: Mapping[AmazonFault, Value], now: datetime
) -> Answer:
    operation = _OPERATIONS.get((call.method, call.path))
    if operation is None:
        return not_routed()
    try:
        return operation(amazon, call, faults, now)
    except SpError as error:
        return error.answer


async def _misbehave(
    request: web.Request,
    fault: AmazonFault,
    faults: Mapping[AmazonFault, Value],
    stopping: asyncio.Event,
) -> web.StreamResponse:
    if fault in ON_THE_WIRE:
        return await break_connection(request, ON_THE_WIRE[fault], None, stopping)
    return _respond(faulty_answer(fault, faults[fault]), faults)


async def _wait(
    faults: Mapping[AmazonFault, Value], slow: AmazonFault, stopping: asyncio.Event
) -> None:
    if slow in faults:
        await delay({Fault.SLOW: faults[slow]}, stopping)


def _respond(answer: Answer, faults: Mapping[AmazonFault, Value]) -> web.Response:
    answer = reshape(answer, faults)
    headers = {**answer.headers, "x-amzn-RequestId": str(uuid.uuid4())}
    if answer.status != HTTPStatus.NO_CONTENT:
        headers["Content-Type"] = answer.content_type
    return web.Response(status=answer.status, body=answer.body, headers=headers)
