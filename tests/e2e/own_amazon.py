"""
Play LWA and a region's Sellers API once more, by the reference alone.

It shares nothing with the simulator: what one of the two got wrong, the other one
should not. It is strict: whatever a request has that the reference does not
allow is kept in `complaints`.
"""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tests.loopback import Handler, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT_ID = "amzn1.application-oa2-client.8f1e5c0e6d2b4f3a9b7c6d5e4f3a2b1c"
PROBE = "/sellers/v1/marketplaceParticipations"
YEAR, HOUR, GRACE = timedelta(days=365), timedelta(hours=1), timedelta(days=7)
SECRET_LIFE = timedelta(days=180)

Reply = tuple[int, dict[str, Any]]


@dataclass
class Secret:
    made_at: datetime
    dies_at: datetime | None = None


@dataclass
class OwnAmazon:
    """
    One application, one seller in North America.

    Args:
        consented_at: When the seller confirmed last; a year later all ends.
        issued: All that was given out, for whoever looks for secrets.
        asked: The calls, as method and path.
    """

    consented_at: datetime
    ahead: timedelta = timedelta()
    is_revoked: bool = False
    is_storming: bool = False
    refresh_token: str = ""
    port: int = 0
    secrets: dict[str, Secret] = field(default_factory=dict)
    access_tokens: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token_url(self) -> str:
        return f"{self.url}/auth/o2/token"

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move_to(self, ahead: timedelta) -> None:
        self.ahead = ahead

    def rotate_secret(self, at: datetime) -> str:
        for secret in self.secrets.values():
            secret.dies_at = secret.dies_at or at + GRACE
        value = f"amzn1.oa2-cs.v1.{uuid.uuid4().hex}{uuid.uuid4().hex}"
        self.secrets[value] = Secret(at)
        return value

    def authorize_again(self) -> str:
        self.consented_at, self.is_revoked = self.now, False
        self.refresh_token = f"Atzr|{uuid.uuid4().hex}"
        return self.refresh_token

    @property
    def is_authorized(self) -> bool:
        return not self.is_revoked and self.now < self.consented_at + YEAR

    def exchange(self, form: dict[str, str]) -> Reply:
        """
        Answer a request for an access token.
        """
        if form.get("grant_type") != "refresh_token":
            return self._refuse("unsupported_grant_type", "The grant type is not supported")
        secret = self.secrets.get(form.get("client_secret", ""))
        is_dead = secret is None or (secret.dies_at is not None and self.now >= secret.dies_at)
        if form.get("client_id") != CLIENT_ID or is_dead:
            return 401, self._refuse("invalid_client", "Client authentication failed")[1]
        if form.get("refresh_token") != self.refresh_token or not self.is_authorized:
            return self._refuse(
                "invalid_grant",
                "The request has an invalid grant parameter : refresh_token."
                " User may have revoked or didn't grant the permission.",
            )
        token = f"Atza|{uuid.uuid4().hex}"
        self.access_tokens[token] = self.now, form["client_secret"]
        return 200, {
            "token_type": "bearer",
            "expires_in": 3600,
            "refresh_token": self.refresh_token,
            "access_token": token,
        }

    def _refuse(self, error: str, description: str) -> Reply:
        more = {"request_id": str(uuid.uuid4()), "error_index": uuid.uuid4().hex}
        return 400, {"error": error, "error_description": description, **more}

    def list_marketplaces(self, token: str | None) -> Reply:
        """
        Answer the one call of the Sellers API.
        """
        if token is None:
            return self._deny("Access token is missing in the request header.")
        issued_at, secret = self.access_tokens.get(token, (None, ""))
        if issued_at is None or not self.is_authorized:
            return self._deny("The access token you provided is revoked, malformed or invalid.")
        if self.now >= issued_at + HOUR:
            return self._deny("The access token you provided has expired.")
        if self.now >= self.secrets[secret].made_at + SECRET_LIFE:
            return self._deny("The LWA secret token you provided has expired.")
        if self.is_storming:
            return self._deny("")
        return 200, {"payload": [_take_part("ATVPDKIKX0DER", "US", "USD", "en_US", "com")]}

    def _deny(self, details: str) -> Reply:
        error = {
            "message": "Access to requested resource is denied.",
            "details": details,
            "code": "Unauthorized",
        }
        return 403, {"errors": [error]}


def _take_part(number: str, country: str, currency: str, language: str, end: str) -> dict[str, Any]:
    return {
        "storeName": "Own Store",
        "participation": {"hasSuspendedListings": False, "isParticipating": True},
        "marketplace": {
            "id": number,
            "name": f"Amazon.{end}",
            "countryCode": country,
            "defaultCurrencyCode": currency,
            "defaultLanguageCode": language,
            "domainName": f"www.amazon.{end}",
        },
    }


class _Handler(Handler):
    amazon: OwnAmazon
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # noqa: N802 - its name there
        body = self.read_body().decode("ascii")
        self._note()
        kind = self.headers.get("Content-Type", "")
        self._expect(self.path == "/auth/o2/token", f"POST {self.path}")
        self._expect(kind.startswith("application/x-www-form-urlencoded"), f"form as {kind}")
        form = {name: values[0] for name, values in parse_qs(body).items()}
        wanted = {"grant_type", "refresh_token", "client_id", "client_secret"}
        self._expect(set(form) == wanted, f"fields {sorted(form)}")
        with self.amazon.lock:
            self._reply(*self.amazon.exchange(form))

    def do_GET(self) -> None:  # noqa: N802 - its name there
        self._note()
        self._expect(self.path == PROBE, f"GET {self.path}")
        self._expect("Content-Length" not in self.headers, "a body on a GET")
        self._expect("Authorization" not in self.headers, "a header Authorization")
        self._expect("/" in self.headers.get("User-Agent", ""), "no User-Agent")
        with self.amazon.lock:
            self._reply(*self.amazon.list_marketplaces(self.headers.get("x-amz-access-token")))

    def _note(self) -> None:
        self.amazon.asked.append(f"{self.command} {self.path}")

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.amazon.complaints.append(otherwise)

    def _reply(self, status: int, value: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/json", "x-amzn-RequestId": str(uuid.uuid4())}
        self.answer(status, json.dumps(value).encode(), headers)


@contextmanager
def run_own_amazon(consented_at: datetime) -> Iterator[OwnAmazon]:
    """
    Serve it on loopback.
    """
    amazon = OwnAmazon(consented_at, refresh_token=f"Atzr|{uuid.uuid4().hex}")
    with serve(type("Handler", (_Handler,), {"amazon": amazon})) as amazon.port:
        yield amazon
