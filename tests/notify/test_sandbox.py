from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import pytest

from monitor.judge.alerts import AlertKind
from monitor.notify import template as parent
from monitor.notify.formats import Form
from monitor.notify.samples import sample_message
from monitor.notify.sandbox import MOST_CPU_S, MOST_MEMORY, RenderError, render_source
from monitor.notify.template import TemplateError, render
from tests.notify.hostile import HOSTILE

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MESSAGE = sample_message(AlertKind.ERROR, NOW)
MOST_MB = 50

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def write(tmp_path):
    def write(source: str) -> str:
        path = tmp_path / "ops.j2"
        path.write_text(source, encoding="utf-8")
        return render(path, MESSAGE, Form.PLAIN)[1]

    return write


@pytest.fixture(autouse=True)
def _started(write):
    # What starting the process takes is no part of what a template takes.
    assert "hello" in write("hello")


def status_of(pid: int) -> dict[str, int]:
    """
    Return what the system says of a process, in kB.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines)
    return {name: int(value.split()[0]) for name, value in pairs if value.endswith("kB")}


def cpu_s_of(pid: int) -> float:
    """
    Return the processor time that a process has used so far; zero once it is gone.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pid() -> int:
    process = parent._renderer._process
    assert process is not None
    return process.pid


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_hostile_template_is_refused_or_cut_off_and_the_next_one_works(write, source):
    peak, used_s, done, child = [0], [0.0], threading.Event(), pid()
    began_s = cpu_s_of(child)

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], status_of(child).get("VmHWM", 0))
            used_s[0] = max(used_s[0], cpu_s_of(child) - began_s)
            done.wait(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.raises(TemplateError, match=r"^ops\.j2"):
        write(source)
    done.set()
    watcher.join()
    assert used_s[0] < MOST_CPU_S + 0.2
    assert peak[0] < MOST_MB * 1024
    assert "hello" in write("hello")


def test_template_that_was_cut_off_is_not_tried_again_until_it_changes(write):
    source = HOSTILE["a list twice in itself"] + "{# one that no other test tries #}"
    with pytest.raises(TemplateError, match="was cut off"):
        write(source)
    with pytest.raises(TemplateError, match="was cut off"):
        write(source)
    assert parent._renderer._process is None  # the one that it took with it was not replaced
    assert "hello" in write("hello")


@on_linux
def test_process_that_does_not_answer_is_not_waited_for_by_its_processor_time(write):
    os.kill(pid(), signal.SIGSTOP)
    with pytest.raises(TemplateError, match="was cut off"):
        write("good morning")
    assert "hello" in write("hello")


@on_linux
def test_process_may_grow_by_so_much_and_no_more():
    limits = Path(f"/proc/{pid()}/limits").read_text(encoding="ascii")
    [line] = [line for line in limits.splitlines() if line.startswith("Max address space")]
    assert int(line.split()[3]) <= status_of(pid())["VmPeak"] * 1024 + MOST_MEMORY


@on_linux
def test_process_has_nothing_of_our_environment(monkeypatch):
    parent._renderer.close()
    monkeypatch.setenv("SOLDSCOPE_TOKEN", "hunter2")
    parent._renderer._started()
    assert b"hunter2" not in Path(f"/proc/{pid()}/environ").read_bytes()


def test_process_that_was_killed_is_started_again(write):
    os.kill(pid(), 9)
    assert "again" in write("again")


def test_process_ends_with_the_one_that_started_it(tmp_path):
    (tmp_path / "ops.j2").write_text("hello", encoding="utf-8")
    program = (
        "import os, pathlib, sys\n"
        "from tests.notify.test_sandbox import MESSAGE, Form, parent, render\n"
        f"render(pathlib.Path({str(tmp_path / 'ops.j2')!r}), MESSAGE, Form.PLAIN)\n"
        "print(parent._renderer._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    root = str(Path(__file__).parents[2])
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env=os.environ | {"PYTHONPATH": root},
        stdout=subprocess.PIPE,
        check=False,
    )
    child = int(ended.stdout)
    deadline = monotonic() + 20
    while Path(f"/proc/{child}/stat").exists() and monotonic() < deadline:
        if Path(f"/proc/{child}/stat").read_text().split(") ")[1].startswith("Z"):
            break
        threading.Event().wait(0.02)
    else:
        assert monotonic() < deadline


def test_mistake_comes_with_its_line():
    with pytest.raises(RenderError, match="'nope' is undefined") as caught:
        render_source("ops.j2", "x\n{{ nope }}", {"now": NOW}, Form.PLAIN)
    assert caught.value.line == 2


def test_two_threads_are_answered_one_after_the_other(tmp_path):
    texts: dict[int, str] = {}

    def word(number: int) -> None:
        path = tmp_path / f"{number}.j2"
        path.write_text(f"text {number}", encoding="utf-8")
        texts[number] = render(path, MESSAGE, Form.PLAIN)[1].splitlines()[-1]

    threads = [threading.Thread(target=word, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {number: f"text {number}" for number in range(8)}
