"""
Give out access tokens and authorization codes, and recognise them again.

Decides how they look and how long they are remembered. What a token opens is
left to `amazon_sp`; refresh tokens are in `amazon`, because they last.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.simulator.base import digest

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.simulator.amazon_applications import Application
    from monitor.simulator.amazon_stores import Grant

ACCESS_TOKEN_LIFE = timedelta(hours=1)
CODE_LIFE = timedelta(minutes=5)
SELLER_PREFIX, GRANTLESS_PREFIX, REFRESH_PREFIX = "Atza|", "Atc|", "Atzr|"
REMEMBERED_FOR = ACCESS_TOKEN_LIFE + timedelta(hours=1)
"""For an hour after its end a token is told from one that never was."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """
    What is remembered of an access token.

    Args:
        grant: None in a token without a seller.
        scopes: What a token without a seller is good for.
        is_of_expired_secret: It was asked for with a secret older than 180 days.
        is_spoiled: It is refused from the start.
    """

    application: Application
    grant: Grant | None
    scopes: frozenset[str]
    issued_at: datetime
    is_of_expired_secret: bool
    is_spoiled: bool


@dataclass(frozen=True, slots=True)
class Code:
    """
    What is remembered of an authorization code that nobody used yet.
    """

    grant: Grant
    redirect_uri: str
    issued_at: datetime


class AccessTokens:
    """
    All access tokens that are still remembered.
    """

    def __init__(self) -> None:
        self._tokens: dict[bytes, AccessToken] = {}

    def issue_for_seller(self, grant: Grant, now: datetime, *, is_of_expired_secret: bool) -> str:
        """
        Make a token that opens a seller's account.
        """
        is_spoiled = grant.n_spoiled > 0
        grant.n_spoiled -= is_spoiled
        token = AccessToken(
            grant.application, grant, frozenset(), now, is_of_expired_secret, is_spoiled
        )
        return self._issue(SELLER_PREFIX, token)

    def issue_grantless(
        self,
        application: Application,
        scopes: frozenset[str],
        now: datetime,
        *,
        is_of_expired_secret: bool,
    ) -> str:
        """
        Make a token that opens operations without a seller.
        """
        token = AccessToken(application, None, scopes, now, is_of_expired_secret, is_spoiled=False)
        return self._issue(GRANTLESS_PREFIX, token)

    def find(self, value: str) -> AccessToken | None:
        """
        Return what is known of a token, expired ones included.
        """
        return self._tokens.get(digest(value))

    def __len__(self) -> int:
        return len(self._tokens)

    def _issue(self, prefix: str, token: AccessToken) -> str:
        self._forget_before(token.issued_at - REMEMBERED_FOR)
        value = prefix + secrets.token_urlsafe(180)
        self._tokens[digest(value)] = token
        return value

    def _forget_before(self, instant: datetime) -> None:
        # The oldest stand first, so that a run of any length forgets at its own pace.
        while self._tokens:
            oldest = next(iter(self._tokens))
            if self._tokens[oldest].issued_at >= instant:
                return
            del self._tokens[oldest]


class Codes:
    """
    The authorization codes that nobody used yet.
    """

    def __init__(self) -> None:
        self._codes: dict[bytes, Code] = {}

    def issue(self, grant: Grant, redirect_uri: str, now: datetime) -> str:
        """
        Make a code for an authorization that the seller just confirmed.
        """
        self._codes = {key: code for key, code in self._codes.items() if _is_fresh(code, now)}
        value = secrets.token_urlsafe(24)
        self._codes[digest(value)] = Code(grant, redirect_uri, now)
        return value

    def redeem(
        self, value: str, application: Application, redirect_uri: str | None, now: datetime
    ) -> Grant | None:
        """
        Take a code in exchange for the authorization behind it, once.

        None stands for a code that is late, used, made up or another
        application's, and for another address than the one consented to.
        """
        code = self._codes.get(digest(value))
        if code is None or code.grant.application is not application:
            return None
        if redirect_uri is not None and redirect_uri != code.redirect_uri:
            return None
        del self._codes[digest(value)]
        return code.grant if _is_fresh(code, now) else None


def _is_fresh(code: Code, now: datetime) -> bool:
    return now < code.issued_at + CODE_LIFE
