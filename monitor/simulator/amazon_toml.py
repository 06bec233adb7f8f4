"""
Write what a configuration needs to watch simulated stores.

Decides the lines only; they are shown once, with the secrets in them. Nobody
reads them back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.simulator.amazon_stores import IssuedGrant, SampleStores
    from monitor.simulator.world import World


def write_toml(world: World, samples: SampleStores) -> str:
    """
    Return the application and its stores as tables of TOML.
    """
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
