"""Compare two readings of the file: what a reload adds, changes and takes out.

Pure, but for secrets: they are compared by what was read of them, and never
shown. What is done about a change is left to `monitor.engine.reload`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.config.connections import AmazonConnection
from monitor.config.model import is_reachable_from_outside
from monitor.config.secret import Secret, SecretUnavailable
from monitor.config.values import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.config.connections import Connection
    from monitor.config.model import Config

NEED_RESTART = (("monitor", "database"), ("web", "listen"))
"""
Settings that a reload leaves as they are: the database and the socket that the
daemon has open. All others are put in force.
"""

_CHECKED_THE_SAME = {
    "name",
    "every",
    "timeout",
    "tags",
    "group",
    "channels",
    "enabled",
    "valid_days",
    "authorized_on",
    "renew_url",
    "notes",
    "renamed_from",
    "client_secret_created_on",
    "application_id",
    "redirect_url",
}
"""Settings that say nothing of what is asked of a service."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different in a newer reading of the file.

    Args:
        renamed: Those that carry on another's history; named as they are now.
        checked_anew: Those that are new, switched on, or ask their service otherwise
            than before; named as they are now.
        void: Those whose checks under way no longer count, because they are gone
            or ask otherwise; named as they were.
        tables: The other tables that say something else, such as `alerts`.
        need_restart: Settings that say something else and stay as they are.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    n_kept: int = 0
    checked_anew: tuple[str, ...] = ()
    void: frozenset[str] = frozenset()
    tables: tuple[str, ...] = ()
    need_restart: tuple[str, ...] = ()


def compare(before: Config, after: Config) -> Changes:
    """Return what *after* says that *before* did not."""
    old = {one.name: one for one in before.connections}
    pairs = {one.name: _former(one, old) for one in after.connections}
    added, changed, renamed, checked_anew = [], [], [], []
    void = old.keys() - {one.name for one in pairs.values() if one is not None}
    for one in after.connections:
        former = pairs[one.name]
        if former is None:
            added.append(one.name)
            checked_anew.append(one.name)
            continue
        if former.name != one.name:
            renamed.append(one.name)
        elif any(_differing(former, one)):
            changed.append(one.name)
        is_asked_otherwise = _is_checked_otherwise(former, one, before, after)
        if is_asked_otherwise or not one.enabled:
            void |= {former.name}
        if is_asked_otherwise or (one.enabled and not former.enabled):
            checked_anew.append(one.name)
    carried_on = {one.name for one in pairs.values() if one is not None}
    return Changes(
        added=tuple(added),
        changed=tuple(changed),
        removed=tuple(name for name in old if name not in carried_on),
        renamed=tuple(renamed),
        n_kept=len(pairs) - len(added) - len(changed) - len(renamed),
        checked_anew=tuple(checked_anew),
        void=frozenset(void),
        tables=tuple(_other_tables(before, after)),
        need_restart=tuple(_in_need_of_restart(before, after)),
    )


def defer_until_restart(before: Config, after: Config) -> Config:
    """Return *after*, with what only a restart can change as it was *before*."""
    kept: dict[str, dict[str, Any]] = {}
    for table, key in _list_fixed(before, after):
        kept.setdefault(table, {})[key] = getattr(getattr(before, table), key)
    return after.model_copy(
        update={
            table: getattr(after, table).model_copy(update=values) for table, values in kept.items()
        }
    )


def _list_fixed(before: Config, after: Config) -> Iterator[tuple[str, str]]:
    """Yield the settings that stay as they were *before*.

    While the socket is reachable from outside, so are those that ask who comes: *after*
    may do without all of them only because it listens elsewhere, which it does not yet.
    """
    yield from NEED_RESTART
    if after.web.is_open and is_reachable_from_outside(before.web.listen):
        for key in ("password", "users", "proxy_auth"):
            if getattr(before.web, key) != getattr(after.web, key):
                yield "web", key


def _former(one: Connection, old: dict[str, Connection]) -> Connection | None:
    """Return the entry whose history *one* carries on."""
    if one.name in old or one.renamed_from is None:
        return old.get(one.name)
    return old.get(one.renamed_from)


def _is_checked_otherwise(
    former: Connection, one: Connection, before: Config, after: Config
) -> bool:
    if any(key not in _CHECKED_THE_SAME for key in _differing(former, one)):
        return True
    if not isinstance(one, AmazonConnection) or not isinstance(former, AmazonConnection):
        return False
    clients = before.application(former.application), after.application(one.application)
    return any(key not in _CHECKED_THE_SAME for key in _differing(*clients))


def _differing(before: Settings | None, after: Settings | None) -> Iterator[str]:
    """Yield the keys that say something else; one for all where the tables are of two kinds."""
    if before is None or after is None or type(before) is not type(after):
        if before is not after:
            yield "provider"
        return
    for key in type(after).model_fields:
        if not _is_same(getattr(before, key), getattr(after, key)):
            yield key


def _is_same(before: Any, after: Any) -> bool:
    if isinstance(before, Secret) and isinstance(after, Secret):
        # What one command printed is the same for both, whenever that was.
        return before == after and (
            after.command is not None or _value_of(before) == _value_of(after)
        )
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _is_same(value, after[key]) for key, value in before.items()
        )
    if isinstance(before, Settings) and isinstance(after, Settings):
        return not any(_differing(before, after))
    if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
        return all(_is_same(*pair) for pair in zip(before, after, strict=True))
    return bool(before == after)


def _value_of(secret: Secret) -> str | None:
    """Return what was read of *secret*, or is there now if nobody has read it yet."""
    try:
        return secret.reveal()
    except SecretUnavailable:
        return None


def _other_tables(before: Config, after: Config) -> Iterator[str]:
    for table in type(after).model_fields:
        old, new = getattr(before, table), getattr(after, table)
        if table == "connections":
            continue
        if isinstance(new, tuple):
            is_same = len(old) == len(new) and not any(
                any(_differing(*pair)) for pair in zip(old, new, strict=True)
            )
        else:
            fixed = {key for section, key in _list_fixed(before, after) if section == table}
            is_same = fixed.issuperset(_differing(old, new))
        if not is_same:
            yield table


def _in_need_of_restart(before: Config, after: Config) -> Iterator[str]:
    for table, key in _list_fixed(before, after):
        if getattr(getattr(before, table), key) != getattr(getattr(after, table), key):
            yield f"{table}.{key}"
