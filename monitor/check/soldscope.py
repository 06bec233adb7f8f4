"""
Check a SoldScope token, without ever spending its quota.

Decides what is asked and with which token; what the answer means is decided in
`token_api`, what its headers say in `quota`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import httpx

from monitor.check.asking import Asker, Prepared, UnreadableFields, UnsendableError
from monitor.check.quota import read_soldscope_quota
from monitor.check.token_api import read_outcome

if TYPE_CHECKING:
    from datetime import timedelta

    from monitor.check.asking import Token
    from monitor.check.http import Answer
    from monitor.judge.outcome import Outcome

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
        self._asker = Asker((token,), client, timeout)
        self._unreadable = UnreadableFields(name)

    async def check(self) -> Outcome:
        """
        Ask whether the token works.

        A refusal counts only if no newer token is at hand.
        """
        return await self._asker.ask(self._prepare, self._read)

    def _prepare(self) -> Prepared:
        token = self._token.reveal()
        if not can_be_sent(token):
            raise UnsendableError(UNSENDABLE)
        headers = {self._header: self._prefix + token}
        request = self._client.build_request("GET", self._url, headers=headers)
        return Prepared(request, (token,), token)

    def _read(self, answer: Answer, prepared: Prepared) -> Outcome:
        quota, unreadable = read_soldscope_quota(answer.headers, answer.received_at)
        self._unreadable.tell(answer, unreadable, prepared.token)
        return read_outcome(answer, quota, prepared.token, RENEWAL)


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
