"""
Fill Amazon's books with stores to try things out on.

Decides which ones: the four cases that look different to whoever watches them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.simulator.amazon_stores import SampleStores

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from monitor.simulator.amazon import Amazon


def add_sample_stores(amazon: Amazon, now: datetime, redirect_uris: Iterable[str]) -> SampleStores:
    """
    Add an application and four stores, all of which work.

    The second one has 20 days left, the third one has suspended listings in
    Australia, the fourth one is self-authorized and has no known end.
    """
    issued = amazon.add_application(
        "Sample app", now - timedelta(days=30), redirect_uris=redirect_uris
    )
    application_id = issued.application.id
    # An hour later than that many days ago, so that the days left read as told above.
    ago = [now - timedelta(days=days, hours=-1) for days in (100, 345, 10, 200)]
    stores = (
        amazon.add_grant(
            application_id,
            "na",
            "Acme North America",
            ago[0],
            marketplaces=("US", "CA", "MX"),
        ),
        amazon.add_grant(
            application_id,
            "eu",
            "Acme Europe",
            ago[1],
            marketplaces=("DE", "FR", "IT", "ES", "GB"),
        ),
        amazon.add_grant(
            application_id, "fe", "Globex Far East", ago[2], marketplaces=("JP", "AU")
        ),
        amazon.add_grant(
            application_id, "eu", "Initech UK", ago[3], marketplaces=("GB",), is_private=True
        ),
    )
    stores[2].grant.set_participation("AU", has_suspended_listings=True)
    return SampleStores(issued, stores)
