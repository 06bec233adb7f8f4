"""
Name what the simulator refuses to do.

Decides the texts' kind only; what becomes of them (a JSON error, a line on the
page) is left to `control` and `soldscope_api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


class SimulatorError(ValueError):
    """
    A wish that cannot be fulfilled, with a sentence that says why.
    """


class UnknownNameError(SimulatorError):
    """
    Something was named that does not exist.
    """

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str]) -> Self:
        """Say that *name* is none of those that are *known*."""
        return cls(f"no {kind} {name[:40]!r}; there are: {', '.join(known) or 'none'}")


class QuotaUsedUpError(SimulatorError):
    """
    A metered call was made and nothing is left.
    """
