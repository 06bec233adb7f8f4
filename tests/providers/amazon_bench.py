"""
A store of the simulated Amazon, checkers of it, and a record of what they ask.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from monitor.config.connections import Application
from monitor.config.marketplaces import by_country
from monitor.config.secret import Secret
from monitor.providers.amazon import AmazonChecker, LastSuccess, Store
from monitor.providers.amazon_sellers import Expected
from monitor.providers.base import GrantLocks

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from monitor.simulator.amazon import Grant
    from monitor.simulator.server import Simulator

CLIENT_ID = "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef"
CLIENT_SECRET = "amzn1.oa2-cs.v1.5d41402abc4b2a76b9719d911017c592"
REFRESH_TOKEN = "Atzr|IwEBIA/first+token=="


def host_of(address: str) -> str:
    return urlsplit(address).netloc


def fingerprint(refresh_token: str) -> str:
    return hashlib.sha256(refresh_token.encode()).hexdigest()[:12]


def expect(*countries: str) -> Expected:
    """What an account must cover; nothing in particular without any."""
    ids = {}
    for country in countries:
        known = by_country(country)
        assert known is not None
        ids[known.id] = country
    return Expected(ids or None)


class Recorder:
    """
    A client that remembers what it was asked to send, and how much of it at once.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.requests: list[httpx.Request] = []

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        return self._client.build_request(*args, **kwargs)

    async def send(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        self.requests.append(request)
        return await self._client.send(request, **kwargs)

    @property
    def asked(self) -> list[str]:
        """Method and last part of the path, such as `GET marketplaceParticipations`."""
        return [f"{one.method} {one.url.path.rpartition('/')[2]}" for one in self.requests]


TOKEN, PROBE = "POST token", "GET marketplaceParticipations"


def make_checker(
    client: Recorder,
    token_address: str,
    address: str,
    *,
    client_id: str = CLIENT_ID,
    client_secret: Secret | None = None,
    refresh_token: Secret | None = None,
    expected: Expected | None = None,
    is_probed: bool = True,
    region: str = "na",
    other_regions: dict[str, str] | None = None,
    grants: GrantLocks | None = None,
    timeout_s: float = 5,
    past: LastSuccess | None = None,
) -> AmazonChecker:
    return AmazonChecker(
        Store(
            region,
            address,
            refresh_token or Secret(REFRESH_TOKEN),
            (expected or expect()) if is_probed else None,
            other_regions or {},
            past,
        ),
        Application.model_construct(
            name="our-app",
            client_id=client_id,
            client_secret=client_secret or Secret(CLIENT_SECRET),
            token_url=token_address,
        ),
        cast("httpx.AsyncClient", client),
        grants or GrantLocks(),
        timedelta(seconds=timeout_s),
        fingerprint,
    )


@dataclass
class Bench:
    """
    One application with one store in North America, on Amazon's own four hosts.
    """

    simulator: Simulator
    client: Recorder
    client_id: str
    client_secret: str
    application_id: str
    grant: Grant
    refresh_token: str
    grants: GrantLocks = field(default_factory=GrantLocks)

    @property
    def lwa_host(self) -> str:
        return host_of(self.simulator.lwa_url)

    def host(self, region: str = "na") -> str:
        return host_of(self.simulator.region_urls[region])

    def switch_on(self, *names: str, value: object = None, where: str | None = None) -> None:
        for name in names:
            self.simulator.amazon_faults.switch_on(name, value=value, where=where)

    def checker(
        self,
        *countries: str,
        region: str = "na",
        others: Iterable[str] = ("na", "eu", "fe"),
        **more: Any,
    ) -> AmazonChecker:
        urls = self.simulator.region_urls
        settings: dict[str, Any] = {
            "client_id": self.client_id,
            "client_secret": Secret(self.client_secret),
            "refresh_token": Secret(self.refresh_token),
            "expected": expect(*countries),
            "grants": self.grants,
            "other_regions": {other: urls[other] for other in others if other != region},
            **more,
        }
        return make_checker(
            self.client, self.simulator.lwa_url, urls[region], region=region, **settings
        )
