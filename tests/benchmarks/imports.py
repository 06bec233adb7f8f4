"""
Measure imports: `python -m tests.benchmarks import --rows 100000`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.fernet import Fernet

MIB = 1024
ROWS = 20_000

CONFIG = """
[web]
listen = ""
key = "{key}"

[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.1"
client_secret = "amzn1.oa2-cs.v1.hunter2"
"""


def main(options: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    n_rows = parser.parse_args(options).rows
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.toml")
        config.write_text(CONFIG.format(key=Fernet.generate_key().decode()))
        config.chmod(0o600)
        rows = Path(folder, "stores.jsonl")
        _write(rows, n_rows)
        for what in ("first", "unchanged"):
            _import(what, config, rows, n_rows)


def _write(path: Path, n_rows: int) -> None:
    with path.open("w") as file:
        for number in range(n_rows):
            store = {
                "name": f"st-{number:07}",
                "provider": "amazon",
                "application": "our-app",
                "region": "eu",
                "refresh_token": f"Atzr|IwEBIA{number:040}",
                "authorized_on": "2026-01-15",
                "tags": ["stores"],
            }
            file.write(json.dumps(store) + "\n")


def _import(what: str, config: Path, rows: Path, n_rows: int) -> None:
    """
    Import once, and print what that took of time and memory, all processes together.
    """
    command = [sys.executable, "-m", "monitor", "--config", str(config), "import", str(rows)]
    before, start = os.times(), time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    most = 0
    while running.poll() is None:
        most = max(most, _proportional_kib(running.pid))
        time.sleep(0.5)
    took, after = time.perf_counter() - start, os.times()
    assert running.stdout is not None
    cpu = sum(after[2:4]) - sum(before[2:4])
    print(
        f"{what:<10} {took:6.1f} s   {cpu:6.1f} s of CPU   {took / n_rows * 1e6:5.0f} µs a row"
        f"   {most / MIB:4.0f} MiB   {running.stdout.read().strip()}"
    )


def _proportional_kib(pid: int) -> int:
    """
    Return the memory of a process and its children; what they share counts once.
    """
    total = 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    except (OSError, ValueError):
        return 0  # it has ended just now
    return total
