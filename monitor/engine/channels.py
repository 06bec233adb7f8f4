"""Read the channels that are not in the file, put them in force, and take them out again.

Whether one can be used is decided in `monitor.config.channels`. What is read here joins the
settings of the file, in `app` and `reload`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from monitor.alerting.suppression import review_suppressed, suppress_unsent
from monitor.config.channels import URL, list_connections, read_channel
from monitor.config.entries import EntryUnusable
from monitor.config.owners import EntryRefused
from monitor.config.plan import make_plan
from monitor.config.secret import Secret
from monitor.engine.ciphers import Cipher, KeyUnusable, open_secrets, seal_secrets
from monitor.store import channels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.config.channels import ChannelRules, CheckedChannel
    from monitor.config.model import Channel, Config
    from monitor.config.plan import Plan
    from monitor.store.channels import StoredChannel
    from monitor.store.engine import Transaction

log = structlog.get_logger()


def read_channels(tx: Transaction, config: Config) -> list[Channel]:
    """Return the stored channels by name; a URL that cannot be read says why when it is used."""
    found = []
    for row in channels.list_channels(tx):
        try:
            found.append(read_channel(row.content, _url_of(row, config), config))
        except EntryUnusable as error:
            log.warning("channel.unusable", channel=row.name, why=str(error))
    return found


def with_stored_channels(tx: Transaction, config: Config) -> Config:
    """Return *config* with the stored channels beside those of the file."""
    return config.with_channels(read_channels(tx, config))


def read_url(row: StoredChannel, config: Config) -> str | None:
    """Return the URL that is stored; None if it cannot be decrypted any more."""
    url = _url_of(row, config)
    return url if isinstance(url, str) else None


def _url_of(row: StoredChannel, config: Config) -> str | Secret:
    if row.secrets is None:
        return Secret.unreadable("it was lost: the row in the database was damaged")
    try:
        return open_secrets(row.secrets, Cipher.of(config.web))[URL,]
    except KeyUnusable as error:
        return Secret.unreadable(f"{error}; put the former key into web.old_keys")


def put_channel(
    tx: Transaction,
    checked: CheckedChannel,
    cipher: Cipher,
    plan: Plan,
    config: Config,
    now: datetime,
) -> None:
    """Keep a channel; what is held back is looked at again by what it says.

    Args:
        plan: The plan in force, which knows it only when it was read again.
        config: The settings in force.
    """
    sealed = seal_secrets({(URL,): checked.url}, cipher)
    channels.put_channel(tx, checked.channel.name, checked.content, checked.digest, sealed)
    _review(tx, plan, config, now)


def rename_in_channels(
    tx: Transaction,
    renamed: Mapping[str, str],
    rules: ChannelRules,
    plan: Plan,
    config: Config,
    now: datetime,
) -> bool:
    """Have stored channels call connections by their new names; tell whether any names one.

    Args:
        renamed: The new names, by the old ones.
    """
    has_changed, cipher = False, Cipher.find(config.web)
    for row in channels.list_channels(tx):
        named = list_connections(row.content)
        if renamed.keys().isdisjoint(named):
            continue
        names = [renamed.get(name, name) for name in named]
        url = read_url(row, config)
        try:
            checked = rules.check({**row.content, "connections": names}, url, names)
        except EntryRefused as error:
            log.warning("channel.names_former_name", channel=row.name, why=str(error))
            continue
        if cipher is not None:
            put_channel(tx, checked, cipher, plan, config, now)
            has_changed = True
    return has_changed


def drop_channel(tx: Transaction, name: str, plan: Plan, config: Config, now: datetime) -> None:
    """Forget a channel with its URL; what was due there is no longer sent."""
    channels.drop_channel(tx, name)
    _review(tx, plan, config, now)


def _review(tx: Transaction, plan: Plan, config: Config, now: datetime) -> None:
    later = make_plan(with_stored_channels(tx, config), plan.settings)
    review_suppressed(tx, later, now, all_of_it=True)
    suppress_unsent(tx, later, now)
