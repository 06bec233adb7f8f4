from __future__ import annotations

import os
import threading
from pathlib import Path
from time import monotonic

import pytest

from monitor.config.files import UnreadableFileError, read_bounded, require_file

SOON_S = 2.0
_ENDLESS = Path("/proc/kmsg")


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_content_comes_with_what_is_known_of_the_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    path.chmod(0o640)
    content, facts = read_bounded(path, 4_000_000)
    assert (len(content), facts.st_mode & 0o777) == (3_000_000, 0o640)


def test_no_more_than_one_byte_too_many_is_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    assert read_bounded(path, 10)[0] == b"x" * 11


def test_pipe_that_nothing_writes_to_is_refused_soon(pipe):
    started = monotonic()
    with pytest.raises(UnreadableFileError, match="a pipe that nothing writes to"):
        read_bounded(pipe, 10)
    assert monotonic() - started < SOON_S


def test_pipe_is_read_to_its_end_while_something_writes_to_it(pipe):
    writer = threading.Thread(target=pipe.write_bytes, args=(b"hunter2\n",))
    writer.start()
    assert read_bounded(pipe, 100)[0] == b"hunter2\n"
    writer.join()


def test_pipe_without_end_is_refused_soon(pipe):
    handle = os.open(pipe, os.O_RDWR)
    try:
        os.write(handle, b"hunter2")
        with pytest.raises(UnreadableFileError, match="a pipe without end"):
            read_bounded(pipe, 100, patience_s=0.1)
    finally:
        os.close(handle)


def test_pipe_is_read_no_further_than_a_file(pipe):
    handle = os.open(pipe, os.O_RDWR)
    try:
        os.write(handle, b"x" * 100)
        assert read_bounded(pipe, 10)[0] == b"x" * 11
    finally:
        os.close(handle)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_device_is_no_file(path):
    for read in (read_bounded, require_file):
        with pytest.raises(UnreadableFileError, match="a device"):
            read(Path(path), 10)


@pytest.mark.skipif(not os.access(_ENDLESS, os.R_OK), reason="the kernel's log is for root alone")
@pytest.mark.parametrize("read", [read_bounded, require_file])
def test_file_that_only_blocks_is_refused_soon(read):
    started = monotonic()
    with pytest.raises(UnreadableFileError, match="a stream without end"):
        read_bounded(_ENDLESS, 10_000_000)  # what it held is read now
    with pytest.raises(UnreadableFileError, match="a stream without end"):
        read(_ENDLESS, 10_000_000)
    assert monotonic() - started < SOON_S


def test_folder_is_no_file(tmp_path):
    for read in (read_bounded, require_file):
        with pytest.raises(IsADirectoryError, match="Is a directory"):
            read(tmp_path, 10)


def test_absent_file_is_named_so(tmp_path):
    for read in (read_bounded, require_file):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "nowhere", 10)


def test_required_file_is_an_ordinary_one_of_bounded_size(tmp_path, pipe):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 2048)
    require_file(path, 2048)
    with pytest.raises(UnreadableFileError, match="larger than 1 KiB"):
        require_file(path, 1024)
    with pytest.raises(UnreadableFileError, match="a pipe"):
        require_file(pipe, 1024)
