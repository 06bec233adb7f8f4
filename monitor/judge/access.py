"""Decide what a role may do, and which groups' connections somebody sees."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Role(StrEnum):
    """What somebody may do; each may do what those before it may."""

    VIEWER = "viewer"
    """Reads."""

    OPERATOR = "operator"
    """Validates, pauses, acknowledges, mutes, renews."""

    ADMIN = "admin"
    """Does everything else."""

    def covers(self, least: Role) -> bool:
        """Tell whether this role may do what needs the role *least*."""
        return _RANKS[self] >= _RANKS[least]


_RANKS = {role: rank for rank, role in enumerate(Role)}


def strictest(roles: Iterable[Role]) -> Role:
    """Return that of *roles* which covers all the others."""
    return max(roles, key=_RANKS.__getitem__)


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody may do and see.

    Args:
        groups: Those whose connections are seen; None for all connections.
    """

    role: Role
    groups: frozenset[str] | None = None

    def sees(self, group: str | None) -> bool:
        """Tell whether a connection of *group* is seen; None: it belongs to no group."""
        return self.groups is None or group in self.groups

    @property
    def sees_all(self) -> bool:
        """Tell whether no group is left out, and what concerns no connection is seen as well."""
        return self.groups is None


FULL_ACCESS = Access(Role.ADMIN)
