"""
Say what is wrong with a configuration, and where.

The places and sentences are made by the modules that find the problems.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """
    A mistake that keeps the configuration from being used.

    Args:
        place: Where, such as `connections[2].every`, counted from 0; the path
            of the file for what concerns all of it.
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Notice:
    """
    Something the owner of the file should know that stops nothing.
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class ConfigError(Exception):
    """
    Raised with all problems of a configuration at once.

    Args:
        path: The file, or None where none was found.
    """

    def __init__(self, problems: Iterable[Problem], path: Path | None = None) -> None:
        self.problems = tuple(problems)
        self.path = path
        super().__init__(self.problems, path)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class MisplacedError(ValueError):
    """
    Raised by a validator whose complaint concerns a place below its own field.

    Args:
        path: The key, inside the field's own table, that is wrong; further
            keys lead deeper.
    """

    def __init__(self, message: str, *path: str) -> None:
        super().__init__(message)
        self.below = path
