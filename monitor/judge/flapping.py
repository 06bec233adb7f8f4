"""
Decide when a connection changes its state too often to be told each time.
"""

from __future__ import annotations

from datetime import timedelta

CHANGES = 6
"""So many transitions within `WINDOW` are flapping (the contract, section 6)."""

WINDOW = timedelta(hours=1)
"""How long there must be no transition before it is over."""
