"""
Measure the daemon as a whole process, against a local target.

`python -m tests.benchmarks daemon [--connections 100 1000 5000] [--schemes http https]
[--kept kept closed] [--latencies 0 150] [--seconds 120]` prints one line a combination:
processor time (user and system) and bytes written per check, resident memory, and how late
checks arrived against the schedule that stands in the database.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import trustme

EVERY_S = 60
WARM_UP_S = 75
"""First checks are spread over up to a minute; then the rhythm is steady."""


@dataclass(frozen=True)
class Case:
    n_connections: int
    scheme: str
    is_closing: bool
    latency_ms: int


@dataclass(frozen=True)
class Usage:
    cpu_s: float
    written: int
    rss: int


HEADER = (
    f"{'connections':>11} {'scheme':>6} {'sockets':>7} {'latency':>7} | {'checks':>7} "
    f"{'CPU/check':>10} {'RSS':>8} {'written':>9} {'late p50':>9} {'late p99':>9} {'drift':>8}"
)


async def measure(case: Case, seconds: int) -> str:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        target, port, ca_file = await _start_target(folder, case)
        stack.push_async_callback(_end, target)
        config = _write_config(folder, case, port, ca_file)
        log = stack.enter_context((folder / "log").open("w"))
        # As on every start but the first: nothing is left to migrate.
        await (await _connwatch(config, log, "db", "upgrade")).wait()
        daemon = await _connwatch(config, log, "run")
        stack.push_async_callback(_end, daemon)
        await asyncio.sleep(WARM_UP_S)
        await _arrivals(target)
        before = _usage(daemon.pid)
        await asyncio.sleep(seconds)
        after, arrivals = _usage(daemon.pid), await _arrivals(target)
        phases = _phases(folder / "connwatch.db")
        return _line(case, before, after, arrivals, phases)


def _line(
    case: Case,
    before: Usage,
    after: Usage,
    arrivals: list[tuple[str, float]],
    phases: dict[str, float],
) -> str:
    late = [(at - phases[token]) % EVERY_S for token, at in arrivals]
    # Slightly early by the clock's grain is not a minute late.
    late = [value - EVERY_S if value > EVERY_S / 2 else value for value in late]
    half = len(late) // 2
    n_checks = max(len(arrivals), 1)
    drift = statistics.median(late[half:]) - statistics.median(late[:half])
    p99 = statistics.quantiles(late, n=100)[98]
    return (
        f"{case.n_connections:>11} {case.scheme:>6} "
        f"{'closed' if case.is_closing else 'kept':>7} {case.latency_ms:>4} ms | {n_checks:>7} "
        f"{(after.cpu_s - before.cpu_s) / n_checks * 1000:>7.2f} ms {after.rss / 1e6:>5.0f} MB "
        f"{(after.written - before.written) / n_checks / 1000:>6.2f} KB "
        f"{statistics.median(late) * 1000:>6.0f} ms {p99 * 1000:>6.0f} ms {drift * 1000:>5.0f} ms"
    )


async def _start_target(folder: Path, case: Case) -> tuple[Process, int, Path | None]:
    certificate, ca_file = "-", None
    if case.scheme == "https":
        authority = trustme.CA()
        pair = authority.issue_cert("127.0.0.1")
        ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        certificate = str(folder / "server.pem")
        pair.private_key_and_cert_chain_pem.write_to_path(certificate)
    target = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.target", certificate,
        "close" if case.is_closing else "keep", str(case.latency_ms / 1000),
        stdin=PIPE, stdout=PIPE, limit=1 << 28,
    )  # fmt: skip
    assert target.stdout is not None
    return target, int(await target.stdout.readline()), ca_file


async def _connwatch(config: Path, log: IO[str], *command: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "--config", str(config), *command, stdout=log, stderr=log
    )


async def _arrivals(target: Process) -> list[tuple[str, float]]:
    assert target.stdin is not None
    assert target.stdout is not None
    target.stdin.write(b"\n")
    seen: list[tuple[str, float]] = json.loads(await target.stdout.readline())
    return seen


def _write_config(folder: Path, case: Case, port: int, ca_file: Path | None) -> Path:
    lines = ["[checks]", f'every = "{EVERY_S}s"', "[web]", 'listen = ""']
    for number in range(case.n_connections):
        lines += [
            "[[connections]]",
            f'name = "token-{number:05}"',
            'provider = "soldscope"',
            f'base_url = "{case.scheme}://127.0.0.1:{port}"',
            f'token = "token-{number:05}"',
            'tags = ["production"]',
            *([f'ca_file = "{ca_file}"'] if ca_file else []),
        ]
    path = folder / "config.toml"
    path.write_text("\n".join(lines))
    path.chmod(0o600)
    return path


def _usage(pid: int) -> Usage:
    process = psutil.Process(pid)
    times = process.cpu_times()
    return Usage(
        times.user + times.system,
        process.io_counters().write_bytes,
        process.memory_info().rss,
    )


def _phases(database: Path) -> dict[str, float]:
    connection = sqlite3.connect(database)
    try:
        rows = connection.execute("SELECT name, next_check_at FROM connections").fetchall()
    finally:
        connection.close()
    return {name: at / 1e6 for name, at in rows}


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    await process.wait()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks daemon")
    parser.add_argument("--connections", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--schemes", nargs="+", default=["http", "https"])
    parser.add_argument("--kept", nargs="+", default=["kept", "closed"])
    parser.add_argument("--latencies", type=int, nargs="+", default=[0, 150])
    parser.add_argument("--seconds", type=int, default=120)
    chosen = parser.parse_args(arguments)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {time.strftime('%F')}")
    print(HEADER, flush=True)
    cases = itertools.product(chosen.connections, chosen.schemes, chosen.kept, chosen.latencies)
    for n_connections, scheme, kept, latency_ms in cases:
        case = Case(n_connections, scheme, kept == "closed", latency_ms)
        print(asyncio.run(measure(case, chosen.seconds)), flush=True)
