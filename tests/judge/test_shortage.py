"""
What this machine is short of is told from what a service does.
"""

from __future__ import annotations

import errno
import socket
import sqlite3
import ssl

import pytest

from monitor.judge.shortage import (
    FEWEST_OF_WEB,
    OutOfResources,
    Shortage,
    find_shortage,
    share_out,
)


def caused_by(cause: BaseException) -> BaseException:
    """
    Return an error as libraries wrap them.
    """
    try:
        try:
            raise cause  # noqa: TRY301 - as libraries do
        except BaseException as error:
            raise ConnectionError("cannot connect") from error
    except ConnectionError as outer:
        return outer


OURS = {
    "descriptors": (OSError(errno.EMFILE, ""), Shortage.DESCRIPTORS),
    "of the whole machine": (OSError(errno.ENFILE, ""), Shortage.DESCRIPTORS),
    "memory": (MemoryError(), Shortage.MEMORY),
    "of the kernel": (OSError(errno.ENOMEM, ""), Shortage.MEMORY),
    "buffers": (OSError(errno.ENOBUFS, ""), Shortage.MEMORY),
    "for a name": (socket.gaierror(socket.EAI_MEMORY, ""), Shortage.MEMORY),
    "threads": (RuntimeError("can't start new thread"), Shortage.THREADS),
    "disk": (OSError(errno.ENOSPC, ""), Shortage.DISK),
    "a user's part of it": (OSError(errno.EDQUOT, ""), Shortage.DISK),
    "said already": (OutOfResources(Shortage.DISK), Shortage.DISK),
}


@pytest.mark.parametrize(("error", "kind"), OURS.values(), ids=OURS)
def test_a_shortage_of_ours_is_found_however_it_is_wrapped(error, kind):
    assert find_shortage(error) is kind
    assert find_shortage(caused_by(error)) is kind
    assert find_shortage(BaseExceptionGroup("", [ValueError(), caused_by(error)])) is kind


THEIRS = {
    "refused": ConnectionRefusedError(errno.ECONNREFUSED, ""),
    "reset": ConnectionResetError(errno.ECONNRESET, ""),
    "no way there": OSError(errno.ENETUNREACH, ""),
    "no such address of ours": OSError(errno.EADDRNOTAVAIL, ""),
    "timeout": TimeoutError(),
    "no such name": socket.gaierror(socket.EAI_NONAME, ""),
    "no name server": socket.gaierror(socket.EAI_AGAIN, ""),
    "a number of another table": socket.gaierror(errno.EMFILE, ""),
    "a certificate": ssl.SSLCertVerificationError(1, ""),
    "a fault": RuntimeError("dictionary changed size"),
    "a locked database": sqlite3.OperationalError("database is locked"),
}


@pytest.mark.parametrize("error", THEIRS.values(), ids=THEIRS)
def test_what_is_not_ours_is_none(error):
    assert find_shortage(error) is None
    assert find_shortage(caused_by(error)) is None


def test_a_circle_of_causes_ends():
    one, other = ValueError(), ValueError()
    one.__cause__, other.__cause__ = other, one
    assert find_shortage(one) is None


@pytest.mark.parametrize("has_web", [True, False])
@pytest.mark.parametrize("concurrency", [1, 5, 200, 5000])
@pytest.mark.parametrize("limit", [0, 20, 40, 50, 64, 256, 1024, 65_536, 1_048_576])
def test_shares_fit_into_the_limit_and_leave_nobody_without(limit, concurrency, has_web):
    shares = share_out(limit, concurrency, has_web=has_web)
    assert 1 <= shares.checks <= concurrency
    assert shares.web >= (FEWEST_OF_WEB if has_web else 0)
    if limit >= 50:
        assert shares.checks + shares.web <= limit - 30
    if shares.is_enough:
        assert shares.checks == concurrency


def test_more_files_never_mean_fewer_checks():
    checks = [share_out(limit, 200, has_web=True).checks for limit in range(2000)]
    assert checks == sorted(checks)


@pytest.mark.parametrize("kind", Shortage)
def test_it_says_what_is_short_and_what_to_do(kind):
    said = str(OutOfResources(kind))
    assert said.startswith("connwatch itself cannot check: ")
    assert kind.words in said
    assert kind.remedy in said
