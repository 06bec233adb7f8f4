"""
A store of the simulated Amazon, and the calls that an application makes for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from monitor.simulator.amazon import AmazonApplication, Grant
    from monitor.simulator.server import Simulator

PROBE = "/sellers/v1/marketplaceParticipations"
ROTATE = "/applications/2023-11-30/clientSecret"
CALLBACK = "http://127.0.0.1:9/oauth/amazon/callback"
ROTATION_SCOPE = "sellingpartnerapi::client_credential:rotation"


@dataclass
class Shop:
    """One application with one store, in North America unless a test adds others."""

    simulator: Simulator
    client: httpx.AsyncClient
    application: AmazonApplication
    client_secret: str
    grant: Grant
    refresh_token: str

    def form(self, **changes: str | None) -> dict[str, str]:
        """The fields of an ordinary refresh; None takes one away."""
        fields: dict[str, str | None] = {
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token,
            "client_id": self.application.client_id,
            "client_secret": self.client_secret,
            **changes,
        }
        return {name: value for name, value in fields.items() if value is not None}

    async def ask(self, **changes: str | None) -> httpx.Response:
        """Ask LWA for a token, with a form."""
        return await self.client.post(self.simulator.lwa_token_url, data=self.form(**changes))

    async def access_token(self, **changes: str | None) -> str:
        answer = await self.ask(**changes)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def grantless_token(self, scope: str = ROTATION_SCOPE) -> str:
        return await self.access_token(
            grant_type="client_credentials", scope=scope, refresh_token=None
        )

    async def probe(self, token: str | None, region: str = "na", **more: Any) -> httpx.Response:
        """Ask where the seller takes part."""
        headers = {} if token is None else {"x-amz-access-token": token}
        url = self.simulator.endpoint(region) + PROBE
        return await self.client.request(more.pop("method", "GET"), url, headers=headers, **more)

    async def check(self) -> httpx.Response:
        """Probe with a token of its own, as a monitor does."""
        return await self.probe(await self.access_token())

    async def rotate(self, token: str | None, region: str = "na") -> httpx.Response:
        """Ask for a new client secret."""
        headers = {} if token is None else {"x-amz-access-token": token}
        return await self.client.post(self.simulator.endpoint(region) + ROTATE, headers=headers)

    def advance(self, **length: float) -> None:
        self.simulator.clock.advance(timedelta(**length))


def details_of(answer: httpx.Response) -> str | None:
    """The details of the only error; None if there are none."""
    (error,) = answer.json()["errors"]
    found = error.get("details")
    return None if found is None else str(found)
