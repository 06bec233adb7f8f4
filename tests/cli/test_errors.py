"""
How commands end when they cannot do what they were asked: code 3, a sentence on stderr.
"""

from __future__ import annotations

import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
import typer

from monitor.cli import app
from monitor.cli.errors import CommandError, run_command
from monitor.config.errors import ConfigError, Problem
from monitor.store.engine import StoreError
from tests.bench import OK, REFUSED, Bench, connection
from tests.command_line import COMMAND, Ended, clean_environment
from tests.waiting import PATIENCE_S


@pytest.fixture(autouse=True)
def _configured(bench):
    bench.configure(connection("acme"))


USAGE = {
    "unknown command": ["statsu"],
    "unknown option": ["status", "--jsn"],
    "unknown option of the program": ["--confg", "x"],
    "missing argument": ["pause"],
    "one argument too many": ["pause", "acme", "globex"],
    "a value for a switch": ["status", "--json=yes"],
    "an option without its value": ["--config"],
    "options that exclude each other": ["check", "--no-store", "--send"],
    "unknown option of run": ["run", "--fast"],
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE)
def test_a_usage_error_is_3_and_never_2(bench, arguments):
    ended = bench.run(*arguments)
    assert (ended.code, ended.out) == (3, "")
    assert "connwatch: " in ended.err
    assert "Traceback" not in ended.err


def test_a_usage_error_shows_the_usage_and_the_nearest_option(bench):
    err = bench.run("status", "--jsn").err
    assert "Usage: connwatch status" in err
    assert "--json" in err


def test_no_command_at_all_shows_the_help(bench):
    ended = bench.spawn()
    assert ended.code == 3
    assert "Usage: connwatch" in ended.out + ended.err


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_asking_for_help_is_done(bench, option):
    ended = bench.run(option)
    assert (ended.code, ended.err) == (0, "")
    assert "connwatch" in ended.out


def test_the_program_is_called_connwatch_however_it_was_started(bench):
    assert "Usage: connwatch status" in bench.spawn("status", "--help").out


