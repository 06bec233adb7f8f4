"""
Name whom the demo watches, and write the daemon's configuration for it.

Decides the lines only. What they have left at the start is decided in
`demo_stage`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.config.starter import write_new
from monitor.judge.expiry import DEFAULT_VALID_DAYS

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.simulator.amazon_stores import Grant
    from monitor.simulator.inbox import Inbox
    from monitor.simulator.server import Simulator

PRODUCTION, STAGING = "acme-production", "acme-staging"
GLOBEX, INITECH = "globex-production", "initech-production"

STORE = "globex-store-europe"
"""Its authorization is held elsewhere; only its days are counted."""

STORE_AUTHORIZED_AGO = timedelta(days=DEFAULT_VALID_DAYS - 3)

SELLER = "initech-store-america"
"""A store on Amazon, whose authorization is tried out with every check."""

APPLICATION = "our-app"

ACCOUNTS = {PRODUCTION: "acme", STAGING: "acme", GLOBEX: "globex", INITECH: "initech"}


def token_path(folder: Path, name: str) -> Path:
    """
    Return where the secret of a connection, or of the application, is kept.
    """
    return folder / f"{name}.token"


def write_config(folder: Path, simulator: Simulator, inbox: Inbox, grant: Grant, port: int) -> None:
    """
    Write the configuration into *folder*.

    Args:
        port: Where the dashboard is served.
    """
    tables = [
        _CONNECTION.format(
            name=name,
            base_url=simulator.soldscope_url,
            token=token_path(folder, name).name,
            tag=name.partition("-")[2],
        )
        for name in ACCOUNTS
    ]
    authorized_on = (simulator.clock.now() - STORE_AUTHORIZED_AGO).date()
    store = _STORE.format(name=STORE, authorized_on=authorized_on.isoformat())
    seller = _SELLER.format(
        application=APPLICATION,
        client_id=grant.application.client_id,
        secret=token_path(folder, APPLICATION).name,
        token_url=simulator.lwa_token_url,
        name=SELLER,
        endpoint=simulator.endpoint(grant.region),
        token=token_path(folder, SELLER).name,
        authorized_on=grant.consented_at.date().isoformat(),
    )
    text = _CONFIG.format(
        port=port,
        channel=inbox.url,
        tokens=", ".join(f'"{name}"' for name in ACCOUNTS),
        stores=f'"{STORE}", "{SELLER}"',
        tables="\n".join([*tables, store, seller]),
    )
    write_new(folder / "config.toml", text)


_CONFIG = """\
# Made by `connwatch demo`, which removes it when it ends.

[monitor]
database = "sqlite:///connwatch.db"

[checks]
every = "10s"
recheck_after = "1s"

[alerts]
group_wait = "1s"

[web]
listen = "127.0.0.1:{port}"

# Two, for a channel that got six messages in five minutes is sent what follows in one piece.
[[channels]]
name = "tokens"
url = "{channel}"
connections = [{tokens}]

[[channels]]
name = "stores"
url = "{channel}"
connections = [{stores}]

{tables}"""

_CONNECTION = """\
[[connections]]
name = "{name}"
provider = "soldscope"
base_url = "{base_url}"
token = {{ file = "{token}" }}
tags = ["{tag}"]
"""

_STORE = """\
[[connections]]
name = "{name}"
provider = "countdown"
authorized_on = {authorized_on}
renew_url = "https://sellercentral.amazon.co.uk/apps/manage"
"""

_SELLER = """\
[[applications]]
name = "{application}"
client_id = "{client_id}"
client_secret = {{ file = "{secret}" }}
token_url = "{token_url}"

[[connections]]
name = "{name}"
provider = "amazon"
application = "{application}"
region = "na"
endpoint = "{endpoint}"
marketplaces = ["US", "CA", "MX"]
refresh_token = {{ file = "{token}" }}
authorized_on = {authorized_on}
"""
