"""
Read the source of the package and fail where a layer is breached.

The rules are the tables below. Nothing is imported to keep them, and a breach
is named with its line.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent

# What a layer may import of this package. One that is not named may import all but the commands.
LAYERS: dict[str, set[str]] = {
    "judge": {"judge"},
    "clock": set(),
    "resources": set(),
    "config": {"config", "judge", "clock", "resources"},
    "check": {"check", "judge", "config", "clock"},
    "store": {"store", "judge", "config", "clock", "resources"},
    "alert": {"alert", "judge", "config", "clock", "resources"},
    "simulator": {"simulator", "clock"},
}

# Where a library, or a part of this package, may be imported.
ONLY_IN = {
    "aiohttp": ("monitor/check/", "monitor/simulator/", "monitor/web/"),
    "alembic": ("monitor/store/",),
    "apprise": ("monitor/alert/sender.py", "monitor/alert/targets.py"),
    "apscheduler": ("monitor/schedule/",),
    "click": ("monitor/cli/",),
    "fastapi": ("monitor/web/",),
    "httpx": ("monitor/check/",),
    "http_sf": ("monitor/check/structured.py",),
    "httpx_aiohttp": ("monitor/check/",),
    "jinja2": (
        "monitor/alert/sandbox.py",
        "monitor/alert/template.py",
        "monitor/simulator/",
        "monitor/web/",
    ),
    "monitor.cli": ("monitor/cli/", "monitor/__main__.py"),
    "prometheus_client": ("monitor/web/", "monitor/dashboard.py"),
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
    "monitor/schedule/jobs.py",  # one job's failure must not end the others
    "monitor/cli/ending.py",  # a fault must end a command with the contract's exit code
    "monitor/config/plugins.py",  # importing another's package may raise anything
    "monitor/check/plugin.py",  # so may its checks, and others must go on
}
MODULE_LINES = 300
FUNCTION_LINES = 50

# A longer module says so on a line of its own, a longer function anywhere within.
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
        self.nodes = list(ast.walk(ast.parse(text)))
        self.layer = path.removesuffix(".py").split("/")[1]

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


def breaches_of_layers(module: Module) -> Iterator[str]:
    allowed = LAYERS.get(module.layer)
    for name, line in module.imports:
        package, _, inside = name.partition(".")
        layer = inside.partition(".")[0]
        if package != "monitor" or layer.startswith("__") or allowed is None or layer in allowed:
            continue
        yield f"line {line}: {module.layer} must not import {name}"


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
    if len(lines) > MODULE_LINES and not any(line.startswith(REASON) for line in lines):
        yield f"{len(lines)} lines: at most {MODULE_LINES}, or a line '{REASON}...'"
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
    breaches_of_places,
    breaches_of_purity,
    breaches_of_handling,
    breaches_of_size,
]


def find_breaches(path: str, text: str) -> list[str]:
    module = Module(path, text)
    return [breach for rule in RULES for breach in rule(module)]


PATHS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("monitor/**/*.py"))


@pytest.mark.parametrize("path", PATHS)
def test_module_keeps_the_rules(path):
    assert find_breaches(path, (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_named_in_the_rules_exists(layer):
    assert any(path.startswith((f"monitor/{layer}/", f"monitor/{layer}.py")) for path in PATHS)


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
        "check/x.py",
        "import datetime as dt\nnow = dt.datetime.utcnow()",
        "datetime.datetime.utcnow is used only",
    ),
    "time imported from time": (
        "app.py",
        "from time import time as now\nnow()",
        "time.time is used only",
    ),
    "check imports store": ("check/x.py", "import monitor.store.engine", "check must not import"),
    "check imports alert": ("check/x.py", "from monitor import alert", "check must not import"),
    "store imports alert, relatively": ("store/x.py", "from ..alert import a", "monitor.alert.a"),
    "alert imports store for its types": (
        "alert/x.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from monitor.store import a",
        "line 3: alert must not import monitor.store.a",
    ),
    "import within a function": (
        "store/x.py",
        "def f():\n    from monitor.check import http",
        "line 2: store must not import monitor.check.http",
    ),
    "simulator imports judge": ("simulator/x.py", "import monitor.judge", "simulator must not"),
    "a part imports a command": ("app.py", "import monitor.cli.run", "only in monitor/cli/"),
    "scheduler elsewhere": ("app.py", "import apscheduler.events", "apscheduler is imported only"),
    "apprise beside the sender": ("alert/outbox.py", "import apprise", "only in monitor/alert/s"),
    "SQL in the web": ("web/x.py", "from sqlalchemy import select", "sqlalchemy is imported only"),
    "HTTP in an alert": ("alert/x.py", "import httpx", "httpx is imported only"),
    "logging set up twice": ("app.py", "import structlog\nstructlog.configure()", "monitor/log.py"),
    "everything caught": (
        "app.py",
        "try: ...\nexcept (OSError, Exception): ...",
        "line 2: everything is caught only in",
    ),
    "bare except": ("app.py", "try: ...\nexcept: ...", "everything is caught only in"),
    "all but cancellation caught and raised": (
        "app.py",
        "try: ...\nexcept Exception:\n    raise",
        "everything is caught only in",
    ),
    "everything suppressed": (
        "app.py",
        "import contextlib\ncontextlib.suppress(Exception)",
        "line 2: everything is caught only in",
    ),
    "long function": ("app.py", LONG_FUNCTION, "line 1: f has 61 lines"),
    "long module": ("app.py", "x = 1\n" * 301, "301 lines: at most 300"),
}


@pytest.mark.parametrize(("path", "text", "expected"), BREACHES.values(), ids=BREACHES)
def test_a_breach_is_caught(path, text, expected):
    assert expected in "\n".join(find_breaches(f"monitor/{path}", text))


INNOCENT = {
    "judge imports itself": ("judge/x.py", "from monitor.judge.state import Standing"),
    "judge computes with dates": ("judge/x.py", "from datetime import timedelta as t\nt(days=1)"),
    "the clock reads the time": ("clock.py", "from datetime import datetime as d\nd.now()"),
    "a length is measured": ("check/x.py", "import time\ntime.monotonic()"),
    "one's own method called now": ("check/x.py", "clock.now()"),
    "the version is known to all": ("check/x.py", "from monitor import __version__"),
    "the sender sends": ("alert/sender.py", "import apprise.common"),
    "a library with a similar name": ("app.py", "import richer"),
    "some errors caught": ("app.py", "try: ...\nexcept (OSError, MyException): ..."),
    "tidied up and raised": ("app.py", "try: ...\nexcept BaseException:\n    f()\n    raise"),
    "jobs catch everything": ("schedule/jobs.py", "try: ...\nexcept Exception: ..."),
    "long function with a reason": (
        "app.py",
        LONG_FUNCTION + "    # long because: a table\n    f()",
    ),
    "long module with a reason": ("app.py", "# long because: a table\n" + "x = 1\n" * 301),
}


@pytest.mark.parametrize(("path", "text"), INNOCENT.values(), ids=INNOCENT)
def test_no_breach_is_invented(path, text):
    assert find_breaches(f"monitor/{path}", text) == []


def test_starting_a_command_loads_nothing_heavy():
    script = f"import sys, monitor.cli; print(*[m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.stdout.split(), result.stderr) == ([], "")
