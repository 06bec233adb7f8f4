"""
Describe applications registered with Amazon, and their client secrets.

Decides which secret works and how long. What an application may reach is left
to `amazon`. No I/O and no clock: `now` is handed in.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.simulator.base import digest
from monitor.simulator.errors import SimulatorError

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.simulator.bucket import Bucket

SECRET_LIFE = timedelta(days=180)
SECRET_GRACE = timedelta(days=7)
"""How long a secret goes on working after it was rotated away."""

MAX_AGE = timedelta(days=3_650)


def checked_age(by: timedelta) -> timedelta:
    """
    Refuse lengths by which nothing sensible can age.
    """
    if not timedelta() < by <= MAX_AGE:
        raise SimulatorError("days: from 1 to 3650 days at once")
    return by


@dataclass(slots=True)
class Secret:
    """
    What is remembered of a client secret: enough to recognise it.

    Args:
        dies_at: When it stops working because a newer one took its place.
    """

    digest: bytes = field(repr=False)
    last_four: str
    issued_at: datetime
    dies_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        """
        When its 180 days are over.
        """
        return self.issued_at + SECRET_LIFE

    def is_expired(self, now: datetime) -> bool:
        """
        Tell whether its 180 days are over; it then opens LWA and nothing behind it.
        """
        return now >= self.expires_at

    def is_dead(self, now: datetime) -> bool:
        """
        Tell whether LWA refuses it.
        """
        return self.dies_at is not None and now >= self.dies_at


@dataclass(slots=True)
class Application:
    """
    An application registered with Amazon.

    Args:
        application_id: What the consent page knows it by; not its client id.
        redirect_uris: Where the consent page may lead; the first is the default.
        is_draft: The consent page then wants `version=beta`.
        is_enrolled: A queue for new secrets is registered.
        is_enabled: Whether LWA lets it use any grant at all.
        rotations: Counts calls that ask for a new secret.
    """

    id: str
    name: str
    client_id: str
    application_id: str
    redirect_uris: tuple[str, ...]
    roles: set[str]
    secrets: list[Secret]
    rotations: Bucket
    is_draft: bool = False
    is_enrolled: bool = True
    is_enabled: bool = True

    @property
    def secret(self) -> Secret:
        """
        The newest secret.
        """
        return self.secrets[-1]

    def find_secret(self, value: str, now: datetime) -> Secret | None:
        """
        Return the secret with this value; one that died is none.
        """
        wanted = digest(value)
        known = (secret for secret in self.secrets if not secret.is_dead(now))
        return next((secret for secret in known if secret.digest == wanted), None)

    def rotate_secret(self, now: datetime) -> IssuedSecret:
        """
        Make a new secret; the ones before work for seven days more.
        """
        issued = make_secret(now)
        for secret in self.secrets:
            secret.dies_at = secret.dies_at or now + SECRET_GRACE
        alive = [secret for secret in self.secrets if not secret.is_dead(now)]
        self.secrets = [*alive, issued.secret]
        return issued

    def age_secret(self, by: timedelta) -> None:
        """
        Make the newest secret older.
        """
        self.secret.issued_at -= checked_age(by)


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """
    A new client secret together with its value, which is never to be had again.
    """

    secret: Secret
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssuedApplication:
    """
    A new application together with its client secret.
    """

    application: Application
    client_secret: str = field(repr=False)


def make_secret(now: datetime) -> IssuedSecret:
    """
    Make a client secret.
    """
    value = f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}"
    return IssuedSecret(Secret(digest(value), value[-4:], now), value)
