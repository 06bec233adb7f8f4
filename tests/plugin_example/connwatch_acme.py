"""
Check API keys of Acme, a service that connwatch does not know.

A worked example: everything a provider needs is in this file. connwatch finds
it through the entry point in pyproject.toml, once a connection says
`provider = "acme"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pydantic import Field

from monitor.providers import (
    BaseUrl,
    Connection,
    Failure,
    Outcome,
    QuotaReading,
    Reason,
    Secret,
    fetch,
)

if TYPE_CHECKING:
    from datetime import timedelta

    import httpx

name = "acme"
"""What the file says as `provider`; the same as the entry point's name."""


class AcmeConnection(Connection):
    """The keys that a connection to Acme has, beside those of every connection."""

    provider: Literal["acme"]
    base_url: BaseUrl = Field(description="Where Acme is.")
    token: Secret = Field(description="The API key.")

    @property
    def host(self) -> str:
        """Return whom the checks call: connections to one host share a quota and an outage."""
        return urlsplit(self.base_url).netloc


settings = AcmeConnection


class AcmeChecker:
    """Check one key: `GET /v1/whoami` is free."""

    def __init__(
        self, connection: AcmeConnection, client: httpx.AsyncClient, timeout: timedelta
    ) -> None:
        self._connection = connection
        self._client = client
        self._timeout = timeout

    async def check(self) -> Outcome:
        """Send one request, and say what was seen. A failed check is no exception."""
        request = self._client.build_request(
            "GET",
            f"{self._connection.base_url}/v1/whoami",
            headers={"X-Acme-Key": self._connection.token.reveal()},
        )
        answer = await fetch(self._client, request, self._timeout)
        if isinstance(answer, Failure):
            return Outcome(answer.reason, answer.detail)
        if answer.status == 200:
            left = int(answer.headers.get("X-Acme-Left", "0"))
            quota = QuotaReading(limit=1000, remaining=left)
            return Outcome(Reason.OK, latency_ms=answer.latency_ms, quota=quota)
        if answer.status == 401:
            return Outcome(Reason.TOKEN_REJECTED, "Acme refused the key. Create a new one there.")
        return Outcome(Reason.UNEXPECTED_RESPONSE, f"Acme answered {answer.status}.")


build = AcmeChecker
"""Makes a checker of a connection, an HTTP client and the time that one check has."""
