"""
Find out what a refusal without a reason means.

Decides whether the authorization belongs to another region, by asking there with
the same access token, and otherwise which of the remaining causes is named.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.check.amazon_sellers import Expected, ask_sellers, lists_marketplaces, read_sellers
from monitor.check.http import Failure
from monitor.judge.outcome import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from monitor.check.amazon_lwa import Credentials
    from monitor.check.deadline import Deadline

_WORKED = (
    "It worked before: a permission was taken away or changed, or the account was deactivated. The"
    " developer of the application must check its roles, the seller the account."
)
_NEVER_WORKED = (
    "connwatch has never seen this authorization work: the application lacks a role that the"
    " Sellers API needs, or the seller must authorize it again because a role was added"
)
_NOBODY = ". No other region lets it in either."
_UNASKED = ", or `region` is not the one that the seller authorized."


class OtherRegions:
    """
    The regions that a store does not belong to, and what they said.

    Args:
        region: The one it should belong to.
        addresses: The others; empty where none may be asked.
    """

    def __init__(
        self, region: str, addresses: Mapping[str, str], client: httpx.AsyncClient
    ) -> None:
        self._region = region
        self._addresses = addresses
        self._client = client
        self._have_answered = False
        self._opened: str | None = None

    def forget(self) -> None:
        """
        Ask again at the next refusal without a reason.
        """
        self._have_answered, self._opened = False, None

    async def explain(
        self, refusal: Outcome, credentials: Credentials, deadline: Deadline, *, has_worked: bool
    ) -> Outcome:
        """
        Return the refusal with what is behind it.

        The other regions are asked once; one that gave no clear answer is asked
        again the next time.

        Args:
            has_worked: The same authorization was let in before.
        """
        if self._addresses and not self._have_answered:
            await self._ask(credentials, deadline)
        if self._opened is not None:
            return replace(
                refusal,
                reason=Reason.REGION_MISMATCH,
                detail=self._name_region(self._opened),
                failed_host=None,
                is_unexplained=False,
            )
        if has_worked:
            why = _WORKED
        else:
            why = _NEVER_WORKED + (_NOBODY if self._have_answered else _UNASKED)
        return replace(refusal, detail=f"{refusal.detail} {why}")

    async def _ask(self, credentials: Credentials, deadline: Deadline) -> None:
        answers = await asyncio.gather(
            *(self._opens(address, credentials, deadline) for address in self._addresses.values())
        )
        opened = [region for region, opens in zip(self._addresses, answers, strict=True) if opens]
        self._opened = opened[0] if opened else None
        self._have_answered = bool(opened) or None not in answers

    async def _opens(
        self, address: str, credentials: Credentials, deadline: Deadline
    ) -> bool | None:
        """
        Tell whether the token opens an account there; None if that remains unknown.
        """
        heard = await ask_sellers(self._client, address, address, credentials, deadline)
        if isinstance(heard, Failure):
            return None
        if lists_marketplaces(heard):
            return True
        reading = read_sellers(heard, Expected(None, lambda _: None))
        has_refused = isinstance(reading, Outcome) and reading.reason.is_conclusive
        return False if has_refused else None

    def _name_region(self, opened: str) -> str:
        return (
            f'The authorization belongs to the region "{opened}", not to "{self._region}": its'
            f' token is let in there only. Set region = "{opened}" for this connection, with'
            " marketplaces of that region, or let the seller authorize the application in the"
            f' Seller Central of "{self._region}".'
        )
