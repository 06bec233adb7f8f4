"""Take lists of rows apart as they come: lines of JSON, a list of JSON, CSV.

Decides what a row is and what makes a whole list unreadable. Nothing holds more than a few rows: a
million of them take no more memory than ten.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from typing import TYPE_CHECKING, Any, Protocol

from monitor.sources.rows import (
    LARGEST_ROW,
    SourceRow,
    UnreadableSource,
    check_keys,
    name_in,
    pair_up,
    parse_json,
    read_cells,
    read_dates,
    refuse_constant,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_AHEAD = 16 * LARGEST_ROW
"""An element of a list that is longer is not looked for to its end."""

_SPACE = re.compile(r"[ \t\r\n]*")
_TOO_LARGE = f"larger than {LARGEST_ROW >> 10} KiB"


class Format(Protocol):
    """What takes rows out of bytes, in the pieces in which they come."""

    @property
    def n_rows(self) -> int:
        """How many rows were counted."""
        ...

    def feed(self, chunk: bytes) -> Iterator[SourceRow]:
        """Yield the rows that are complete with *chunk*."""
        ...

    def close(self) -> Iterator[SourceRow]:
        """Yield what is left at the end; raise UnreadableSource if it is none."""
        ...


def make_row(index: int, value: Any, defaults: Mapping[str, Any], file: str = "") -> SourceRow:
    """Return the row that a value of JSON is."""
    if not isinstance(value, dict):
        return SourceRow(index, None, "a row is a JSON object", file)
    try:
        check_keys(value)
        return SourceRow(index, read_dates(value, defaults), "", file)
    except ValueError as error:
        return SourceRow(index, None, str(error), file, name_in(value))


class JsonLines:
    """A JSON object a line; a line that is none is a bad row.

    Raises UnreadableSource at the end if there are lines, and none of them is JSON.
    """

    def __init__(self, defaults: Mapping[str, Any], file: str = "", first: int = 0) -> None:
        self._defaults, self._file = defaults, file
        self._rest = b""
        self._first = self._index = first
        self._is_skipping = False
        self._has_json = False

    @property
    def n_rows(self) -> int:
        """How many rows were counted, those before the first included."""
        return self._index

    def feed(self, chunk: bytes) -> Iterator[SourceRow]:
        """Yield the rows that are complete with *chunk*."""
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            yield from self._read(line)
        if len(self._rest) > LARGEST_ROW:
            # Its end is still to come, and nothing of it is kept until then.
            self._rest, self._is_skipping = b"", True

    def close(self) -> Iterator[SourceRow]:
        """Yield the last row, which may have no line break."""
        yield from self._read(self._rest)
        self._rest = b""
        if self._index > self._first and not self._has_json:
            raise UnreadableSource("no line of it is JSON")

    def _read(self, line: bytes) -> Iterator[SourceRow]:
        if self._is_skipping or len(line) > LARGEST_ROW:
            self._is_skipping = False
            yield self._refuse(_TOO_LARGE)
            return
        if self._index == self._first:
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            return
        try:
            value = parse_json(line.decode("utf-8"))
        except UnicodeDecodeError:
            yield self._refuse("not UTF-8 text")
            return
        except ValueError as error:
            yield self._refuse(str(error))
            return
        self._has_json = True
        self._index += 1
        yield make_row(self._index - 1, value, self._defaults, self._file)

    def _refuse(self, why: str) -> SourceRow:
        self._index += 1
        return SourceRow(self._index - 1, None, why, self._file)


class JsonList:
    """A list of JSON objects; what breaks the list makes all of it unreadable."""

    def __init__(self, defaults: Mapping[str, Any], file: str = "", first: int = 0) -> None:
        self._defaults, self._file = defaults, file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._scan = json.JSONDecoder(
            object_pairs_hook=pair_up, parse_constant=refuse_constant
        ).raw_decode
        self._text = ""
        self._at = 0
        self._index = first
        self._has_begun = self._has_ended = False

    @property
    def n_rows(self) -> int:
        """How many rows were counted, those before the first included."""
        return self._index

    def feed(self, chunk: bytes) -> Iterator[SourceRow]:
        """Yield the rows that are complete with *chunk*."""
        self._add(chunk, is_last=False)
        while not self._has_ended and len(self._text) - self._at > _AHEAD:
            row = self._next()
            if row is not None:
                yield row

    def close(self) -> Iterator[SourceRow]:
        """Yield the rows that are left, to the end of the list."""
        self._add(b"", is_last=True)
        while not self._has_ended:
            row = self._next()
            if row is not None:
                yield row
        self._skip_space()
        if self._at < len(self._text):
            raise UnreadableSource("something follows the list")

    def _add(self, chunk: bytes, *, is_last: bool) -> None:
        try:
            text = self._decoder.decode(chunk, is_last)
        except UnicodeDecodeError:
            raise UnreadableSource("not UTF-8 text") from None
        self._text, self._at = self._text[self._at :] + text, 0

    def _next(self) -> SourceRow | None:
        """Return the next row; None where a part of the list around it was read."""
        self._skip_space()
        if not self._has_begun:
            self._take("[", "not a JSON list")
            self._has_begun = True
            self._skip_space()
            self._has_ended = self._peek() == "]"
            self._at += self._has_ended
            return None
        row = self._read_element()
        self._skip_space()
        self._has_ended = self._peek() == "]"
        if self._has_ended:
            self._at += 1
        else:
            self._take(",", f"not JSON after row {row.index}: it was cut off, or is malformed")
        return row

    def _read_element(self) -> SourceRow:
        index, begins_at = self._index, self._at
        self._index += 1
        try:
            value, self._at = self._scan(self._text, begins_at)
        except (ValueError, RecursionError):
            raise UnreadableSource(f"row {index} is not JSON, or is longer than any row") from None
        if self._at - begins_at > LARGEST_ROW:
            return SourceRow(index, None, _TOO_LARGE, self._file)
        return make_row(index, value, self._defaults, self._file)

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = self._at if found is None else found.end()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, sign: str, why: str) -> None:
        if self._peek() != sign:
            raise UnreadableSource(why)
        self._at += 1


# --- CSV

_DELIMITERS = ",;\t"


def read_csv(
    lines: Iterable[str], defaults: Mapping[str, Any], file: str = ""
) -> Iterator[SourceRow]:
    """Yield the rows of a CSV, whose first line names the keys.

    Args:
        lines: With their line breaks.
    """
    source = iter(lines)
    first = next(source, "")
    if not first.strip():
        raise UnreadableSource("its first line is empty: it has to name the keys")
    delimiter = max(_DELIMITERS, key=first.count)
    table = csv.reader(_again(first, source), delimiter=delimiter, strict=True)
    header = [name.strip() for name in _read_header(table)]
    index = 0
    while True:
        try:
            cells = next(table, None)
        except csv.Error as error:
            raise UnreadableSource(f"not CSV after row {index - 1}: {error}") from None
        if cells is None:
            return
        if cells:
            yield _make_csv_row(index, header, cells, defaults, file)
            index += 1


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _read_header(table: Iterator[list[str]]) -> list[str]:
    try:
        header = next(table)
    except csv.Error as error:
        raise UnreadableSource(f"its first line cannot be read: {error}") from None
    names = [name.strip() for name in header]
    if "" in names:
        raise UnreadableSource(f"column {names.index('') + 1} has no name in the first line")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnreadableSource(f"two columns are called {json.dumps(twice[:40])}")
    return names


def _make_csv_row(
    index: int, header: list[str], cells: list[str], defaults: Mapping[str, Any], file: str
) -> SourceRow:
    if sum(map(len, cells)) > LARGEST_ROW:
        return SourceRow(index, None, _TOO_LARGE, file)
    if len(cells) != len(header):
        why = f"has {len(cells)} cells, and the first line {len(header)}"
        return SourceRow(index, None, why, file)
    texts = dict(zip(header, cells, strict=True))
    try:
        return SourceRow(index, read_dates(read_cells(texts, defaults), defaults), "", file)
    except ValueError as error:
        return SourceRow(index, None, str(error), file, name_in(texts))
