from __future__ import annotations

import os
import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from monitor.engine.supervisor import LONGEST_STATUS, Systemd
from tests.notify_socket import abstract_name, listen

if TYPE_CHECKING:
    from pathlib import Path

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("is_abstract", [False, True], ids=["path", "abstract"])
def test_a_message_arrives(tmp_path: Path, is_abstract: bool):
    with listen(abstract_name() if is_abstract else tmp_path / "notify") as listener:
        systemd = Systemd.of({"NOTIFY_SOCKET": listener.address})
        systemd.notify_ready()
        systemd.feed_watchdog()
        systemd.notify_stopping()
        assert listener.look() == [
            {"READY": "1"},
            {"WATCHDOG": "1"},
            {"STOPPING": "1", "STATUS": "stopping"},
        ]


def test_a_reload_says_when_it_began(tmp_path: Path):
    with listen(tmp_path / "notify") as listener:
        before = time.monotonic_ns() // 1000
        Systemd(listener.address).notify_reloading()
        [message] = listener.look()
    assert message["RELOADING"] == "1"
    assert before <= int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000


def test_a_status_is_one_line_of_bounded_length(tmp_path: Path):
    with listen(tmp_path / "notify") as listener:
        systemd = Systemd(listener.address)
        systemd.notify_status("two\nlines\nREADY=1")
        systemd.notify_status("ä" * 1000)
        first, second = listener.look()
    assert first == {"STATUS": "two lines READY=1"}
    assert second == {"STATUS": "ä" * (LONGEST_STATUS - 1) + "…"}


def test_the_same_status_is_told_once(tmp_path: Path):
    with listen(tmp_path / "notify") as listener:
        systemd = Systemd(listener.address)
        for text in ("one", "one", "two", "one"):
            systemd.notify_status(text)
        assert listener.said("STATUS") == ["one", "two", "one"]


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": ""}, {"WATCHDOG_USEC": "1000000"}],
    ids=["unset", "empty", "a watchdog alone"],
)
def test_without_a_socket_nobody_is_told(environment: dict[str, str]):
    with capture_logs() as logs:
        systemd = Systemd.of(environment)
        systemd.notify_ready()
        systemd.notify_status("fine")
        systemd.feed_watchdog()
    assert (systemd.is_listening, systemd.watchdog, logs) == (False, None, [])


@pytest.mark.parametrize("address", ["vsock:2:1234", "notify", "tcp://x"])
def test_an_address_of_another_kind_is_named_and_left_alone(address: str):
    with capture_logs() as logs:
        systemd = Systemd.of({"NOTIFY_SOCKET": address})
    assert not systemd.is_listening
    assert [each["event"] for each in logs] == ["systemd.unknown_address"]


def test_a_socket_that_vanished_is_said_once_and_tried_again(tmp_path: Path):
    path = tmp_path / "notify"
    systemd = Systemd(str(path))
    with capture_logs() as logs:
        systemd.notify_ready()
        systemd.feed_watchdog()
        systemd.notify_status("fine")
        with listen(path) as listener:
            systemd.notify_status("fine")
            systemd.feed_watchdog()
            assert listener.look() == [{"STATUS": "fine"}, {"WATCHDOG": "1"}]
        systemd.feed_watchdog()
    events = [each["event"] for each in logs]
    assert events == ["systemd.unreached", "systemd.reached_again", "systemd.unreached"]


def test_a_socket_that_nobody_reads_holds_nobody(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "notify"))
        systemd = Systemd(str(tmp_path / "notify"))
        began = time.monotonic()
        with capture_logs() as logs:
            for _ in range(2000):
                systemd.feed_watchdog()
        assert time.monotonic() - began < 5
    assert [each["event"] for each in logs] == ["systemd.unreached"]


@pytest.mark.parametrize(
    ("environment", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, MINUTE),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, MINUTE),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({"WATCHDOG_USEC": str(2**63 - 1)}, timedelta(microseconds=10**15)),
        ({"WATCHDOG_USEC": str(2**64)}, None),
    ],
    ids=[
        "none",
        "a minute",
        "for us",
        "for another process",
        "zero",
        "negative",
        "no number",
        "a digit of another kind",
        "as good as for ever",
        "too large",
    ],
)
def test_the_watchdog_is_read_from_the_environment(
    tmp_path: Path, environment: dict[str, str], watchdog: timedelta | None
):
    assert Systemd.of({"NOTIFY_SOCKET": str(tmp_path), **environment}).watchdog == watchdog
