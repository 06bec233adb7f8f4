"""
Measure a daemon that reads a large list: `python -m tests.benchmarks sources [--rows 100000]`.

The first reading of a JSONL file, an unchanged one, and one in which a hundredth has changed:
processor time (user and system), the most memory, and bytes written. The connections are switched
off, so that nothing but the reading is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import psutil

from monitor.clock import utc_now
from monitor.store import sources
from monitor.store.engine import Database

CONFIG = """
[web]
listen = ""

[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.1"
client_secret = { env = "CLIENT_SECRET" }

[[sources]]
name = "stores"
kind = "file"
path = "stores.jsonl"
every = "1d"
prefix = "st-"
secret = { file = "secrets/{name}" }
defaults = { provider = "amazon", application = "our-app", enabled = false, tags = ["stores"] }
"""


@dataclass(frozen=True)
class Usage:
    cpu_s: float
    written: int
    wall_s: float

    @classmethod
    def of(cls, process: psutil.Process) -> Usage:
        times = process.cpu_times()
        return cls(times.user + times.system, process.io_counters().write_chars, time.monotonic())

    def since(self, before: Usage) -> str:
        return (
            f"{self.cpu_s - before.cpu_s:7.2f} s CPU {self.wall_s - before.wall_s:7.2f} s"
            f" {(self.written - before.written) / 1e6:9.2f} MB written"
        )


def write_list(folder: Path, n_rows: int, changed: int = 0) -> None:
    with (folder / "stores.jsonl.new").open("w") as file:
        for n in range(n_rows):
            row = {"name": f"store-{n}", "region": "eu", "authorized_on": "2026-01-15"}
            row |= {"notes": "changed"} if n < changed else {}
            file.write(json.dumps(row) + "\n")
    (folder / "stores.jsonl.new").rename(folder / "stores.jsonl")


def read_again(folder: Path, process: psutil.Process) -> None:
    with closing(Database(f"sqlite:///{folder / 'connwatch.db'}")) as database:
        with database.write() as tx:
            sources.want_source(tx, "stores", "file", utc_now())
        while True:
            with database.read() as tx:
                if not sources.list_wanted(tx):
                    return
            assert process.is_running()
            time.sleep(0.05)


def main(options: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="sources")
    parser.add_argument("--rows", type=int, default=100_000)
    n_rows = parser.parse_args(options).rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").write_text(CONFIG)
        write_list(folder, n_rows)
        environment = {**os.environ, "CLIENT_SECRET": "x", "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-m", "monitor", "run"]
        with Popen(command, cwd=folder, env=environment, stderr=PIPE, stdout=DEVNULL) as daemon:
            measure(folder, daemon, n_rows)


def measure(folder: Path, daemon: Popen[bytes], n_rows: int) -> None:
    process = psutil.Process(daemon.pid)
    start = Usage(0.0, 0, time.monotonic())
    assert daemon.stderr is not None
    for line in daemon.stderr:
        if b"source." in line:
            assert b"source.read" in line, line
            break
    usage = Usage.of(process)
    print(f"first start, {n_rows:,} rows: {usage.since(start)}, {peak(process)}")
    for changed, words in ((0, "unchanged"), (n_rows // 100, "1% changed"), (0, "1% changed")):
        write_list(folder, n_rows, changed)
        before = Usage.of(process)
        read_again(folder, process)
        print(f"{words:>28}: {Usage.of(process).since(before)}, {peak(process)}")
    daemon.terminate()


def peak(process: psutil.Process) -> str:
    status = Path(f"/proc/{process.pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return f"{int(kilobytes) / 1e3:.0f} MB at most"
