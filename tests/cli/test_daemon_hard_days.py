"""
`connwatch run` on days on which its surroundings fail it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from monitor.engine.shortage import TELL_AFTER_S
from tests.bench import Bench, connection
from tests.daemon_process import run_daemon
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.daemon_process import Daemon

PAUSED = "UPDATE connections SET is_paused = 1 WHERE name = 'acme'"


@pytest.fixture(autouse=True)
def _configured(bench):
    bench.configure(connection("acme", every='"10s"'))


def started(daemon: Daemon, times: int = 1) -> None:
    wait_until(lambda: len(daemon.named("daemon.started")) == times)


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, timeout=PATIENCE_S)) as database, database:
        database.execute(statement)


def is_paused(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=PATIENCE_S)) as database:
        found = database.execute("SELECT is_paused FROM connections WHERE name = 'acme'")
        return bool(found.fetchone()[0])


@pytest.mark.parametrize("with_log", [False, True], ids=["the file", "all its files"])
def test_a_database_that_is_deleted_comes_back_with_all_that_was_known(bench, with_log):
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        change(bench.database, PAUSED)
        for path in bench.folder.glob("connwatch.db*" if with_log else "connwatch.db"):
            path.unlink()
        started(daemon, times=2)
        assert is_paused(bench.database)
        assert daemon.stop()[0] == 0
    assert [each["put_back"] for each in daemon.named("database.deleted")] == [str(bench.database)]
    assert "was deleted while the daemon ran" in daemon.named("daemon.begins_anew")[0]["why"]
    expected = {"config.toml", "connwatch.db", "connwatch.db.lock"}
    assert {path.name for path in bench.folder.iterdir()} == expected
    assert bench.shown()["acme"]["state"] == "paused"


def test_a_log_that_is_deleted_comes_back_with_what_was_in_it(bench):
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        change(bench.database, PAUSED)
        for path in bench.folder.glob("connwatch.db-*"):
            path.unlink()
        started(daemon, times=2)
        assert is_paused(bench.database)
        assert daemon.stop()[0] == 0
    assert [each["put_back"] for each in daemon.named("database.log_lost")] == [str(bench.database)]
    assert bench.shown()["acme"]["state"] == "paused"
    assert {path.name for path in bench.folder.iterdir()} == {
        "config.toml",
        "connwatch.db",
        "connwatch.db.lock",
    }


def test_a_database_that_is_replaced_is_gone_on_with_and_the_former_one_is_kept(bench):
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        assert bench.run("db", "backup", str(bench.folder / "copy.db")).code == 0
        change(bench.database, PAUSED)
        (bench.folder / "copy.db").replace(bench.database)
        started(daemon, times=2)
        assert daemon.stop()[0] == 0
    (told,) = daemon.named("database.replaced")
    assert told["goes_on_with"] == str(bench.database)
    assert not is_paused(bench.database)
    (kept,) = bench.folder.glob("connwatch.db.rescued-*")
    assert told["what_was_known"] == str(kept)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert is_paused(kept)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)


def test_a_database_that_is_damaged_under_way_ends_the_daemon_and_names_a_copy(bench):
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        copy = bench.folder / "connwatch.db.before-0007"
        shutil.copy(bench.database, copy)
        overwrite(bench.database)
        overwrite(bench.folder / "connwatch.db-wal")
        change_seen_by_the_daemon(bench.folder / "connwatch.db-shm")
        code = daemon.end()
    assert code == 3
    last = daemon.lines[-1]
    assert last.startswith(f"connwatch: database {bench.database}: ")
    assert f"say {copy}: stop the daemon, then `connwatch db restore COPY`" in last
    assert "Traceback" not in last


def change_seen_by_the_daemon(path: Path) -> None:
    """
    Spoil the index of the log, for what SQLite has in memory is not damaged.
    """
    os.truncate(path, 0)
    os.truncate(path, 32768)


def test_a_damaged_database_at_the_start_is_told_with_its_copies_and_what_to_do(bench):
    assert bench.run("db", "upgrade").code == 0
    copy = bench.folder / "connwatch.db.before-0007"
    shutil.copy(bench.database, copy)
    overwrite(bench.database)
    before = bench.database.read_bytes()
    ended = bench.spawn("run")
    assert (ended.code, ended.out) == (3, "")
    assert f"say {copy}: stop the daemon, then `connwatch db restore COPY`" in ended.err
    assert "Traceback" not in ended.err
    assert bench.database.read_bytes() == before
    assert bench.run("db", "restore", str(copy)).code == 0
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        assert daemon.stop()[0] == 0


@contextmanager
def limited(daemon: Daemon, kind: int, soft: int) -> Iterator[None]:
    """
    Let the daemon have no more of something, as a full disk or a small machine would.
    """
    before = resource.prlimit(daemon.process.pid, kind)
    resource.prlimit(daemon.process.pid, kind, (soft, before[1]))
    yield
    resource.prlimit(daemon.process.pid, kind, before)


def test_a_full_disk_is_told_and_loses_no_result_and_needs_no_restart(bench):
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        with limited(daemon, resource.RLIMIT_FSIZE, 4096):
            told = daemon.wait_for("results.not_written")
            assert "is the disk full" in told["error"]
            n_before = len(checks_of(bench))
            daemon.wait_for("database.not_writable")
            # What is shorter makes no alert; the log cannot grow either, and counts nothing.
            over_at = time.monotonic() + TELL_AFTER_S + 1
            wait_until(lambda: time.monotonic() > over_at)
        wait_until(lambda: len(checks_of(bench)) > n_before)
        daemon.wait_for("database.writable_again")
        assert daemon.stop()[0] == 0
    listed = json.loads(bench.run("alerts", "list", "--json").out)["alerts"]
    assert [one["kind"] for one in listed] == ["monitor_online"]
    assert daemon.named("check.fault") == []
    assert daemon.named("result.fault") == []


@pytest.fixture
def read_only_bench(bench, tmp_path):
    """
    An installation whose database stands on a disk that was mounted read-only.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a disk can only be mounted by root, and not in every container")
    try:
        where = f'[monitor]\ndatabase = "sqlite:///{disk}/connwatch.db"\n'
        bench.configure(connection("acme"), more=where)
        assert bench.run("db", "upgrade").code == 0
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield bench
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("command", [("run",), ("status",), ("pause", "acme")], ids=str)
def test_a_disk_that_became_read_only_is_named_as_such(read_only_bench, command):
    ended = read_only_bench.spawn(*command)

    assert (ended.code, ended.out) == (3, "")
    assert "its disk is mounted read-only" in ended.err
    assert "Traceback" not in ended.err


