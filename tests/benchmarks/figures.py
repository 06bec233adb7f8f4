"""
Print the figures of the code: names, circles, sizes, and the climbs of one batch of checks.

They say how easily a reader finds the way, and are compared from release to release; no
test holds them. `python -m tests.benchmarks.figures`, or `make figures`.
"""

from __future__ import annotations

import ast
import math
import re
import statistics
import tokenize
from collections import Counter, defaultdict
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.climbs import make_trip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.benchmarks.climbs import Trip

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "monitor"

SAYS_NOTHING = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}

Graph = dict[str, set[str]]


class SourceFile:
    """One file of the package, as it is written."""

    def __init__(self, root: Path, path: Path) -> None:
        self.path = path.relative_to(root)
        self.text = path.read_text(encoding="utf-8")
        self.nodes = list(ast.walk(ast.parse(self.text)))
        parts = self.path.with_suffix("").parts
        self.is_face = parts[-1] == "__init__"
        self.module = ".".join(parts[:-1] if self.is_face else parts)

    @property
    def room(self) -> str:
        """The package that holds it; a loose module is a room of its own."""
        return self.path.with_suffix("").parts[1]

    @property
    def n_lines(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def n_code_lines(self) -> int:
        """The lines without comments, docstrings, and blanks but those within a string."""
        lines: set[int] = set()
        for token in tokenize.generate_tokens(StringIO(self.text).readline):
            if token.type not in SAYS_NOTHING:
                lines.update(range(token.start[0], token.end[0] + 1))
        for node in self.nodes:
            # Also those below a constant: nothing is done with a string that stands alone.
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                if isinstance(node.value.value, str):
                    lines.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
        return len(lines)

    @property
    def function_lengths(self) -> list[int]:
        return [
            (node.end_lineno or node.lineno) - node.lineno + 1
            for node in self.nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]

    def imports(self, modules: Iterable[str]) -> Iterator[str]:
        """Yield which of *modules* it imports, for the type checker alone or not."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names if name.name in modules)
            elif isinstance(node, ast.ImportFrom):
                source = self._source(node)
                for name in node.names:
                    full = f"{source}.{name.name}"
                    found = full if full in modules else source
                    if found in modules:
                        yield found

    def _source(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.module.split(".") if self.is_face else self.module.split(".")[:-1]
        above = package[: len(package) - node.level + 1]
        return ".".join([*above, *([node.module] if node.module else [])])


def read_files(root: Path) -> list[SourceFile]:
    """Return all files of the package below *root*."""
    return [SourceFile(root, path) for path in sorted(root.glob(f"{PACKAGE}/**/*.py"))]


def graph_of_modules(files: list[SourceFile]) -> Graph:
    """Return which module imports which."""
    modules = {file.module for file in files}
    return {file.module: set(file.imports(modules)) - {file.module} for file in files}


def graph_of_rooms(files: list[SourceFile]) -> Graph:
    """Return which package, or loose module, imports which."""
    room_of = {file.module: file.room for file in files}
    rooms: Graph = defaultdict(set)
    for module, imported in graph_of_modules(files).items():
        room = room_of[module]
        rooms[room] |= {room_of[other] for other in imported} - {room}
    return dict(rooms)


def find_circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the groups of nodes that reach one another."""
    reached = {node: _reach(graph, node) for node in graph}
    groups = {
        frozenset(other for other in reached[node] if node in reached[other]) | {node}
        for node in graph
    }
    return sorted((set(group) for group in groups if len(group) > 1), key=sorted)


def _reach(graph: Mapping[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        fresh = graph[waiting.pop()] - reached
        reached |= fresh
        waiting += fresh
    return reached


def count_floors(graph: Mapping[str, set[str]]) -> int:
    """Return how many nodes the longest chain of imports has; a circle is one floor."""
    home = {node: frozenset({node}) for node in graph}
    for circle in find_circles(graph):
        home |= dict.fromkeys(circle, frozenset(circle))
    below = {
        group: {home[other] for node in group for other in graph[node]} - {group}
        for group in home.values()
    }
    floors: dict[frozenset[str], int] = {}

    def floor_of(group: frozenset[str]) -> int:
        if group not in floors:
            floors[group] = 1 + max(map(floor_of, below[group]), default=0)
        return floors[group]

    return max(map(floor_of, below), default=0)


def count_files_to_touch(contributing: str) -> dict[str, int]:
    """Return how many files of the package each table of a usual change names."""
    found: dict[str, int] = {}
    for block in re.split(r"\n(?=\*\*|#)", contributing):
        title = re.match(r"\*\*([^*(:\n]+)", block)
        rows = re.findall(r"^\|([^|]*)\|", block, flags=re.MULTILINE)
        files = {name for row in rows for name in re.findall(r"`(monitor/[^`]*)`", row)}
        if title and files:
            found[title[1].strip()] = len(files)
    return found


def describe_files(files: list[SourceFile]) -> Iterator[tuple[str, object]]:
    """Yield how many files and names a reader meets, and how they hang together."""
    # A package's own file has no name that anybody must know.
    named = Counter(file.path.name for file in files)
    loose = [file for file in files if len(file.path.parts) == 2]
    rooms = graph_of_rooms(files)
    circles = find_circles(graph_of_modules(files))
    yield "files", len(files)
    yield "different basenames", len(named)
    yield "loose modules", len(loose)
    yield "circles, file by file", _with_members(circles)
    yield "circles, package by package", _with_members(find_circles(rooms))
    yield "floors of packages", count_floors(rooms)


def _with_members(circles: list[set[str]]) -> str:
    members = ["; " + " <-> ".join(sorted(circle)) for circle in circles]
    return f"{len(circles)}{''.join(members)}"


def describe_sizes(files: list[SourceFile]) -> Iterator[tuple[str, object]]:
    """Yield how much there is to read, altogether and at a time."""
    functions = sorted(length for file in files for length in file.function_lengths)
    sizes = sorted(file.n_lines for file in files if not file.is_face)
    yield "total lines", f"{sum(file.n_lines for file in files):,}"
    yield "code lines", f"{sum(file.n_code_lines for file in files):,}"
    if functions:
        p90 = functions[math.ceil(0.9 * len(functions)) - 1]
        middle = statistics.median(functions)
        yield "functions, median / p90 / max", f"{middle:g} / {p90} / {functions[-1]}"
    if sizes:
        middle = statistics.median(sizes)
        yield "lines of a file, median / largest", f"{middle:g} / {sizes[-1]}"


def describe(root: Path) -> Iterator[tuple[str, object]]:
    """Yield every figure that can be read from the files below *root*."""
    files = read_files(root)
    yield from describe_files(files)
    yield from describe_sizes(files)
    contributing = root / "CONTRIBUTING.md"
    if contributing.exists():
        for change, n_files in count_files_to_touch(contributing.read_text("utf-8")).items():
            yield f"files to touch, by CONTRIBUTING: {change}", n_files


def describe_trip(trip: Trip) -> Iterator[tuple[str, object]]:
    """Yield how a batch of checks goes through the packages, and where it climbs."""
    yield "batch of checks: alerts", " ".join(trip.alerts)
    yield "batch of checks: stays, returns to a higher one", f"{len(trip.stays)}, {trip.n_returns}"
    yield "batch of checks: climbs", f"{len(trip.climbs)} ({sum(trip.climbs.values())} calls)"
    for (caller, callee), n_calls in trip.climbs.most_common():
        yield f"  {caller}", f"{callee} ({n_calls} calls)"


def main() -> None:
    for name, value in [*describe(ROOT), *describe_trip(make_trip())]:
        print(f"{name:<50} {value}")


if __name__ == "__main__":
    main()
