"""
Be somebody else for a moment, who may not look into folders of others.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65_534


@contextmanager
def as_stranger() -> Iterator[None]:
    """
    Become a user to whom `tmp_path`, like a unit's state, is closed; skip where that cannot be.
    """
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