def test_the_doctor_knows_a_read_only_disk(read_only_bench):
    ended = read_only_bench.run("doctor", "--offline", "--json")

    told = json.loads(ended.out)["findings"]
    assert ended.code == 2
    assert [one["state"] for one in told if one["area"] == "disk"] == ["failed"]


def test_a_thousand_open_connections_hold_up_no_check(bench):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    bench.configure(connection("acme", every='"10s"'), more=f'[web]\nlisten = "127.0.0.1:{port}"\n')
    with run_daemon(bench.folder) as daemon, handles_for(THOUSAND), ExitStack() as idle:
        started(daemon)
        for _ in range(THOUSAND):
            idle.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S))
        n_before = len(checks_of(bench))
        wait_until(lambda: len(checks_of(bench)) > n_before)
        idle.close()
        wait_until(lambda: is_ready(port))
        assert daemon.stop()[0] == 0
    assert daemon.named("check.fault") == []


def is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=PATIENCE_S) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except HTTPError:
        return False


THOUSAND = 1000


@contextmanager
def handles_for(count: int) -> Iterator[None]:
    """
    Let this process have so many more files open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, min(count + 500, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def checks_of(bench: Bench) -> list[dict[str, object]]:
    told = json.loads(bench.run("history", "acme", "--json").out)
    return list(told["checks"])
