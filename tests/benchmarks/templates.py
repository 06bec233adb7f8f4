"""
Measure what templates take: a plain one for each message, hostile ones until they are cut off.
"""

from __future__ import annotations

import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertKind
from monitor.notify import template
from monitor.notify.formats import Form
from monitor.notify.samples import sample_message
from tests.notify.hostile import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.notify.message import Message

N_PLAIN = 500


def main(_: Sequence[str]) -> None:
    message = sample_message(AlertKind.ERROR, datetime.now(UTC))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ops.j2")
        path.write_text("{{ title }}\n{{ happened|first }}", encoding="utf-8")
        template.render(path, message, Form.PLAIN)
        started = time.perf_counter()
        for _number in range(N_PLAIN):
            template.render(path, message, Form.PLAIN)
        print(f"plain: {(time.perf_counter() - started) / N_PLAIN * 1000:.2f} ms a message")
        for name, source in HOSTILE.items():
            path.write_text(source, encoding="utf-8")
            print(f"{name}: {_measure(path, message)}")


def _measure(path: Path, message: Message) -> str:
    process = template._renderer._started()
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], _peak_kb(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        template.render(path, message, Form.PLAIN)
        how = "rendered"
    except template.TemplateError as error:
        how = str(error).partition(": ")[2]
    took_s = time.perf_counter() - started
    done.set()
    watcher.join()
    return f"{took_s:.2f} s, {peak[0] / 1024:.0f} MB ({how})"


def _peak_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
