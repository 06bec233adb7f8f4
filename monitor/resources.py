"""Find the files that travel with the package.

Decides only where they are: beside `monitor/` in a checkout, inside it in an
installed wheel (`[tool.hatch.build.targets.wheel]` puts them there). What they
say is left to alembic and to `monitor.config`.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def migrations_path() -> Path:
    """Return the folder with alembic's environment and revisions."""
    return _find("store/migrations", "migrations")


def unit_file() -> str:
    """Return the text of the unit for systemd."""
    path = _find("deploy/connwatch.service", "deploy/systemd/connwatch.service")
    return path.read_text(encoding="utf-8")


def _find(in_wheel: str, in_checkout: str) -> Path:
    candidates = (_PACKAGE / in_wheel, _PACKAGE.parent / in_checkout)
    for path in candidates:
        if path.exists():
            return path
    looked_in = " and ".join(str(path) for path in candidates)
    raise FileNotFoundError(
        f"{in_checkout}: not found in {looked_in}, so the installation is incomplete: "
        "install connwatch again"
    )
