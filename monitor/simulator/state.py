"""Describe a world in plain values, for the control API and its page.

Tokens and secrets are left out, since nobody has them; new client secrets in the queue are shown,
since bringing them is what the queue is for. What a configuration needs to watch the sample stores
is written once, with its secrets.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from monitor.simulator.amazon import MARKETPLACES, AmazonRegion
from monitor.simulator.base import write_instant
from monitor.simulator.soldscope import PLANS

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.simulator.amazon import (
        Amazon,
        AmazonApplication,
        ClientSecret,
        Grant,
        IssuedGrant,
        SampleStores,
    )
    from monitor.simulator.soldscope import Account, SoldscopeToken
    from monitor.simulator.world import World


def describe_amazon(world: World, now: datetime) -> dict[str, Any]:
    """Return Amazon's whole state."""
    amazon = world.amazon
    return {
        "token_url": world.lwa_token_url,
        "endpoints": {region.value: world.endpoint(region) for region in AmazonRegion},
        "consent_urls": {region.value: world.consent_url(region) for region in AmazonRegion},
        "hosts": dict(world.amazon_hosts),
        "policy": asdict(amazon.policy),
        "applications": [describe_application(one, now) for one in amazon.applications],
        "stores": [describe_grant(amazon, grant, now) for grant in amazon.grants],
        "queue": list(amazon.queue),
        "faults": world.amazon_faults.describe(),
    }


def describe_application(application: AmazonApplication, now: datetime) -> dict[str, Any]:
    """Return an application with its secrets."""
    return {
        "id": application.id,
        "name": application.name,
        "client_id": application.client_id,
        "application_id": application.application_id,
        "redirect_uris": list(application.redirect_uris),
        "roles": sorted(application.roles),
        "is_draft": application.is_draft,
        "is_enrolled": application.is_enrolled,
        "is_enabled": application.is_enabled,
        "secrets": [_describe_secret(secret, now) for secret in application.secrets],
    }


def _describe_secret(secret: ClientSecret, now: datetime) -> dict[str, Any]:
    if secret.is_dead(now):
        state = "dead"
    elif secret.is_expired(now):
        state = "expired"
    else:
        state = "live" if secret.dies_at is None else "retiring"
    return {
        "last_four": secret.last_four,
        "state": state,
        "issued_at": write_instant(secret.issued_at),
        "expires_at": write_instant(secret.expires_at),
        "days_left": (secret.expires_at - now).days,
        "dies_at": None if secret.dies_at is None else write_instant(secret.dies_at),
    }


def describe_grant(amazon: Amazon, grant: Grant, now: datetime) -> dict[str, Any]:
    """Return a store; days left are rounded down and negative once they are over."""
    return {
        "id": grant.id,
        "application": grant.application.id,
        "name": grant.store_name,
        "seller_id": grant.seller_id,
        "region": grant.region.value,
        "state": amazon.state_of(grant, now).value,
        "is_private": grant.is_private,
        "is_vendor": grant.is_vendor,
        "authorized_at": write_instant(grant.consented_at),
        "expires_at": None if grant.ends_at is None else write_instant(grant.ends_at),
        "days_left": None if grant.ends_at is None else (grant.ends_at - now).days,
        "roles": sorted(grant.roles),
        "marketplaces": [
            {
                "country": country,
                "id": MARKETPLACES[country].id,
                "participating": own.is_participating,
                "suspended_listings": own.has_suspended_listings,
            }
            for country, own in grant.participations.items()
        ],
        "calls_left": amazon.probes(grant, now).left(now),
    }


def describe_world(world: World) -> dict[str, Any]:
    """Return the whole state."""
    now = world.clock.now()
    accounts = [describe_account(world, account, now) for account in world.soldscope.accounts]
    return {
        "now": write_instant(now),
        "clock_offset_s": int(world.clock.offset.total_seconds()),
        "amazon": describe_amazon(world, now),
        "soldscope": {"url": world.soldscope_url, "plans": dict(PLANS), "accounts": accounts},
        "faults": world.faults.describe(),
    }


def describe_account(world: World, account: Account, now: datetime) -> dict[str, Any]:
    """Return an account with its quota and its tokens."""
    quota = world.soldscope.quota(account.id, now)
    return {
        "id": account.id,
        "name": account.name,
        "email": account.email,
        "plan": account.plan,
        "cycle_day": account.cycle_day,
        "limit": quota.limit,
        "used": quota.used,
        "remaining": quota.remaining,
        "resets_at": write_instant(quota.resets_at),
        "searches": [
            {
                "id": each.id,
                "subject": ", ".join(each.subject),
                "status": each.status(now),
                "progress": each.progress(now),
            }
            for each in account.long_searches
        ],
        "tokens": [describe_token(token) for token in world.soldscope.tokens(account.id)],
    }


def describe_token(token: SoldscopeToken) -> dict[str, Any]:
    """Return what the token list shows."""
    return {
        "id": token.id,
        "name": token.name,
        "created_at": write_instant(token.created_at),
        "last_four": token.last_four,
        "state": "live" if token.is_live else "revoked",
    }


def write_toml(world: World, samples: SampleStores) -> str:
    """Return the application and its stores as tables of TOML."""
    application = samples.issued.application
    name = _slug(application.name)
    lines = [
        "[[applications]]",
        f'name = "{name}"',
        f'client_id = "{application.client_id}"',
        f'client_secret = "{samples.issued.client_secret}"',
        f"client_secret_created_on = {application.secret.issued_at:%Y-%m-%d}",
        f'application_id = "{application.application_id}"',
        f'token_url = "{world.lwa_token_url}"',
        # Stores of other regions have their own; the consent page is here for all.
        f'endpoint = "{world.endpoint(AmazonRegion.NA)}"',
    ]
    if application.redirect_uris:
        # JSON's quoting is TOML's too, for what stands in an address.
        lines.append(f"redirect_url = {json.dumps(application.redirect_uris[0])}")
    for store in samples.stores:
        lines += ["", *_connection(world, name, store)]
    return "\n".join(lines)


def _connection(world: World, application: str, issued: IssuedGrant) -> list[str]:
    grant = issued.grant
    countries = ", ".join(f'"{country}"' for country in grant.participations)
    lines = [
        "[[connections]]",
        f'name = "{_slug(grant.store_name)}"',
        'provider = "amazon"',
        f'application = "{application}"',
        f'region = "{grant.region}"',
        f'endpoint = "{world.endpoint(grant.region)}"',
        f"marketplaces = [{countries}]",
        f'refresh_token = "{issued.refresh_token}"',
        f"authorized_on = {grant.consented_at:%Y-%m-%d}",
    ]
    return [*lines, "valid_days = 0"] if grant.is_private else lines


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")