COMMANDS = ["status", "check", "run", "history acme", "pause acme", "resume acme", "delete acme"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_mistake_of_the_file_is_told_at_once(bench, command):
    bench.configure(connection("acme", every='"1s"', nots='"x"'))
    ended = bench.run(*command.split())
    assert (ended.code, ended.out) == (3, "")
    assert "connwatch: connections[0].every: " in ended.err
    assert "connwatch: connections[0].nots: " in ended.err
    assert not bench.database.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_file_is_told(bench, command):
    bench.config_path.unlink()
    ended = bench.run(*command.split())
    assert (ended.code, ended.out) == (3, "")
    assert "config.toml: does not exist" in ended.err


@pytest.mark.parametrize("command", ["status", "check"])
def test_no_connection_at_all_is_told_with_how_to_add_one(bench, command):
    bench.configure()
    ended = bench.run(command)
    assert (ended.code, ended.out) == (3, "")
    assert "no connection is configured: add a [[connections]] table" in ended.err


@pytest.mark.parametrize("command", ["status", "history acme", "pause acme", "check"])
def test_a_damaged_database_is_told_in_one_sentence(bench, command):
    bench.database.write_bytes(b"this is no database " * 200)
    ended = bench.spawn(*command.split())
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("connwatch: ")
    assert str(bench.database) in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("command", ["status --json", "history acme", "alerts list"])
def test_a_folder_for_a_database_is_not_taken_for_one_without_checks(bench, command):
    bench.database.mkdir()
    ended = bench.run(*command.split())
    assert (ended.code, ended.out) == (3, "")
    assert f"the database {bench.database} is a folder" in ended.err


def test_a_database_of_a_newer_program_is_told(bench):
    bench.evaluate("acme", OK)
    with closing(sqlite3.connect(bench.database)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    for command in ("status", "pause acme", "run"):
        ended = bench.spawn(*command.split())
        assert (ended.code, ended.out) == (3, "")
        assert "schema 9999" in ended.err
        assert "Traceback" not in ended.err


@pytest.mark.slow
def test_a_database_that_stays_locked_is_told(bench):
    bench.evaluate("acme", OK)
    with closing(sqlite3.connect(bench.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = bench.spawn("pause", "acme")
        assert bench.run("status").code == 0  # readers do not wait for writers
    assert (ended.code, ended.out) == (3, "")
    assert "locked" in ended.err
    assert len(ended.err.splitlines()) == 1


def run_failing(error: BaseException, capsys) -> tuple[object, str]:
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as ending:
        run_command(app, [])
    return ending.value.code, capsys.readouterr().err


ERRORS: dict[str, tuple[BaseException, int, str]] = {
    "a command's own": (CommandError("not today"), 3, "connwatch: not today\n"),
    "the store's": (StoreError("disk full"), 3, "connwatch: disk full\n"),
    "the file's": (
        ConfigError([Problem("web.listen", "no"), Problem("alerts", "odd")]),
        3,
        "connwatch: web.listen: no\nconnwatch: alerts: odd\n",
    ),
    "Ctrl-C": (KeyboardInterrupt(), 130, "connwatch: interrupted\n"),
    "a question without an answer": (typer.Abort(), 130, "connwatch: interrupted\n"),
    "a library's exit": (SystemExit(1), 3, ""),
    "a library's good exit": (SystemExit(0), 0, ""),
    "a reader gone": (BrokenPipeError(32, "Broken pipe"), 3, ""),
    "an exit code": (typer.Exit(2), 2, ""),
}


@pytest.mark.parametrize(("error", "code", "said"), ERRORS.values(), ids=ERRORS)
def test_every_error_has_its_code_and_its_sentence(error, code, said, capsys):
    assert run_failing(error, capsys) == (code, said)


def spawn_in_shell(bench: Bench, script: str, **env: str) -> Ended:
    """
    Run `connwatch` within a line of shell, as `$CW`.
    """
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=bench.folder,
        env=clean_environment({"CW": shlex.join(COMMAND)} | env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("options", ["", "--json"])
def test_whoever_closes_stdout_still_gets_the_exit_code(bench, options):
    bench.evaluate("acme", REFUSED)
    ended = spawn_in_shell(bench, f"$CW status {options} >&-")
    assert (ended.code, ended.err) == (2, "")


def test_with_all_streams_closed_a_command_is_done_all_the_same(bench):
    bench.evaluate("acme", OK)
    assert spawn_in_shell(bench, "$CW pause acme <&- >&- 2>&-").code == 0
    assert bench.shown()["acme"]["state"] == "paused"
    assert spawn_in_shell(bench, "$CW check --json <&- 2>&-").code == 0


@pytest.mark.parametrize("command", ["status", "status --json", "db current", "--help"])
def test_output_on_a_full_disk_is_told_in_one_sentence(bench, command):
    bench.evaluate("acme", OK)
    ended = spawn_in_shell(bench, f"$CW {command} >/dev/full")
    assert (ended.code, len(ended.err.splitlines())) == (3, 1), ended.err
    assert ended.err.startswith("connwatch: cannot write to stdout: No space left on device")


@pytest.mark.parametrize("command", ["--help", "status", "resume acme"])
def test_a_terminal_without_unicode_is_no_fault(bench, command):
    bench.evaluate("acme", OK)
    ended = bench.spawn(*command.split(), PYTHONIOENCODING="ascii")
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("columns", ["0", "1"])
def test_a_width_that_cannot_be_meant_hides_nothing(bench, columns):
    bench.evaluate("acme", REFUSED)
    narrow, usual = (bench.spawn("status", COLUMNS=width).out for width in (columns, "80"))
    # Between the two, time goes on.
    assert re.sub(r"[0-9]+ s\w*", "", narrow) == re.sub(r"[0-9]+ s\w*", "", usual)


def test_a_fault_of_ours_is_3_with_its_traceback(capsys):
    code, said = run_failing(ZeroDivisionError("oops"), capsys)
    assert code == 3
    assert "ZeroDivisionError: oops" in said
    assert "fault of connwatch" in said


def test_ctrl_c_ends_a_command_without_a_traceback(bench):
    """A check that hangs is interrupted as a shell does it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bench.configure(connection("acme", f"http://127.0.0.1:{silent.getsockname()[1]}"))
        process = subprocess.Popen(
            [*COMMAND, "check"],
            cwd=bench.folder,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        silent.settimeout(30)
        asked, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
        asked.close()
    assert (process.returncode, out, err) == (130, "", "connwatch: interrupted\n")
    assert bench.shown()["acme"]["state"] == "pending"


def test_python_m_monitor_is_the_command(bench):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "monitor", "--version"],
        cwd=bench.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout.startswith("connwatch ")


SHELL_OPTIONS = ("--show-completion", "--install-completion")


@pytest.mark.parametrize("shell", [None, "nosh", "tcsh", "cmd"])
@pytest.mark.parametrize("option", SHELL_OPTIONS)
def test_a_shell_without_completion_is_3_and_one_sentence(bench, option, shell, monkeypatch):
    monkeypatch.setattr(typer.completion, "_get_shell_name", lambda: shell)
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: shell)
    ended = bench.run(option)
    assert (ended.code, ended.out) == (3, "")
    [line] = ended.err.splitlines()
    assert line.startswith("connwatch: the shell that started connwatch")
    assert "bash, zsh, fish and PowerShell" in line
    assert f"`connwatch {option}`" in line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_and_shown_for_the_shells_it_knows(
    bench, shell, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(typer.completion, "_get_shell_name", lambda: shell)
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: shell)
    shown = bench.run("--show-completion")
    assert (shown.code, shown.err) == (0, "")
    assert "_CONNWATCH_COMPLETE" in shown.out
    installed = bench.run("--install-completion")
    assert (installed.code, installed.err) == (0, "")
    assert f"{shell} completion installed in {tmp_path}" in installed.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "pwsh"])
@pytest.mark.parametrize("home", ["a file", "nowhere", "broken"])
def test_what_keeps_completion_from_being_installed_is_said(
    bench, shell, home, monkeypatch, tmp_path
):
    (tmp_path / "a file").touch()
    (tmp_path / "broken").mkdir()
    for name in (".bashrc", ".zshrc"):
        (tmp_path / "broken" / name).write_bytes(b"\xff\xfe")
    (tmp_path / "broken" / ".config").touch()
    monkeypatch.setenv("HOME", "/proc/nowhere" if home == "nowhere" else str(tmp_path / home))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: shell)
    ended = bench.run("--install-completion")
    assert (ended.code, ended.out) == (3, "")
    [line] = ended.err.splitlines()
    assert line.startswith("connwatch: completion cannot be installed: ")
    assert "connwatch --show-completion" in line


TABS = {
    "no words": {"_CONNWATCH_COMPLETE": "complete_bash"},
    "no place": {"_CONNWATCH_COMPLETE": "complete_bash", "COMP_WORDS": "connwatch "},
    "a place that is none": {
        "_CONNWATCH_COMPLETE": "complete_bash",
        "COMP_WORDS": "connwatch ",
        "COMP_CWORD": "x",
    },
    "no instruction": {"_CONNWATCH_COMPLETE": "nonsense"},
    "another shell": {"_CONNWATCH_COMPLETE": "complete_tcsh"},
    "another instruction": {"_CONNWATCH_COMPLETE": "paint_bash"},
}


@pytest.mark.parametrize("variables", TABS.values(), ids=TABS)
def test_a_shell_that_asks_in_another_way_gets_no_traceback(bench, variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ended = bench.run()
    assert (ended.code, ended.out) == (3, "")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", ["statsu", "status nobody", "config show --nope", "-- x"])
def test_errors_that_cannot_be_written_anywhere_end_with_3(bench, arguments):
    """
    Python would end with 1, which says "something soon" of all connections.
    """
    done = subprocess.run(
        f"exec {shlex.join(COMMAND)} {arguments} 2>/dev/full",
        shell=True,
        cwd=bench.folder,
        env=clean_environment(),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, b"")


def test_an_installation_that_lacks_a_package_is_3(bench, tmp_path):
    (tmp_path / "typer.py").write_text("raise ImportError('gone')\n")
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop()); import monitor.__main__ as it; it.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "status", str(tmp_path)],
        cwd=bench.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.endswith("this installation is not complete: install connwatch again\n")


def test_a_command_can_be_run_a_thousand_times_in_one_process(capsys):
    codes = set()
    for _ in range(1_100):
        with pytest.raises(SystemExit) as ended:
            run_command(app, ["nothing"])
        codes.add(ended.value.code)
    assert codes == {3}
    assert "Traceback" not in capsys.readouterr().err
