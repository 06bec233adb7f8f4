"""Read a source that is a file, or a folder of files: `.jsonl`, `.json` and `.csv`.

Nothing is kept of a file beyond the rows at hand. A device or a pipe is no file; what cannot be
read makes the whole source unreadable, so that nothing is taken for gone.
"""

from __future__ import annotations

import codecs
import os
import stat
from typing import TYPE_CHECKING, Any, BinaryIO

from monitor.sources.formats import Format, JsonLines, JsonList, read_csv
from monitor.sources.rows import LARGEST_ROW, SourceRow, UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ENDINGS = (".jsonl", ".ndjson", ".json", ".csv")
_CHUNK = 1 << 18
_LONGEST_LINE = 2 * LARGEST_ROW


def read_files(path: Path, defaults: Mapping[str, Any], shown: str = "") -> Iterator[SourceRow]:
    """Yield the rows of the file at *path*, or of all files in that folder, by name.

    Args:
        defaults: What holds for rows that do not say otherwise.
        shown: What rows call the file, if it is no folder.

    Raises:
        UnreadableSource: Any of it cannot be read, perhaps after rows were yielded: then
            they are part of no list.
    """
    try:
        names = sorted(os.listdir(path))  # noqa: PTH208 - names are all that is needed
    except NotADirectoryError:
        yield from _read_file(path, defaults, shown)
        return
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror}") from None
    for name in names:
        if name.endswith(ENDINGS) and not name.startswith("."):
            yield from _read_file(path / name, defaults, name)


def read_lines(file: BinaryIO, shown: str) -> Iterator[SourceRow]:
    """Yield the rows of JSON lines that come from somewhere, such as standard input.

    Args:
        shown: What rows call it.

    Raises:
        UnreadableSource: It cannot be read, perhaps after rows were yielded.
    """
    try:
        yield from _read_rows(file, ENDINGS[0], {}, shown)
    except UnreadableSource as error:
        raise UnreadableSource(f"{shown}: {error}") from None
    except OSError as error:
        raise UnreadableSource(f"{shown} cannot be read: {error.strerror}") from None


def _read_file(path: Path, defaults: Mapping[str, Any], shown: str = "") -> Iterator[SourceRow]:
    try:
        with _open(path) as file:
            yield from _read_rows(file, path.suffix.lower(), defaults, shown)
    except UnreadableSource as error:
        raise UnreadableSource(f"{path}: {error}") from None
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror}") from None


def _open(path: Path) -> BinaryIO:
    # Not blocking: a plain open of a pipe would last until somebody writes to it.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UnreadableSource("it is no ordinary file")
    return os.fdopen(handle, "rb")


def _read_rows(
    file: BinaryIO, ending: str, defaults: Mapping[str, Any], shown: str
) -> Iterator[SourceRow]:
    if ending == ".csv":
        yield from read_csv(_lines_of(file), defaults, shown)
        return
    if ending not in ENDINGS:
        raise UnreadableSource(f"its name has to end with one of {', '.join(ENDINGS)}")
    of_kind: Format = (JsonList if ending == ".json" else JsonLines)(defaults, shown)
    while chunk := file.read(_CHUNK):
        yield from of_kind.feed(chunk)
    yield from of_kind.close()


def _lines_of(file: BinaryIO) -> Iterator[str]:
    """Yield the lines of *file* as text, with their breaks; a break within quotes is one too."""
    is_first = True
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise UnreadableSource(f"a line is longer than {_LONGEST_LINE >> 10} KiB")
        if is_first:
            line, is_first = line.removeprefix(codecs.BOM_UTF8), False
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            raise UnreadableSource("not UTF-8 text: save it as CSV UTF-8") from None
