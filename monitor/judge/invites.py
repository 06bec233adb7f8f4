"""Describe invites: links with which a store owner renews one connection, without a login.

Decides how an invite is doing, how often it may be tried, and whether a new credential answers for
the account that is known. Where it does not, or where nothing can be compared, an operator decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

USUALLY_VALID = timedelta(days=30)
LONGEST_VALID = timedelta(days=366)

MOST_TRIES = 5
TRIES_WINDOW = timedelta(hours=1)

PATH = "/renew/"
"""What the address of an invite has before its token."""


SAMPLE = "sample"
"""Stands in a message of `alerts test` where a token does in a real one."""


class InviteState(StrEnum):
    """How an invite is doing."""

    OPEN = "open"
    USED = "used"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Invite:
    """A link that renews one connection.

    Args:
        connection: The name that the connection has now; None: it was deleted.
        by: Who made it, as the audit names people.
    """

    id: int
    connection: str | None
    created_at: datetime
    valid_until: datetime
    by: str
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> InviteState:
        """Return how it is doing *now*."""
        if self.used_at is not None:
            return InviteState.USED
        if self.revoked_at is not None or self.connection is None:
            return InviteState.REVOKED
        return InviteState.OPEN if now < self.valid_until else InviteState.EXPIRED


def wait_for(tries: Sequence[datetime], now: datetime) -> timedelta:
    """Return how long to wait until the next try; no time at all where one is left.

    Args:
        tries: When it was tried, in any order.
    """
    # What lies in the future was noted before the clock was set back: it counts as now.
    lately = sorted(min(at, now) for at in tries if now - at < TRIES_WINDOW)
    if len(lately) < MOST_TRIES:
        return timedelta()
    return lately[-MOST_TRIES] + TRIES_WINDOW - now


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose credential it is, as far as that is known.

    Args:
        account: What a check with the credential showed.
        seller_id: How Amazon names the account; for a store alone.
    """

    account: str | None
    seller_id: str | None = None


def is_same_name(known: str, said: str) -> bool:
    """Tell whether two names of an account are one, but for case and spaces."""
    return known.casefold().split() == said.casefold().split()


def is_same_holder(known: Holder, new: Holder, *, is_store: bool) -> bool:
    """Tell whether a new credential certainly answers for the account that is known.

    Args:
        is_store: At Amazon. Who confirmed is said there by the browser, under nobody's signature,
            and what the token shows is a name that its seller can change: both must agree.
    """
    if known.account is None or new.account is None:
        return False
    if not is_same_name(known.account, new.account):
        return False
    return not is_store or (known.seller_id is not None and known.seller_id == new.seller_id)


@dataclass(frozen=True, slots=True)
class ProposedCredential:
    """A credential that an invite brought and that waits for an operator.

    Args:
        connection: The name of the connection now.
        account: Whom it answers for, if that shows.
    """

    id: int
    connection: str
    invite_id: int | None
    at: datetime
    account: str | None
