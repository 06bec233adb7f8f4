"""
Let programs and people control the simulator.

Decides the routes under `/control`. Programs send JSON and get JSON; people
send the page's forms and come back to the page. Both meet the same actions.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from monitor.simulator.amazon_control import AMAZON_ROOT, add_amazon_routes
from monitor.simulator.amazon_marketplaces import Region
from monitor.simulator.clock import parse_duration
from monitor.simulator.done import Done
from monitor.simulator.errors import SimulatorError, UnknownNameError
from monitor.simulator.fields import Fields, is_form, read_fields, refuse_other_sites
from monitor.simulator.page import Notice, answer_control_page
from monitor.simulator.state import (
    describe_account,
    describe_token,
    describe_world,
)
from monitor.simulator.world import CONTROL_PATH, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from monitor.simulator.amazon import Amazon
    from monitor.simulator.switches import Switches

MAX_NOTICES = 20


def add_control_routes(app: web.Application, world: World) -> None:
    """
    Add the control API and its page to *app*.

    Forms cannot send DELETE, so each of those has a POST beside it.
    """
    control = _Control(world)
    on = control.on
    router = app.router
    router.add_get(CONTROL_PATH, control.show_page)
    router.add_get(f"{CONTROL_PATH}/state", control.show_state)
    router.add_post(f"{CONTROL_PATH}/tokens", on(_create_token))
    router.add_delete(f"{CONTROL_PATH}/tokens/{{name}}", on(_revoke_token))
    router.add_post(f"{CONTROL_PATH}/tokens/{{name}}/revoke", on(_revoke_token))
    router.add_post(f"{CONTROL_PATH}/tokens/{{name}}/restore", on(_restore_token))
    router.add_post(f"{CONTROL_PATH}/spend", on(_spend))
    router.add_post(f"{CONTROL_PATH}/upgrade", on(_upgrade))
    router.add_post(f"{CONTROL_PATH}/clock", on(_move_clock))
    add_amazon_routes(router, on)
    soldscope = _FaultControl(world.faults, world.soldscope.token, "All faults are off.")
    amazon = _FaultControl(
        world.amazon_faults, partial(_check_where, world.amazon), "All faults of Amazon are off."
    )
    for root, faults in ((CONTROL_PATH, soldscope), (AMAZON_ROOT, amazon)):
        router.add_post(f"{root}/faults", on(faults.switch_on))
        router.add_delete(f"{root}/faults", on(faults.clear))
        router.add_post(f"{root}/faults/off", on(faults.clear))
        router.add_delete(f"{root}/faults/{{name}}", on(faults.switch_off))
        router.add_post(f"{root}/faults/{{name}}/off", on(faults.switch_off))


class _Control:
    """Turn requests into actions, and what came of them into answers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._notices: dict[str, Notice] = {}

    async def show_state(self, _: web.Request) -> web.StreamResponse:
        return _json(HTTPStatus.OK, describe_world(self._world))

    async def show_page(self, request: web.Request) -> web.StreamResponse:
        return self._page(self._notices.pop(request.query.get("done", ""), None))

    def on(
        self, action: Callable[[World, Fields, str], Done]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return the handler that performs *action*, which also gets the name in the path."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                refuse_other_sites(request)
                fields = await read_fields(request)
                done = action(self._world, fields, request.match_info.get("name", ""))
            except SimulatorError as error:
                return self._refused(request, error)
            return self._come_back(done) if is_form(request) else _json(done.status, done.body)

        return handle

    def _refused(self, request: web.Request, error: SimulatorError) -> web.StreamResponse:
        is_missing = isinstance(error, UnknownNameError) and "name" in request.match_info
        status = HTTPStatus.NOT_FOUND if is_missing else HTTPStatus.BAD_REQUEST
        if is_form(request):
            return self._page(Notice(f"Not done: {error}.", is_error=True), status)
        return _json(status, {"error": str(error)})

    def _come_back(self, done: Done) -> web.StreamResponse:
        """Send the browser back to the page, where the sentence is shown once."""
        key = secrets.token_urlsafe(8)
        self._notices[key] = Notice(done.sentence, secret=done.secret)
        if len(self._notices) > MAX_NOTICES:
            del self._notices[next(iter(self._notices))]
        headers = {"Location": f"{CONTROL_PATH}?done={key}", "Cache-Control": "no-store"}
        return web.Response(status=HTTPStatus.SEE_OTHER, headers=headers)

    def _page(self, notice: Notice | None, status: int = HTTPStatus.OK) -> web.Response:
        return answer_control_page(describe_world(self._world), notice, status)


@dataclass(frozen=True, slots=True)
class _FaultControl:
    """
    The actions that switch the faults of one service.

    Args:
        check_place: Refuses a place that does not exist.
        cleared: What is said once all are off.
    """

    faults: Switches[Any]
    check_place: Callable[[str], object]
    cleared: str

    def switch_on(self, _: World, fields: Fields, __: str) -> Done:
        name, where = fields.text("name"), fields.optional_text(self.faults.place)
        value = fields.value("value")
        fields.refuse_rest()
        if where is not None:
            self.check_place(where)
        switched = self.faults.switch_on(name, where=where, value=value)
        body = self.faults.describe_one(switched)
        return Done(f"{switched.fault} is on.", body, HTTPStatus.CREATED)

    def switch_off(self, _: World, fields: Fields, name: str) -> Done:
        where = fields.optional_text(self.faults.place)
        fields.refuse_rest()
        if where is not None:
            self.check_place(where)
        ended = self.faults.switch_off(name, where=where)
        return Done(f"{name} is off.", {"name": name, "switched_off": ended})

    def clear(self, _: World, fields: Fields, __: str) -> Done:
        fields.refuse_rest()
        self.faults.clear()
        return Done(self.cleared, {"active": []})


def _check_where(amazon: Amazon, where: str) -> None:
    if where not in set(Region):
        amazon.grant(where)


def _json(status: int, body: dict[str, Any]) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})


