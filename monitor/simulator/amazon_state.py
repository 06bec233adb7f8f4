"""
Describe Amazon's part of a world in plain values, for the control API and its page.

Decides what is told. Tokens and secrets are not: nobody has them. New client
secrets in the queue are, since bringing them is what the queue is for.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from monitor.simulator.amazon_marketplaces import MARKETPLACES, Region
from monitor.simulator.answer import write_instant

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.simulator.amazon import Amazon
    from monitor.simulator.amazon_applications import Application, Secret
    from monitor.simulator.amazon_stores import Grant
    from monitor.simulator.world import World


def describe_amazon(world: World, now: datetime) -> dict[str, Any]:
    """
    Return Amazon's whole state.
    """
    amazon = world.amazon
    return {
        "token_url": world.lwa_token_url,
        "endpoints": {region.value: world.endpoint(region) for region in Region},
        "consent_urls": {region.value: world.consent_url(region) for region in Region},
        "hosts": dict(world.amazon_hosts),
        "policy": asdict(amazon.policy),
        "applications": [describe_application(one, now) for one in amazon.applications],
        "stores": [describe_grant(amazon, grant, now) for grant in amazon.grants],
        "queue": list(amazon.queue),
        "faults": world.amazon_faults.describe(),
    }


def describe_application(application: Application, now: datetime) -> dict[str, Any]:
    """
    Return an application with its secrets.
    """
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


def _describe_secret(secret: Secret, now: datetime) -> dict[str, Any]:
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
    """
    Return a store; days left are rounded down and negative once they are over.
    """
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
