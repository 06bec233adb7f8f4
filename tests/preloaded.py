"""
What `tests.forking` has done in the process that all are forked from, once it is imported there.
"""

from __future__ import annotations

import pytest

from tests.built_once import share_commands

share_commands(pytest.MonkeyPatch())
