"""
Prepare what calls services: checkers, and what they share.

The daemon makes its checks with them; the dashboard validates and shakes hands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from monitor.check.grants import Grants
from monitor.check.registry import build_checker
from monitor.store import keys, participations, stored_tokens
from monitor.stored_secrets import find_outdated, hold_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitor.check.base import Checker
    from monitor.check.client import HttpClients
    from monitor.check.held import HeldTokens
    from monitor.config.model import Config
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Calls:
    """
    What calls services.

    Args:
        checkers: By the name of the connection; those switched off have none.
        clients: Carry all calls; those that a reload brings are given out by them.
        held: The refresh tokens that handshakes brought.
        fingerprint: Tells refresh tokens apart without keeping them.
        stored: Those of the tokens that the database had.
    """

    checkers: Mapping[str, Checker]
    clients: HttpClients
    grants: Grants
    held: HeldTokens
    fingerprint: Callable[[str], str]
    stored: HeldTokens


def prepare_calls(
    tx: Transaction, config: Config, clients: HttpClients, former: Calls | None = None
) -> Calls:
    """
    Build the checker of each connection that is switched on.

    Stored refresh tokens that the file has newer ones for are forgotten.

    Args:
        clients: What the checkers call with.
        former: What calls services now, if anything does: exchanges under way and
            tokens held go on, and those that come meanwhile are not lost.

    Raises:
        ValueError: A setting cannot work, such as a CA file that was emptied just now.
    """
    fingerprint = partial(keys.fingerprint, keys.find_or_make(tx, keys.FINGERPRINT))
    stored = hold_tokens(config, stored_tokens.list_tokens(tx), fingerprint)
    for name in find_outdated(config, stored):
        stored_tokens.drop_token(tx, name)
    grants = former.grants if former else Grants()
    held = former.held if former else stored
    worked = participations.list_let_in(tx)
    checkers = {
        connection.name: build_checker(connection, config, clients, grants, held, worked=worked)
        for connection in config.connections
        if connection.enabled
    }
    kept = former.clients if former else clients
    return Calls(checkers, kept, grants, held, fingerprint, stored)
