"""Let programs and people control the simulator.

Decides the routes under `/control`, which bodies are understood, and what each action does.
Programs send JSON and get JSON; people send the page's forms and come back to the page. Both meet
the same actions.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web

from monitor.simulator.amazon import AmazonRegion
from monitor.simulator.base import SimulatorError, UnknownNameError, parse_duration
from monitor.simulator.page import ControlNotice, answer_control_page
from monitor.simulator.state import (
    describe_account,
    describe_application,
    describe_grant,
    describe_token,
    describe_world,
    write_toml,
)
from monitor.simulator.world import CONTROL_PATH, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from monitor.simulator.amazon import (
        Amazon,
        AmazonApplication,
        AmazonPolicy,
        Grant,
        IssuedApplication,
        IssuedGrant,
    )
    from monitor.simulator.faults import Switches


FORM = "application/x-www-form-urlencoded"
MAX_DIGITS = 9
MAX_FIELDS = 20


class Fields:
    """The fields of one request; each is taken once, and none may be left over."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = dict(values)

    def text(self, name: str) -> str:
        """Take a text that must be there."""
        value = self.optional_text(name)
        if value is None:
            raise SimulatorError(f"{name}: missing")
        return value

    def optional_text(self, name: str) -> str | None:
        """Take a text that may be absent."""
        value = self.value(name)
        if value is not None and not isinstance(value, str):
            raise SimulatorError(f"{name}: must be a text")
        return value

    def count(self, name: str, default: int) -> int:
        """Take a whole number from 1; a form sends its digits."""
        value = self.value(name)
        if value is None:
            return default
        digits = str(value)
        is_number = isinstance(value, int | str) and not isinstance(value, bool)
        if not is_number or not digits.isascii() or not digits.isdecimal():
            raise SimulatorError(f"{name}: must be a whole number from 1")
        if len(digits) > MAX_DIGITS or int(digits) == 0:
            raise SimulatorError(f"{name}: must be a whole number, 1 to {'9' * MAX_DIGITS}")
        return int(digits)

    def flag(self, name: str) -> bool:
        """Take `true`, which a form sends as a word; absent is false."""
        return bool(self.optional_flag(name))

    def optional_flag(self, name: str) -> bool | None:
        """Take `true` or `false`, which may be absent."""
        value = self.value(name)
        if value is None or isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return value == "true"
        raise SimulatorError(f"{name}: must be true or false")

    def value(self, name: str) -> object:
        """Take a field as it came; None stands for absent."""
        return self._values.pop(name, None)

    def refuse_rest(self) -> None:
        """Refuse whatever has not been taken."""
        if self._values:
            unknown = ", ".join(repr(name[:40]) for name in self._values)
            raise SimulatorError(f"unknown field: {unknown}")


def is_form(request: web.Request) -> bool:
    """Tell whether a person sent a form, rather than a program JSON."""
    return request.content_type == FORM


