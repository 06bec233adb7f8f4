"""
Let programs and people control the simulated Amazon.

Decides the routes under `/control/amazon` and what they change. Turning
requests into actions is left to `control`.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from monitor.simulator.amazon_state import describe_application, describe_grant
from monitor.simulator.amazon_toml import write_toml
from monitor.simulator.done import Done
from monitor.simulator.world import CONTROL_PATH, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from monitor.simulator.amazon import Policy
    from monitor.simulator.amazon_applications import Application, IssuedApplication
    from monitor.simulator.amazon_stores import Grant, IssuedGrant
    from monitor.simulator.fields import Fields

    Action = Callable[[World, Fields, str], Done]
    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

AMAZON_ROOT = f"{CONTROL_PATH}/amazon"


def add_amazon_routes(router: web.UrlDispatcher, on: Callable[[Action], Handler]) -> None:
    """Add the routes of Amazon; *on* makes a handler of an action."""
    router.add_post(f"{AMAZON_ROOT}/samples", on(_add_samples))
    router.add_post(f"{AMAZON_ROOT}/policy", on(_set_policy))
    router.add_post(f"{AMAZON_ROOT}/applications", on(_add_application))
    application = f"{AMAZON_ROOT}/applications/{{name}}"
    router.add_post(f"{application}/rotate", on(_rotate_secret))
    router.add_post(f"{application}/age", on(_age_secret))
    router.add_post(f"{application}/change", on(_change_application))
    router.add_post(f"{AMAZON_ROOT}/stores", on(_add_store))
    store = f"{AMAZON_ROOT}/stores/{{name}}"
    router.add_delete(store, on(_revoke))
    router.add_post(f"{store}/revoke", on(_revoke))
    router.add_post(f"{store}/reauthorize", on(_reauthorize))
    router.add_post(f"{store}/age", on(_age_store))
    router.add_post(f"{store}/remove-role", on(_remove_role))
    router.add_post(f"{store}/participation", on(_set_participation))


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
    target: Policy | Application, fields: Fields, names: tuple[str, ...]
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
