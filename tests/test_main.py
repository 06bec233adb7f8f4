"""
The way into the command line, before anything of it is imported.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint

import pytest

from monitor import __main__ as entry
from monitor.cli import errors
from tests.bench import OK, Bench, connection
from tests.command_line import ROOT, clean_environment, connwatch_from_cold
from tests.waiting import PATIENCE_S

INTERRUPTED_IMPORT = """
import sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == {name!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
{before}
from monitor.__main__ import main
main()
"""


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize("name", ["typer", "monitor.cli", "monitor.cli.session"])
def test_ctrl_c_while_it_starts_ends_it_as_it_would_a_command(name):
    done = run_script(INTERRUPTED_IMPORT.format(name=name, before=""))
    assert (done.returncode, done.stdout) == (errors.INTERRUPTED, "")
    assert done.stderr == "connwatch: interrupted\n"


def test_without_a_place_for_errors_ctrl_c_still_has_its_code():
    done = run_script(INTERRUPTED_IMPORT.format(name="typer", before="sys.stderr = None"))
    assert (done.returncode, done.stdout, done.stderr) == (errors.INTERRUPTED, "", "")


def test_a_fault_of_an_import_is_not_hidden():
    script = INTERRUPTED_IMPORT.replace("raise KeyboardInterrupt", "raise ImportError('broken')")
    done = run_script(script.format(name="typer", before=""))
    assert done.returncode != 0
    assert "ImportError: broken" in done.stderr


def test_nothing_is_imported_before_main_is_called():
    script = "import sys, monitor.__main__; print(*(m for m in sys.modules if 'typer' in m))"
    assert run_script(script).stdout == "\n"


def test_starting_collects_no_garbage(tmp_path):
    """
    A collection walks through all that was imported so far, and finds nothing.
    """
    config = tmp_path / "config.toml"
    config.write_text("")
    script = (
        "import gc, sys\nfrom monitor.__main__ import main\nbefore = gc.get_stats()\n"
        f"sys.argv[1:] = ['--config', {str(config)!r}, 'config', 'check']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "runs = [a['collections'] - b['collections'] for a, b in zip(gc.get_stats(), before)]\n"
        "print(runs, file=sys.stderr)"
    )
    assert run_script(script).stderr.splitlines()[-1] == "[0, 0, 0]"


COLD = {
    "check --no-store": 3,
    "status --json": 0,
    "validate acme": 3,
    "quota": 0,
    "history acme": 0,
    "pause acme": 0,
    "resume acme": 0,
    "renew acme --on 2026-02-01": 0,
    "ack acme": 3,
    "silence list": 0,
    "alerts list": 0,
    "config check": 0,
    "db current": 0,
    "web token list": 0,
    "doctor --offline": 2,
}


@pytest.mark.parametrize(("command", "code"), COLD.items(), ids=COLD)
def test_each_command_imports_what_it_needs_itself(tmp_path, command, code):
    """
    Most tests fork a process that has imported everything, and would not miss it.
    """
    bench = Bench(tmp_path)
    bench.configure(connection("acme"))
    bench.evaluate("acme", OK)
    ended = connwatch_from_cold(*command.split(), cwd=bench.folder)
    assert (ended.code, "Traceback" in ended.err) == (code, False), ended.err


def test_the_installed_command_is_this_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert list(project["scripts"]) == ["connwatch"]
    installed = EntryPoint("connwatch", project["scripts"]["connwatch"], "console_scripts")
    assert installed.load() is entry.main
