"""
Read the source of the package and fail where a layer is breached.

What each package is for, what it offers and whom it may import stands in
`packages.toml` beside this file; the other rules are the tables below. Nothing is
imported to keep them, and a breach is named with its line.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections import defaultdict
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = tomllib.loads((ROOT / "tests/packages.toml").read_text(encoding="utf-8"))

# Modules that belong to no package, and what they may import of this project.
LOOSE: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli"},
    "clock": set(),
    "log": set(),
    "resources": set(),
}

# Where a library, or a part of this package, may be imported.
ONLY_IN = {
    "aiohttp": ("monitor/providers/", "monitor/simulator/", "monitor/web/"),
    "alembic": ("monitor/store/",),
    "apprise": ("monitor/notify/apprise.py",),
    "apscheduler": ("monitor/engine/scheduler.py",),
    "click": ("monitor/cli/",),
    "fastapi": ("monitor/web/",),
    "httpx": ("monitor/providers/",),
    "http_sf": ("monitor/providers/headers.py",),
    "httpx_aiohttp": ("monitor/providers/",),
    "jinja2": ("monitor/notify/sandbox.py", "monitor/simulator/", "monitor/web/"),
    "prometheus_client": ("monitor/web/",),
    "psycopg": ("monitor/sources/databases.py",),
    "rich": ("monitor/cli/",),
    "sqlalchemy": ("monitor/store/",),
    "starlette": ("monitor/web/",),
    "typer": ("monitor/cli/",),
    "uvicorn": ("monitor/web/",),
}

# Where a name may be used. Monotonic clocks measure lengths: they are free to all but `judge`.
USED_ONLY_IN = {
    "datetime.date.today": "monitor/clock.py",
    "datetime.datetime.now": "monitor/clock.py",
    "datetime.datetime.today": "monitor/clock.py",
    "datetime.datetime.utcnow": "monitor/clock.py",
    "structlog.configure": "monitor/log.py",
    "structlog.configure_once": "monitor/log.py",
    "time.time": "monitor/clock.py",
    "time.time_ns": "monitor/clock.py",
}

# Parts of the standard library that `judge` does without.
IMPURE = set(
    "asyncio concurrent http io logging os pathlib queue random secrets select"  # noqa: SIM905
    " selectors signal socket sqlite3 ssl subprocess tempfile threading time urllib".split()
)

MAY_CATCH_ALL = {
    "monitor/engine/scheduler.py",  # one job's failure must not end the others
    "monitor/engine/readings.py",  # what a thread ends with is raised where it is waited for
    "monitor/cli/errors.py",  # a fault must end a command with the contract's exit code
    "monitor/config/registry.py",  # importing another's package may raise anything
    "monitor/providers/plugin.py",  # so may its checks, and others must go on
}
FILE_LINES = 900
FUNCTION_LINES = 50

# A longer function says so in a comment within.
REASON = "# long because: "

# What `connwatch status` has no use for and would have to wait for.
HEAVY = [
    "aiohttp",
    "alembic",
    "apprise",
    "apscheduler",
    "argon2",
    "cryptography",
    "fastapi",
    "httpx",
    "httpx_aiohttp",
    "jinja2",
    "prometheus_client",
    "sqlalchemy.orm",
    "uvicorn",
]


class Module:
    """
    One module of the package, as it is written.
    """

    def __init__(self, path: str, text: str):
        self.path = path
        self.text = text
        tree = ast.parse(text)
        self.body = tree.body
        self.nodes = list(ast.walk(tree))
        self.layer = path.removesuffix(".py").split("/")[1]
        self.name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def imports(self) -> list[tuple[str, int]]:
        """
        The full name of everything imported, and the line.
        """
        found = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [(name.name, node.lineno) for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                source = self._source_of(node)
                found += [(f"{source}.{name.name}", node.lineno) for name in node.names]
        return found

    @cached_property
    def names(self) -> list[tuple[str, int]]:
        """
        Every dotted name used, traced back to its import, and the line.
        """
        found = []
        for node in self.nodes:
            if isinstance(node, ast.Name | ast.Attribute):
                first, dot, rest = ast.unparse(node).partition(".")
                found.append((self._origins.get(first, first) + dot + rest, node.lineno))
        return found

    @cached_property
    def _origins(self) -> dict[str, str]:
        origins: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                origins |= {name.asname: name.name for name in node.names if name.asname}
            elif isinstance(node, ast.ImportFrom):
                source = self._source_of(node)
                for name in node.names:
                    origins[name.asname or name.name] = f"{source}.{name.name}"
        return origins

    def _source_of(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        return ".".join([*self.path.split("/")[: -node.level], *filter(None, [node.module])])


@cache
def read_module(path: str) -> Module:
    return Module(path, (ROOT / path).read_text(encoding="utf-8"))


def breaches_of_layers(module: Module) -> Iterator[str]:
    package = PACKAGES.get(module.layer)
    allowed = LOOSE.get(module.layer, set())
    if package is not None:
        allowed = {module.layer, *package["imports"]}
    elif module.layer not in LOOSE:
        yield f"line 1: {module.path} lies in no package of tests/packages.toml"
    for name, line in module.imports:
        top, _, inside = name.partition(".")
        layer = inside.partition(".")[0]
        if (
            top == "monitor"
            and not layer.startswith("__")
            and layer not in {"", "lazily", *allowed}
        ):
            yield f"line {line}: {module.layer} must not import {name}"


def breaches_of_privacy(module: Module) -> Iterator[str]:
    for name, line in module.imports:
        last = name.rpartition(".")[2]
        if name.startswith("monitor.") and last.startswith("_") and not last.startswith("__"):
            yield f"line {line}: {name} is its file's own"


def breaches_of_places(module: Module) -> Iterator[str]:
    for name, line in module.imports:
        for library, places in ONLY_IN.items():
            if f"{name}.".startswith(f"{library}.") and not module.path.startswith(places):
                yield f"line {line}: {library} is imported only in {' and '.join(places)}"
    for name, line in module.names:
        place = USED_ONLY_IN.get(name, module.path)
        if module.path != place:
            yield f"line {line}: {name} is used only in {place}"


def breaches_of_purity(module: Module) -> Iterator[str]:
    if module.layer != "judge":
        return
    for name, line in module.imports:
        library = name.partition(".")[0]
        if library in IMPURE or library not in {*sys.stdlib_module_names, "monitor"}:
            yield f"line {line}: judge must not import {name}"
    for node in module.nodes:
        if isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith):
            yield f"line {node.lineno}: judge must not await"


def breaches_of_handling(module: Module) -> Iterator[str]:
    if module.path in MAY_CATCH_ALL:
        return
    for node in module.nodes:
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "BaseException"
            if caught == "BaseException" and ast.unparse(node.body[-1]) == "raise":
                continue  # tidies up and swallows nothing
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            caught = ", ".join(map(ast.unparse, node.args))
        else:
            continue
        if {"Exception", "BaseException"} & set(caught.strip("()").split(", ")):
            yield f"line {node.lineno}: everything is caught only in {sorted(MAY_CATCH_ALL)}"


def breaches_of_size(module: Module) -> Iterator[str]:
    lines = module.text.splitlines()
    if len(lines) > FILE_LINES:
        yield f"{len(lines)} lines: at most {FILE_LINES}; which second subject is in there?"
    for node in module.nodes:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = lines[node.lineno - 1 : node.end_lineno]
        if len(body) > FUNCTION_LINES and not any(REASON in line for line in body):
            yield (
                f"line {node.lineno}: {node.name} has {len(body)} lines: "
                f"at most {FUNCTION_LINES}, or a comment '{REASON}...'"
            )


RULES: list[Callable[[Module], Iterator[str]]] = [
    breaches_of_layers,
    breaches_of_privacy,
    breaches_of_places,
    breaches_of_purity,
    breaches_of_handling,
    breaches_of_size,
]


def find_breaches(module: Module) -> list[str]:
    return [breach for rule in RULES for breach in rule(module)]


PATHS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("monitor/**/*.py"))


@pytest.mark.parametrize("path", PATHS)
def test_module_keeps_the_rules(path):
    assert find_breaches(read_module(path)) == []


def test_no_test_imports_what_is_its_file_s_own():
    found = {}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if breaches := list(breaches_of_privacy(read_module(name))):
            found[name] = breaches
    assert found == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_in_one_sentence_what_is_decided_there(package):
    face = ast.parse((ROOT / f"monitor/{package}/__init__.py").read_text(encoding="utf-8"))
    sentence = " ".join((ast.get_docstring(face) or "").partition("\n\n")[0].split())
    assert sentence == PACKAGES[package]["says"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_offers_the_names_that_are_listed(package):
    script = (
        f"import monitor.{package} as face\n"
        "print(*sorted(face.__all__))\n"
        "print(*[name for name in face.__all__ if getattr(face, name) is None])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.stdout.split("\n")[0].split(), result.stderr) == (
        sorted(PACKAGES[package]["offers"]),
        "",
    )


def test_packages_import_only_those_listed_before_them():
    known: set[str] = set()
    for package, about in PACKAGES.items():
        assert set(about["imports"]) - {"clock", "resources", "log"} <= known, package
        known.add(package)


def find_circle(arrows: dict[str, set[str]]) -> list[str]:
    """Return files that import one another in a circle, or nothing."""
    finished: set[str] = set()

    def follow(path: list[str]) -> list[str]:
        for target in sorted(arrows[path[-1]]):
            if target in path:
                return [*path[path.index(target) :], target]
            if target not in finished and (circle := follow([*path, target])):
                return circle
        finished.add(path[-1])
        return []

    return next((circle for start in sorted(arrows) if (circle := follow([start]))), [])


def arrows_of(modules: Iterable[Module]) -> dict[str, set[str]]:
    modules = list(modules)
    names = {module.name for module in modules}
    arrows: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        for name, _ in module.imports:
            source = name if name in names else name.rpartition(".")[0]
            if source in names - {module.name, "monitor"}:
                arrows[module.name].add(source)
    return arrows


def test_no_file_imports_another_in_a_circle():
    assert find_circle(arrows_of(map(read_module, PATHS))) == []


def test_a_circle_is_found():
    texts = {
        "monitor/a.py": "from monitor.b import x",
        "monitor/b.py": "if TYPE_CHECKING:\n    from monitor import c",
        "monitor/c.py": "def f():\n    from monitor.a import y",
    }
    circle = find_circle(arrows_of(Module(path, text) for path, text in texts.items()))
    assert circle == ["monitor.a", "monitor.b", "monitor.c", "monitor.a"]


def test_a_class_name_means_one_thing():
    places = defaultdict(list)
    for path in PATHS:
        for node in read_module(path).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path)
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


LONG_FUNCTION = "def f():\n" + "    pass\n" * 60
BREACHES = {
    "judge imports a library": ("judge/x.py", "import structlog", "judge must not import"),
    "judge imports another layer": ("judge/x.py", "from monitor.clock import utc_now", "judge"),
    "judge does I/O": ("judge/x.py", "import socket", "judge must not import socket"),
    "judge awaits": ("judge/x.py", "async def f(): ...", "judge must not await"),
    "judge reads the time": (
        "judge/x.py",
        "from datetime import UTC, datetime\nnow = datetime.now(UTC)",
        "line 2: datetime.datetime.now is used only in monitor/clock.py",
    ),
    "time under another name": (
        "providers/x.py",
        "import datetime as dt\nnow = dt.datetime.utcnow()",
        "datetime.datetime.utcnow is used only",
    ),
    "time imported from time": (
        "engine/x.py",
        "from time import time as now\nnow()",
        "time.time is used only",
    ),
    "providers import store": (
        "providers/x.py",
        "import monitor.store.engine",
        "providers must not import",
    ),
    "providers import notify": (
        "providers/x.py",
        "from monitor import notify",
        "providers must not import",
    ),
    "store imports notify, relatively": (
        "store/x.py",
        "from ..notify import a",
        "monitor.notify.a",
    ),
    "notify imports store for its types": (
        "notify/x.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from monitor.store import a",
        "line 3: notify must not import monitor.store.a",
    ),
    "import within a function": (
        "store/x.py",
        "def f():\n    from monitor.providers import fetch",
        "line 2: store must not import monitor.providers.fetch",
    ),
    "simulator imports judge": ("simulator/x.py", "import monitor.judge", "simulator must not"),
    "engine imports web": ("engine/x.py", "import monitor.web.app", "engine must not import"),
    "loose module": ("x.py", "", "lies in no package"),
    "another file's own name": ("cli/x.py", "from monitor.judge.quota import _f", "own"),
    "scheduler elsewhere": (
        "engine/x.py",
        "import apscheduler.events",
        "apscheduler is imported only",
    ),
    "apprise beside the sender": ("notify/x.py", "import apprise", "only in monitor/notify/a"),
    "SQL in the web": ("web/x.py", "from sqlalchemy import select", "sqlalchemy is imported only"),
    "HTTP in a message": ("notify/x.py", "import httpx", "httpx is imported only"),
    "logging set up twice": (
        "engine/x.py",
        "import structlog\nstructlog.configure()",
        "monitor/log.py",
    ),
    "everything caught": (
        "engine/x.py",
        "try: ...\nexcept (OSError, Exception): ...",
        "line 2: everything is caught only in",
    ),
    "bare except": ("engine/x.py", "try: ...\nexcept: ...", "everything is caught only in"),
    "all but cancellation caught and raised": (
        "engine/x.py",
        "try: ...\nexcept Exception:\n    raise",
        "everything is caught only in",
    ),
    "everything suppressed": (
        "engine/x.py",
        "import contextlib\ncontextlib.suppress(Exception)",
        "line 2: everything is caught only in",
    ),
    "long function": ("engine/x.py", LONG_FUNCTION, "line 1: f has 61 lines"),
    "long file": ("engine/x.py", "x = 1\n" * 901, "901 lines: at most 900"),
}


@pytest.mark.parametrize(("path", "text", "expected"), BREACHES.values(), ids=BREACHES)
def test_a_breach_is_caught(path, text, expected):
    assert expected in "\n".join(find_breaches(Module(f"monitor/{path}", text)))


INNOCENT = {
    "judge imports itself": ("judge/x.py", "from monitor.judge.outcome import Standing"),
    "judge computes with dates": ("judge/x.py", "from datetime import timedelta as t\nt(days=1)"),
    "the clock reads the time": ("clock.py", "from datetime import datetime as d\nd.now()"),
    "a length is measured": ("providers/x.py", "import time\ntime.monotonic()"),
    "one's own method called now": ("providers/x.py", "clock.now()"),
    "the version is known to all": ("providers/x.py", "from monitor import __version__"),
    "the sender sends": ("notify/apprise.py", "import apprise.common"),
    "a library with a similar name": ("engine/x.py", "import richer"),
    "some errors caught": ("engine/x.py", "try: ...\nexcept (OSError, MyException): ..."),
    "tidied up and raised": ("engine/x.py", "try: ...\nexcept BaseException:\n    f()\n    raise"),
    "jobs catch everything": ("engine/scheduler.py", "try: ...\nexcept Exception: ..."),
    "long function with a reason": (
        "engine/x.py",
        LONG_FUNCTION + "    # long because: a table\n    f()",
    ),
    "long subject": ("engine/x.py", "x = 1\n" * 900),
    "the command line starts": ("__main__.py", "from monitor.cli import main"),
}


@pytest.mark.parametrize(("path", "text"), INNOCENT.values(), ids=INNOCENT)
def test_no_breach_is_invented(path, text):
    assert find_breaches(Module(f"monitor/{path}", text)) == []


def test_starting_a_command_loads_nothing_heavy():
    script = f"import sys, monitor.cli; print(*[m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.stdout.split(), result.stderr) == ([], "")