def refuse_other_sites(request: web.Request) -> None:
    """Refuse what a page of another site makes a visitor's browser send."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        raise SimulatorError("Origin: another site's page may not control the simulator")


async def read_fields(request: web.Request) -> Fields:
    """Read the fields of a control request; a DELETE may have them in its query.

    No body counts as no fields.
    """
    raw = await request.read()
    if is_form(request):
        return Fields(read_form(raw))
    values = dict(request.query) if request.method == "DELETE" else {}
    return Fields({**values, **_read_json(raw, request.content_type)} if raw else values)


def read_form(raw: bytes) -> dict[str, str]:
    """Read a form. It sends its empty inputs too: `parse_qsl` drops them."""
    try:
        return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise SimulatorError("the form has too many fields") from error


def _read_json(raw: bytes, content_type: str) -> dict[str, object]:
    if content_type != "application/json":
        raise SimulatorError("Content-Type: application/json or a form")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise SimulatorError("the body is not JSON") from error
    if not isinstance(body, dict):
        raise SimulatorError("the body must be a JSON object")
    return body


@dataclass(frozen=True, slots=True)
class Done:
    """What an action did, for programs and in one sentence for people.

    Args:
        secret: A new secret's value, or lines of them, shown once.
    """

    sentence: str
    body: dict[str, Any]
    status: int = HTTPStatus.OK
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ControlAction:
    """Something that the controls can do.

    Args:
        path: Below the path of the controls; it may have a `{name}`.
        run: Does it, with the fields of the request and the name in the path.
    """

    method: str
    path: str
    run: Callable[[World, Fields, str], Done]


def amazon_actions() -> list[ControlAction]:
    """Return what can be done to Amazon, apart from its faults."""
    application, store = "amazon/applications/{name}", "amazon/stores/{name}"
    return [
        ControlAction("POST", "amazon/samples", _add_samples),
        ControlAction("POST", "amazon/policy", _set_policy),
        ControlAction("POST", "amazon/applications", _add_application),
        ControlAction("POST", f"{application}/rotate", _rotate_secret),
        ControlAction("POST", f"{application}/age", _age_secret),
        ControlAction("POST", f"{application}/change", _change_application),
        ControlAction("POST", "amazon/stores", _add_store),
        ControlAction("DELETE", store, _revoke),
        ControlAction("POST", f"{store}/revoke", _revoke),
        ControlAction("POST", f"{store}/reauthorize", _reauthorize),
        ControlAction("POST", f"{store}/age", _age_store),
        ControlAction("POST", f"{store}/remove-role", _remove_role),
        ControlAction("POST", f"{store}/participation", _set_participation),
    ]


def _add_samples(world: World, fields: Fields, _: str) -> Done:
    redirect_uris = _redirect_uris(fields)
    fields.refuse_rest()
    samples = world.amazon.add_sample_stores(world.clock.now(), redirect_uris=redirect_uris)
    body = {
        "application": _issued_application(world, samples.issued),
        "stores": [_issued_store(world, store) for store in samples.stores],
    }
    secret = write_toml(world, samples)
    sentence = "Four stores added. This is the only showing of what a configuration needs:"
    return Done(sentence, body, HTTPStatus.CREATED, secret)


def _set_policy(world: World, fields: Fields, _: str) -> Done:
    changed = _set_flags(
        world.amazon.policy,
        fields,
        ("lapses", "revoking_ends_access_tokens", "renewing_ends_refresh_tokens"),
    )
    told = ", ".join(f"{name} {str(value).lower()}" for name, value in changed.items())
    return Done(f"Policy: {told or 'nothing changed'}.", changed)


def _add_application(world: World, fields: Fields, _: str) -> Done:
    name, redirect_uris = fields.text("name"), _redirect_uris(fields)
    is_draft = fields.flag("is_draft")
    fields.refuse_rest()
    issued = world.amazon.add_application(
        name, world.clock.now(), redirect_uris=redirect_uris, is_draft=is_draft
    )
    sentence = f"Application “{issued.application.name}” added. Its client secret, shown once:"
    body = _issued_application(world, issued)
    return Done(sentence, body, HTTPStatus.CREATED, issued.client_secret)


def _rotate_secret(world: World, fields: Fields, application_id: str) -> Done:
    fields.refuse_rest()
    now = world.clock.now()
    issued = world.amazon.rotate_secret(application_id, now)
    application = world.amazon.application(application_id)
    body = {**describe_application(application, now), "client_secret": issued.value}
    sentence = f"{application.name} has a new client secret; the old one works 7 days more:"
    return Done(sentence, body, secret=issued.value)


def _age_secret(world: World, fields: Fields, application_id: str) -> Done:
    days = fields.count("days", default=30)
    fields.refuse_rest()
    application = world.amazon.application(application_id)
    application.age_secret(timedelta(days=days))
    body = describe_application(application, world.clock.now())
    return Done(f"The client secret of {application.name} is {days} days older.", body)


def _change_application(world: World, fields: Fields, application_id: str) -> Done:
    application = world.amazon.application(application_id)
    _set_flags(application, fields, ("is_draft", "is_enrolled", "is_enabled"))
    body = describe_application(application, world.clock.now())
    return Done(f"{application.name} was changed.", body)


def _add_store(world: World, fields: Fields, _: str) -> Done:
    application_id, region = fields.text("application"), fields.text("region")
    name = fields.text("name")
    marketplaces, is_private = fields.optional_text("marketplaces"), fields.flag("is_private")
    fields.refuse_rest()
    issued = world.amazon.add_grant(
        application_id,
        region,
        name,
        world.clock.now(),
        marketplaces=None if marketplaces is None else marketplaces.replace(",", " ").split(),
        is_private=is_private,
    )
    sentence = f"Store “{issued.grant.store_name}” connected. Its refresh token, shown once:"
    body = _issued_store(world, issued)
    return Done(sentence, body, HTTPStatus.CREATED, issued.refresh_token)


def _revoke(world: World, fields: Fields, grant_id: str) -> Done:
    fields.refuse_rest()
    grant = world.amazon.revoke(grant_id, world.clock.now())
    return _done_with_store(world, grant, f"{grant.store_name} revoked its authorization.")


def _reauthorize(world: World, fields: Fields, grant_id: str) -> Done:
    fields.refuse_rest()
    issued = world.amazon.reauthorize(grant_id, world.clock.now())
    sentence = f"{issued.grant.store_name} is authorized anew. The new refresh token, shown once:"
    return Done(sentence, _issued_store(world, issued), secret=issued.refresh_token)


def _age_store(world: World, fields: Fields, grant_id: str) -> Done:
    days = fields.count("days", default=30)
    fields.refuse_rest()
    grant = world.amazon.grant(grant_id)
    grant.age(timedelta(days=days))
    sentence = f"The authorization of {grant.store_name} is {days} days older."
    return _done_with_store(world, grant, sentence)


def _remove_role(world: World, fields: Fields, grant_id: str) -> Done:
    role = fields.optional_text("role")
    fields.refuse_rest()
    grant = world.amazon.grant(grant_id)
    grant.remove_role(role)
    sentence = f"{grant.store_name} took {role or 'all roles'} away from the application."
    return _done_with_store(world, grant, sentence)


def _set_participation(world: World, fields: Fields, grant_id: str) -> Done:
    country = fields.text("country")
    is_participating = fields.optional_flag("participating")
    is_suspended = fields.optional_flag("suspended")
    is_removed = fields.flag("removed")
    fields.refuse_rest()
    grant = world.amazon.grant(grant_id)
    if is_removed:
        grant.remove_marketplace(country)
    else:
        grant.set_participation(
            country, is_participating=is_participating, has_suspended_listings=is_suspended
        )
    return _done_with_store(world, grant, f"{grant.store_name} changed in {country}.")


def _set_flags(
    target: AmazonPolicy | AmazonApplication, fields: Fields, names: tuple[str, ...]
) -> dict[str, bool]:
    """Set those of the flags called *names* that the request has, and return them."""
    wanted = {name: fields.optional_flag(name) for name in names}
    fields.refuse_rest()
    changed = {name: value for name, value in wanted.items() if value is not None}
    for name, value in changed.items():
        setattr(target, name, value)
    return changed


def _redirect_uris(fields: Fields) -> tuple[str, ...]:
    redirect_uri = fields.optional_text("redirect_uri")
    return () if redirect_uri is None else (redirect_uri,)


def _done_with_store(world: World, grant: Grant, sentence: str) -> Done:
    return Done(sentence, describe_grant(world.amazon, grant, world.clock.now()))


def _issued_application(world: World, issued: IssuedApplication) -> dict[str, Any]:
    described = describe_application(issued.application, world.clock.now())
    return {**described, "client_secret": issued.client_secret}


def _issued_store(world: World, issued: IssuedGrant) -> dict[str, Any]:
    described = describe_grant(world.amazon, issued.grant, world.clock.now())
    return {**described, "refresh_token": issued.refresh_token}


MAX_NOTICES = 20


def add_control_routes(app: web.Application, world: World) -> None:
    """Add the control API and its page to *app*.

    Forms cannot send DELETE, so each of those has a POST beside it.
    """
    control = _Control(world)
    app.router.add_get(CONTROL_PATH, control.show_page)
    app.router.add_get(f"{CONTROL_PATH}/state", control.show_state)
    soldscope = _FaultControl(world.faults, world.soldscope.token, "All faults are off.")
    amazon = _FaultControl(
        world.amazon_faults, partial(_check_where, world.amazon), "All faults of Amazon are off."
    )
    for action in (
        *_soldscope_actions(),
        *amazon_actions(),
        *soldscope.actions("faults"),
        *amazon.actions("amazon/faults"),
    ):
        handle = control.on(action.run)
        app.router.add_route(action.method, f"{CONTROL_PATH}/{action.path}", handle)


class _Control:
    """Turn requests into actions, and what came of them into answers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._notices: dict[str, ControlNotice] = {}

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
            return self._page(ControlNotice(f"Not done: {error}.", is_error=True), status)
        return _json(status, {"error": str(error)})

    def _come_back(self, done: Done) -> web.StreamResponse:
        """Send the browser back to the page, where the sentence is shown once."""
        key = secrets.token_urlsafe(8)
        self._notices[key] = ControlNotice(done.sentence, secret=done.secret)
        if len(self._notices) > MAX_NOTICES:
            del self._notices[next(iter(self._notices))]
        headers = {"Location": f"{CONTROL_PATH}?done={key}", "Cache-Control": "no-store"}
        return web.Response(status=HTTPStatus.SEE_OTHER, headers=headers)

    def _page(self, notice: ControlNotice | None, status: int = HTTPStatus.OK) -> web.Response:
        return answer_control_page(describe_world(self._world), notice, status)


