from __future__ import annotations

import io
import os
import pty
import sys
from pathlib import Path

import pytest
import structlog

from monitor.log import configure_logging


@pytest.fixture
def configured(monkeypatch):
    """
    Configure logging for another stderr; forget it after the test.
    """

    def configure(stream) -> None:
        monkeypatch.setattr(sys, "stderr", stream)
        configure_logging()

    yield configure
    structlog.reset_defaults()


def fail_with_a_secret_at_hand() -> None:
    headers = {"Authorization": "Bearer " + "hunter" + "2"}
    raise RuntimeError(f"{len(headers)} header")


def test_a_traceback_on_a_terminal_shows_no_variable(configured, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        configured(terminal)
        try:
            fail_with_a_secret_at_hand()
        except RuntimeError as error:
            structlog.get_logger().error("check.fault", exc_info=error)
        shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "RuntimeError: 1 header" in shown
    assert "hunter2" not in shown


def open_full_disk() -> io.FileIO:
    return Path("/dev/full").open("wb", buffering=0)


def open_broken_pipe() -> io.FileIO:
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "wb", buffering=0)


@pytest.mark.parametrize("open_it", [open_full_disk, open_broken_pipe], ids=["full", "unread"])
def test_a_log_that_cannot_be_written_stops_nobody(configured, open_it):
    with io.TextIOWrapper(open_it(), encoding="utf-8", write_through=True) as stream:
        with pytest.raises(OSError, match=r"No space|Broken pipe"):
            stream.write("lost")
        configured(stream)
        structlog.get_logger().info("notification.sent", channel="ops")


def test_a_log_that_was_closed_stops_nobody(configured):
    stream = io.StringIO()
    configured(stream)
    stream.close()
    structlog.get_logger().info("notification.sent", channel="ops")
