"""
Check a SoldScope token, without ever spending its quota.

Decides what is asked and with which token; what the answer means is decided in
`token_api`, what its headers say in `quota`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import httpx

from monitor.check.asking import UnreadableFields, ask_with_latest
from monitor.check.http import Answer, Failure, fetch
from monitor.check.quota import read_soldscope_quota
from monitor.check.token_api import read_outcome
from monitor.config.secret import SecretUnavailable
from monitor.judge.outcome import Outcome, Reason

if TYPE_CHECKING:
    from datetime import timedelta

FREE_PATHS = (
    "/auth/check",
    "/product-research/searches",
    "/keyword-research/searches/{id}/progress",
)
"""
All that may ever be called: the FAQ says that authentication and what was saved before are not
metered, and that progress may be asked for every few seconds.
"""

SEARCH_ID = re.compile("[0-9A-Za-z_-]{1,64}", re.ASCII)
"""What can stand for `{id}`: nothing that would make another path of it."""

_FREE = re.compile(
    "|".join(re.escape(path).replace(r"\{id\}", SEARCH_ID.pattern) for path in FREE_PATHS),
    re.ASCII,
)

UNSENDABLE = (
    "The token cannot be sent: it is empty or holds spaces, line breaks or letters outside ASCII."
    " Copy it again from where it was created."
)
RENEWAL = "Create a new one under API Access in your SoldScope account."


class Token(Protocol):
    """
    A secret that may be replaced while we run.
    """

    def reveal(self) -> str:
        """
        Return the secret itself, or raise SecretUnavailable.
        """
        ...

    def refresh(self) -> bool:
        """
        Read the secret again where it came from; tell whether it changed.

        Raises SecretUnavailable, and keeps the value it had, if it is gone.
        """
        ...


class SoldscopeChecker:
    """
    Check one SoldScope connection.

    Args:
        base_url: The API's address, as its reference shows it.
        auth: `bearer`, or `header:NAME` for a header that carries the bare token.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        token: Token,
        auth: str,
        client: httpx.AsyncClient,
        timeout: timedelta,
    ) -> None:
        self._url = free_url(base_url, "/auth/check")
        self._token = token
        self._header, self._prefix = read_auth(auth)
        self._client = client
        self._timeout = timeout
        self._request: httpx.Request | None = None
        self._sent = ""
        self._unreadable = UnreadableFields(name)

    async def check(self) -> Outcome:
        """
        Ask whether the token works.

        A refusal counts only if no newer token is at hand.
        """
        return await ask_with_latest(self._ask, self._has_new_token)

    async def _ask(self) -> Outcome:
        try:
            request = self._prepare()
        except SecretUnavailable as error:
            return Outcome(Reason.PROTOCOL, f"The token cannot be read: {error}.")
        if request is None:
            return Outcome(
                Reason.PROTOCOL,
                UNSENDABLE,
            )
        match await fetch(self._client, request, self._timeout):
            case Failure(reason, detail):
                return Outcome(reason, detail)
            case answer:
                return self._read(answer)

    def _prepare(self) -> httpx.Request | None:
        # Connections may share one token: another's refresh shows only here.
        token = self._token.reveal()
        if self._request is None or token != self._sent:
            if not can_be_sent(token):
                return None
            headers = {self._header: self._prefix + token}
            self._request = self._client.build_request("GET", self._url, headers=headers)
            self._sent = token
        return self._request

    def _has_new_token(self) -> bool:
        return self._token.refresh() or self._token.reveal() != self._sent

    def _read(self, answer: Answer) -> Outcome:
        quota, unreadable = read_soldscope_quota(answer.headers, answer.received_at)
        self._unreadable.tell(answer, unreadable, self._sent)
        return read_outcome(answer, quota, self._sent, RENEWAL)


@lru_cache(maxsize=64)  # thousands of connections share an address
def free_url(base_url: str, path: str) -> httpx.URL:
    """
    Return the address of a path that costs nothing; refuse any other.
    """
    if not _FREE.fullmatch(path):
        raise ValueError(f"{path} is not known to be free of charge: only {', '.join(FREE_PATHS)}")
    base = httpx.URL(base_url)
    if base.query or base.fragment or base.userinfo or not base.host:
        raise ValueError("base_url: expected scheme, host and path only")
    return httpx.URL(base_url.rstrip("/") + path)


def can_be_sent(token: str) -> bool:
    """
    Tell whether *token* can stand in a header.
    """
    return bool(token) and token.isascii() and token.isprintable() and " " not in token


def read_auth(auth: str) -> tuple[str, str]:
    """
    Return the header that carries the token, and what stands before it there.
    """
    if auth == "bearer":
        return "Authorization", "Bearer "
    kind, _, name = auth.partition(":")
    if kind != "header" or not name:
        # Not repeated: this is where people paste the token itself.
        raise ValueError("auth: expected bearer or header:NAME")
    return name, ""