def _create_token(world: World, fields: Fields, _: str) -> Done:
    account_id, name = fields.text("account"), fields.text("name")
    fields.refuse_rest()
    issued = world.create_token(account_id, name)
    body = {**describe_token(issued.token), "account": account_id, "token": issued.value}
    sentence = f"Token “{issued.token.name}” created. This is its only showing:"
    return Done(sentence, body, HTTPStatus.CREATED, issued.value)


def _revoke_token(world: World, fields: Fields, token_id: str) -> Done:
    fields.refuse_rest()
    token = world.soldscope.revoke_token(token_id, world.clock.now())
    return Done(f"Token “{token.name}” revoked.", describe_token(token))


def _restore_token(world: World, fields: Fields, token_id: str) -> Done:
    fields.refuse_rest()
    token = world.soldscope.restore_token(token_id)
    return Done(f"Token “{token.name}” works again.", describe_token(token))


def _spend(world: World, fields: Fields, _: str) -> Done:
    token_id, account_id = fields.optional_text("token"), fields.optional_text("account")
    n = fields.count("n", default=1)
    fields.refuse_rest()
    if (token_id is None) == (account_id is None):
        raise SimulatorError("either token or account: which one shall spend")
    if token_id is not None:
        token = world.soldscope.token(token_id)
        if not token.is_live:
            raise SimulatorError(f"token {token.id!r} is revoked and can spend nothing")
        account_id = token.account_id
    now = world.clock.now()
    account = world.soldscope.account(str(account_id))
    spent = world.soldscope.spend(account.id, n, now)
    body = {"spent": spent, **describe_account(world, account, now)}
    return Done(f"{account.name} spent {spent:,}; {body['remaining']:,} left.", body)


def _upgrade(world: World, fields: Fields, _: str) -> Done:
    account_id, plan = fields.text("account"), fields.text("plan")
    fields.refuse_rest()
    account = world.soldscope.upgrade(account_id, plan)
    body = describe_account(world, account, world.clock.now())
    return Done(f"{account.name} is on the plan {plan} now.", body)


def _move_clock(world: World, fields: Fields, _: str) -> Done:
    advance, is_reset = fields.optional_text("advance"), fields.flag("reset")
    fields.refuse_rest()
    if (advance is not None) == is_reset:
        raise SimulatorError('either {"advance": "3d"} or {"reset": true}')
    if advance is None:
        world.clock.reset()
    else:
        world.clock.advance(parse_duration(advance))
    state = describe_world(world)
    body = {"now": state["now"], "clock_offset_s": state["clock_offset_s"]}
    return Done(f"The clock shows {state['now']}.", body)
