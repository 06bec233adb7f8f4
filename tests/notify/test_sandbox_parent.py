"""
What renders templates ends with whoever started it, however that ends.
"""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

import monitor
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

PARENT = """
import sys, threading
from pathlib import Path
from monitor.clock import utc_now
from monitor.notify.formats import Form
from monitor.notify.samples import sample_message
from monitor.judge.alerts import AlertKind
from monitor.notify.template import render
message = sample_message(AlertKind.ERROR, utc_now())
render(Path(sys.argv[1]), message, Form.PLAIN)
print("rendered", flush=True)
if len(sys.argv) > 2:
    threading.Thread(target=render, args=(Path(sys.argv[2]), message, Form.PLAIN)).start()
    print("rendering", flush=True)
threading.Event().wait()
"""

ENDLESS = "{% for a in range(99) %}{% for b in range(99) %}{{ 'x' * 99 }}{% endfor %}{% endfor %}"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "plain.j2"
    path.write_text("rendered", "utf-8")
    return path


@pytest.fixture(params=["resting", "rendering"])
def parent(
    request: pytest.FixtureRequest, template: Path, tmp_path: Path
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PARENT, str(template)]
    if request.param == "rendering":
        endless = tmp_path / "endless.j2"
        endless.write_text(ENDLESS, "utf-8")
        command.append(str(endless))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for _ in command[3:]:
                assert process.stdout.readline().strip() in {"rendered", "rendering"}
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM], ids=str)
def test_no_renderer_outlives_who_started_it(parent, number):
    [renderer] = psutil.Process(parent.pid).children()
    parent.send_signal(number)
    parent.wait(PATIENCE_S)
    wait_until(lambda: not renderer.is_running())


CHILDREN = {
    "cli/config.py": "systemctl, which ends as soon as it has done what it was asked for",
    "cli/demo.py": "ends with the demo: tests/e2e/test_demo.py",
    "cli/importer.py": "ends with the import: tests/cli/test_children.py",
    "config/commands.py": "ours to end: after kill -9 the unit's group ends it, or its next print",
    "notify/template.py": "ends with the pipe that it is asked through: above",
}
"""Where a process is started, and what ends it if we are killed."""

STARTERS = {"Popen", "create_subprocess_exec", "create_subprocess_shell", "fork", "posix_spawn"}
STARTERS |= {"Process", "ProcessPoolExecutor", "check_output", "check_call"}


def test_no_process_is_started_that_nobody_ends():
    root = Path(monitor.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if (
                    called in {"subprocess.run", "os.system"}
                    or called.rpartition(".")[2] in STARTERS
                ):
                    found.add(str(path.relative_to(root)))
    assert found == set(CHILDREN)
