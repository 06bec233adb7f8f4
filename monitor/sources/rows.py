"""Say what a row of a source is, where it stands, and what a cell of a table means.

Cells of CSV and SQL are texts: what one means is decided by the key that it is for. Whether the
values are any good is left to the models of the connections.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args

from monitor.config.errors import quoted
from monitor.config.registry import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_ROW = 64 * 1024
"""In bytes, as it is written."""

_LONGEST_NAME = 60


class UnreadableSource(Exception):  # noqa: N818 - it states a condition
    """Raised where a source cannot be read as a whole; says why, never what it holds."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row, as it was read.

    Args:
        index: Counted from 0 within its file; the header of a CSV is none.
        values: What it says by key; None for a row that cannot be used.
        why: Why it cannot.
        file: Its name, where a folder was read.
        name: What a row that cannot be used calls itself, if that can be read.
    """

    index: int
    values: Mapping[str, Any] | None = field(repr=False)
    why: str = ""
    file: str = ""
    name: str = ""

    @property
    def own_name(self) -> str:
        """Return what it calls itself, or nothing."""
        name = self.name if self.values is None else self.values.get("name")
        return name if isinstance(name, str) else ""

    @property
    def place(self) -> str:
        """Return where it stands, such as `stores.csv row 17 (st-acme)`."""
        name = self.own_name
        shown = f" ({name[:_LONGEST_NAME]})" if name and name.isprintable() else ""
        return f"{self.file} row {self.index}{shown}".strip()


def name_in(values: Mapping[str, Any]) -> str:
    """Return what a row calls itself, or nothing."""
    name = values.get("name")
    return name if isinstance(name, str) else ""


class CellKind(Enum):
    """What a cell means, by the key that it is for."""

    TEXT = "text"
    DATE = "date"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"


_KINDS = {
    date: CellKind.DATE,
    bool: CellKind.BOOLEAN,
    int: CellKind.INTEGER,
    float: CellKind.NUMBER,
}


@lru_cache(maxsize=64)
def cell_kinds(provider: str) -> dict[str, CellKind]:
    """Return what the cells of a connection of *provider* mean, by key; others are texts."""
    model = PROVIDERS.get(provider)
    fields = {} if model is None else model.model_fields
    return {each.alias or name: _kind_of(each.annotation) for name, each in fields.items()}


@lru_cache(maxsize=64)
def _date_keys(provider: str) -> tuple[str, ...]:
    return tuple(key for key, kind in cell_kinds(provider).items() if kind is CellKind.DATE)


def _kind_of(annotation: Any) -> CellKind:
    found = set(_leaves(annotation))
    # A key that also takes a text takes it as it stands.
    if str in found:
        return CellKind.TEXT
    return next((kind for leaf, kind in _KINDS.items() if leaf in found), CellKind.TEXT)


def _leaves(annotation: Any) -> list[Any]:
    inner = get_args(annotation)
    return [leaf for each in inner for leaf in _leaves(each)] if inner else [annotation]


def read_cells(cells: Mapping[str, str | None], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the *cells* of a table's row say; empty ones say nothing.

    Args:
        defaults: What holds for rows that do not say otherwise.

    Raises:
        ValueError: A cell does not mean what its key is for; names the key.
    """
    provider = cells.get("provider") or defaults.get("provider", "")
    kinds = cell_kinds(provider if isinstance(provider, str) else "")
    return {
        key: _read_cell(key, cell, kinds.get(key, CellKind.TEXT))
        for key, cell in cells.items()
        if cell
    }


def _read_cell(key: str, cell: str, kind: CellKind) -> Any:
    if cell[0] in "[{":
        try:
            value = parse_json(cell)
        except ValueError as error:
            raise ValueError(f"{key}: begins like JSON and is none: {error}") from None
        try:
            check_keys(value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
        return value
    match kind:
        case CellKind.BOOLEAN if cell.lower() in {"true", "false"}:
            return cell.lower() == "true"
        case CellKind.INTEGER | CellKind.NUMBER:
            try:
                return int(cell) if cell.lstrip("+-").isascii() else cell
            except ValueError:
                return _read_float(cell) if kind is CellKind.NUMBER else cell
    # Anything else is left to the model, which says what the key takes.
    return cell


def _read_float(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def read_dates(values: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return *values* with the days that are written as text, `YYYY-MM-DD`, as such.

    Raises:
        ValueError: It is no such day; names the key.
    """
    provider = values.get("provider") or defaults.get("provider", "")
    for key in _date_keys(provider if isinstance(provider, str) else ""):
        value = values.get(key)
        if isinstance(value, str):
            try:
                day = date.fromisoformat(value)
            except ValueError:
                day = None
            if day is None or day.isoformat() != value:
                raise ValueError(f"{key}: a date such as 2026-01-15, got {quoted(value[:40])}")
            values = {**values, key: day}
    return values


def parse_json(text: str) -> Any:
    """Return the value that *text* is; raise ValueError, which does not quote it, if it is none."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON (at character {error.pos})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def refuse_constant(name: str) -> Any:
    """Raise ValueError: NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is no JSON")


class AmbiguousObject(dict[str, Any]):
    """An object in which a key stands twice: nobody can know which is meant."""


def pair_up(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of *pairs*."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else AmbiguousObject(found)


_DECODER = json.JSONDecoder(parse_constant=refuse_constant, object_pairs_hook=pair_up)
"""Made once: that costs more than to read a row."""

_NESTED = (dict, list)


def _is_flat(value: Any) -> bool:
    if type(value) is not dict:
        return False
    for each in value.values():  # noqa: SIM110 - half as long as with any()
        if isinstance(each, _NESTED):
            return False
    return True


DEEPEST = 10
"""How many levels of lists and objects a row may have; no connection has half of them."""


def check_keys(value: Any) -> None:
    """Raise ValueError where an object within *value* has a key twice, or nothing can be meant."""
    if _is_flat(value):
        return  # as most are
    layer = [value]
    for _ in range(DEEPEST):
        if any(isinstance(each, AmbiguousObject) for each in layer):
            raise ValueError("a key stands there twice")
        layer = [
            inner
            for each in layer
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    if layer:
        raise ValueError("nested too deeply")
