"""
What an import remembers of a million rows.
"""

from __future__ import annotations

from monitor.cli.importer import SeenNames


def test_each_name_is_new_once():
    seen = SeenNames()
    names = [f"st-{number:06}" for number in range(50_000)]

    assert all(seen.add(name) for name in names)
    assert not any(seen.add(name) for name in names)
    assert seen.add("another")
    assert seen.add("\ud800")
