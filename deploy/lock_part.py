"""Print the part of constraints.txt that some packages need: names, versions, hashes.

The lock has all that development needs; an installation needs a part of it:

    python3 deploy/lock_part.py connwatch > requirements.txt

Goes by the comments that `make lock` writes below each entry ("via …"), so that
it needs nothing but Python, not even the packages it is about.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LOCK = "constraints.txt"

_ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==.*\n(?:[ ].*\n?)*", re.MULTILINE)
_PARENT = re.compile(r"^ +#(?: via)? +(?P<name>[^\s#]+)(?P<source> .*)?$", re.MULTILINE)
_DEVELOPMENT = "pyproject.toml:"


def cut(lock: str, wanted: set[str]) -> str:
    """Return the entries of *lock* that are among *wanted*, or needed by one that is.

    Args:
        wanted: Names of packages; `connwatch` is the project itself, without
            what only its development needs.

    Raises:
        ValueError: The lock has nothing for one of them.
    """
    entries = {entry["name"]: entry[0] for entry in _ENTRY.finditer(lock)}
    parents = {name: _parents_of(entry) for name, entry in entries.items()}
    unknown = wanted - entries.keys() - {one for each in parents.values() for one in each}
    if unknown:
        raise ValueError(f"{LOCK} has nothing for {', '.join(sorted(unknown))}")
    found = set(wanted)
    while more := {name for name, of in parents.items() if of & found} - found:
        found |= more
    return "".join(text for name, text in entries.items() if name in found)


def _parents_of(entry: str) -> set[str]:
    return {
        parent["name"]
        for parent in _PARENT.finditer(entry)
        if _DEVELOPMENT not in (parent["source"] or "")
    }


def main() -> None:
    """Print what the packages named on the command line need."""
    lock = Path(__file__).resolve().with_name(LOCK)
    if not lock.is_file():
        lock = lock.parent.with_name(LOCK)
    try:
        sys.stdout.write(cut(lock.read_text(encoding="utf-8"), set(sys.argv[1:])))
    except (OSError, ValueError) as error:
        sys.exit(f"lock_part.py: {error}")


if __name__ == "__main__":
    main()
