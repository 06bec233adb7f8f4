"""Keep the channels that are not in the file, as they were written.

What a row means is decided in `monitor.config.owners`; the file's channels count before these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from monitor.store.schema import channels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """A channel, as it is kept.

    Args:
        content: A table, unless the row was damaged.
        secrets: Its URL, encrypted.
    """

    name: str
    content: Any
    digest: str
    secrets: bytes | None = field(repr=False)

    @property
    def table(self) -> Mapping[str, Any]:
        """Return what was written, or nothing of a row that was damaged."""
        return self.content if isinstance(self.content, dict) else {}


_STORED = select(channels.c.name, channels.c.content, channels.c.digest, channels.c.secrets)


def list_channels(tx: Transaction) -> list[StoredChannel]:
    """Return all channels, by name."""
    return [StoredChannel(*row) for row in tx.execute(_STORED.order_by(channels.c.name))]


def list_channel_names(tx: Transaction) -> list[str]:
    """Return the names of all channels, in order."""
    return list(tx.execute(select(channels.c.name).order_by(channels.c.name)).scalars())


def find_channel(tx: Transaction, name: str) -> StoredChannel | None:
    """Return the channel called *name*."""
    row = tx.execute(_STORED.where(channels.c.name == name)).first()
    return None if row is None else StoredChannel(*row)


def put_channel(
    tx: Transaction, name: str, content: Mapping[str, Any], digest: str, secrets: bytes
) -> None:
    """Keep a channel, in the place of any of its name."""
    drop_channel(tx, name)
    row = {"name": name, "content": dict(content), "digest": digest, "secrets": secrets}
    tx.execute(insert(channels).values(row))


def drop_channel(tx: Transaction, name: str) -> bool:
    """Forget the channel called *name* with its URL; tell whether there was one."""
    return tx.execute(delete(channels).where(channels.c.name == name)).rowcount == 1
