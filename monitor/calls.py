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
    from monitor.store.stored_tokens import StoredToken
    from monitor.store.worker import StoreWorker


@dataclass(frozen=True, slots=True)
class Calls:
    """
    What calls services.

    Args:
        checkers: By the name of the connection; those switched off have none.
        held: The refresh tokens that handshakes brought.
        fingerprint: Tells refresh tokens apart without keeping them.
    """

    checkers: Mapping[str, Checker]
    clients: HttpClients
    grants: Grants
    held: HeldTokens
    fingerprint: Callable[[str], str]


async def prepare_calls(config: Config, store: StoreWorker, clients: HttpClients) -> Calls:
    """
    Build the checker of each connection that is switched on.

    Stored refresh tokens that the file has newer ones for are forgotten.
    """

    def read(tx: Transaction) -> tuple[bytes, dict[str, StoredToken], dict[str, str | None]]:
        return (
            keys.find_or_make(tx, keys.FINGERPRINT),
            stored_tokens.list_tokens(tx),
            participations.list_let_in(tx),
        )

    key, stored, worked = await store.write(read)
    fingerprint = partial(keys.fingerprint, key)
    held = hold_tokens(config, stored, fingerprint)
    outdated = find_outdated(config, held)

    def forget(tx: Transaction) -> None:
        for name in outdated:
            stored_tokens.drop_token(tx, name)

    if outdated:
        await store.write(forget)
    grants = Grants()
    checkers = {
        connection.name: build_checker(connection, config, clients, grants, held, worked=worked)
        for connection in config.connections
        if connection.enabled
    }
    return Calls(checkers, clients, grants, held, fingerprint)