@dataclass(frozen=True, slots=True)
class _FaultControl:
    """The actions that switch the faults of one service.

    Args:
        check_place: Refuses a place that does not exist.
        cleared: What is said once all are off.
    """

    faults: Switches[Any]
    check_place: Callable[[str], object]
    cleared: str

    def actions(self, path: str) -> list[ControlAction]:
        return [
            ControlAction("POST", path, self.switch_on),
            ControlAction("DELETE", path, self.clear),
            ControlAction("POST", f"{path}/off", self.clear),
            ControlAction("DELETE", f"{path}/{{name}}", self.switch_off),
            ControlAction("POST", f"{path}/{{name}}/off", self.switch_off),
        ]

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
    if where not in set(AmazonRegion):
        amazon.grant(where)


def _json(status: int, body: dict[str, Any]) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})


def _soldscope_actions() -> list[ControlAction]:
    return [
        ControlAction("POST", "tokens", _create_token),
        ControlAction("DELETE", "tokens/{name}", _revoke_token),
        ControlAction("POST", "tokens/{name}/revoke", _revoke_token),
        ControlAction("POST", "tokens/{name}/restore", _restore_token),
        ControlAction("POST", "spend", _spend),
        ControlAction("POST", "upgrade", _upgrade),
        ControlAction("POST", "clock", _move_clock),
    ]


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
