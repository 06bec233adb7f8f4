"""
Find the configuration file, read it, and tell everything that is wrong at once.

What a key means is declared in `model`; secrets are not read here.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from monitor.clock import utc_now
from monitor.config.base import Reading
from monitor.config.cross import find_conflicts
from monitor.config.errors import ConfigError, Notice, Problem
from monitor.config.model import Config
from monitor.config.notices import notices
from monitor.config.providers import add_plugins
from monitor.config.surroundings import SecretsChecked, check_files, check_secrets
from monitor.config.translate import Located, translate
from monitor.config.wording import place_of

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "Notice",
    "SecretsChecked",
    "build_config",
    "check_files",
    "check_secrets",
    "find_config",
    "load_config",
    "notices",
]

SYSTEM_WIDE = Path("/etc/connwatch/config.toml")

_READABLE_BY_OTHERS = 0o044

_LARGEST_FILE = 128 * 1024 * 1024
"""Room for 100,000 connections, with much to say about each."""


def find_config(explicit: str | None) -> Path:
    """
    Return the file to read: the one named, or the first one found.

    A file that is named is the one, whether it exists or not.

    Args:
        explicit: The value of `--config`.

    Raises:
        ConfigError: None is named and none is found; lists the places.
    """
    named = explicit or os.environ.get("CONNWATCH_CONFIG")
    if named:
        return Path(named).absolute()
    candidates = [Path("config.toml").absolute(), *_personal(), SYSTEM_WIDE]
    for candidate in candidates:
        if os.path.isfile(candidate):  # noqa: PTH113 - Path.is_file raises where it may not look
            return candidate
    places = ", ".join(
        ["--config (not given)", "$CONNWATCH_CONFIG (not set)", *map(str, candidates)]
    )
    raise ConfigError(
        [
            Problem(
                "config.toml",
                f"not found; looked at {places}. Make one with: connwatch config init",
            )
        ]
    )


def _personal() -> list[Path]:
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    # A relative path in this variable is to be ignored, says its specification.
    if not Path(folder).is_absolute():
        home = os.environ.get("HOME")
        if not home:
            return []
        folder = f"{home}/.config"
    return [Path(folder, "connwatch", "config.toml")]


def load_config(path: Path, now: datetime | None = None) -> Config:
    """
    Return what the file at *path* says.

    Args:
        now: The present instant, if it is not to be asked from the clock.

    Raises:
        ConfigError: The file cannot be read or used; holds all problems.
    """
    raw, is_private = _read(path)
    data = _parse(raw, path)
    return build_config(
        data, Reading(path, now or utc_now(), dict(os.environ), is_private=is_private)
    )


def build_config(data: dict[str, Any], reading: Reading) -> Config:
    """
    Return the settings that the file's *data* means.

    Raises:
        ConfigError: Holds all problems.
    """
    if add_plugins(data):
        Config.model_rebuild(force=True)
    config: Config | None = None
    located: list[Located] = []
    try:
        config = Config.model_validate({"monitor": {}, **data}, context=reading)
    except ValidationError as error:
        located.extend(translate(error))
    located.extend(find_conflicts(data))
    # Raised out here: pydantic's error holds the data, secrets included, and
    # must not travel along as the cause.
    if config is None or located:
        located.sort(key=_order)
        raise ConfigError(
            [Problem(place_of(path), message) for path, message in located], reading.path
        )
    return config


def _order(located: Located) -> tuple[int, int]:
    """
    Sort by table and entry, keeping the order within an entry.
    """
    section, *rest = located[0]
    sections = list(Config.model_fields)
    position = sections.index(section) if section in sections else len(sections)
    return position, rest[0] if rest and isinstance(rest[0], int) else -1


def _read(path: Path) -> tuple[bytes, bool]:
    """
    Return the content of *path*, and whether only its owner may read it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_LARGEST_FILE + 1)
        if len(raw) <= _LARGEST_FILE:
            return raw, not mode & _READABLE_BY_OTHERS
        why = "cannot be read: larger than 128 MiB; is this the right file?"
    except FileNotFoundError:
        why = "does not exist; make one with: connwatch config init"
    except PermissionError:
        why = "may not be read by this user; run connwatch as the user who owns it"
    except (OSError, ValueError) as error:
        why = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    raise ConfigError([Problem(str(path), why)], path)


def _parse(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        why = f"not TOML: {error}"
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        why = f"not UTF-8 text (at line {line}); save it as UTF-8"
    except ValueError:
        why = "not usable: it holds a number of thousands of digits"
    except RecursionError:
        why = "not usable: its lists or tables are nested too deeply"
    # Raised out here: a decoder's error may hold the text, secrets included.
    raise ConfigError([Problem(str(path), why)], path)
