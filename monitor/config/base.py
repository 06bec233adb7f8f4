"""
Say what all settings have in common, and what reading them depends on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pydantic import ValidationInfo


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What the meaning of a file depends on beside its text.

    Args:
        path: The file.
        now: The present instant; later dates are refused.
        environment: Where a default may be taken from.
        is_private: Only the file's owner may read it, so it may hold secrets.
    """

    path: Path
    now: datetime
    environment: dict[str, str]
    is_private: bool = True

    @property
    def folder(self) -> Path:
        """
        Return the folder that relative paths are taken from.
        """
        return self.path.absolute().parent


def reading_of(info: ValidationInfo) -> Reading | None:
    """
    Return what the caller handed in with the data, if it comes from a file.
    """
    return info.context if isinstance(info.context, Reading) else None


class Settings(BaseModel):
    """
    A frozen table of the file that refuses unknown keys.
    """

    # Errors are put into our own words; pydantic's would repeat the input,
    # which may be a secret.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=False,
    )
