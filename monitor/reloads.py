"""
Remember how reading the file went, for whoever asks how the daemon is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.config.wording import say_count

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.config.errors import Problem


@dataclass(slots=True)
class Reloads:
    """
    The latest readings of the file.

    Args:
        read_at: When the settings in force were read.
        failed_at: When it was read since then and could not be used.
        problems: Why not.
        need_restart: Settings that the file has changed and only a restart puts in force.
    """

    read_at: datetime | None = None
    failed_at: datetime | None = None
    problems: tuple[Problem, ...] = ()
    need_restart: tuple[str, ...] = ()

    def note_success(self, at: datetime, need_restart: tuple[str, ...] = ()) -> None:
        """
        Note that the file was read and put in force.
        """
        self.read_at, self.failed_at, self.problems = at, None, ()
        self.need_restart = need_restart

    def note_failure(self, at: datetime, problems: tuple[Problem, ...]) -> None:
        """
        Note that the file could not be used: what was read before stays in force.
        """
        self.failed_at, self.problems = at, problems

    def describe(self) -> str:
        """
        Return in a few words what is not as the file says; empty if all is.
        """
        if self.failed_at is not None:
            mistakes = say_count(len(self.problems), "mistake")
            return (
                f"the file was not reloaded at {self.failed_at:%H:%M:%S} UTC"
                f" ({mistakes}), the former settings are in force"
            )
        if self.need_restart:
            return f"restart to change {', '.join(self.need_restart)}"
        return ""
