from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from monitor.sources.files import read_files
from monitor.sources.rows import UnreadableSource

if TYPE_CHECKING:
    from pathlib import Path


def values_of(path: Path, **defaults: str) -> list[object]:
    return [row.values for row in read_files(path, defaults)]


CONTENT = {
    "stores.jsonl": '{"name": "a"}\n{"name": "b"}\n',
    "stores.ndjson": '{"name": "a"}\n{"name": "b"}',
    "stores.json": '[{"name": "a"}, {"name": "b"}]',
    "stores.csv": "\ufeffname\na\nb\n",
    "STORES.CSV": "name\r\na\r\nb\r\n",
}


@pytest.mark.parametrize("name", CONTENT)
def test_a_file_is_read_by_its_ending(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(CONTENT[name].encode())
    assert values_of(path) == [{"name": "a"}, {"name": "b"}]


def test_a_folder_is_read_file_by_file_and_names_them(tmp_path):
    (tmp_path / "b.csv").write_text("name\nc\n")
    (tmp_path / "a.jsonl").write_text('{"name": "a"}\nx\n')
    (tmp_path / ".hidden.jsonl").write_text("x")
    (tmp_path / "README.md").write_text("x")
    rows = list(read_files(tmp_path, {}))
    assert [row.place for row in rows] == ["a.jsonl row 0 (a)", "a.jsonl row 1", "b.csv row 0 (c)"]
    assert [row.values is None for row in rows] == [False, True, False]


def test_an_empty_folder_is_an_empty_list(tmp_path):
    assert values_of(tmp_path) == []


def absent(folder):
    return folder / "nowhere.jsonl"


def unknown(folder):
    (folder / "stores.txt").write_text("x")
    return folder / "stores.txt"


def pipe(folder):
    os.mkfifo(folder / "stores.jsonl")
    return folder / "stores.jsonl"


def pipe_in_a_folder(folder):
    os.mkfifo(folder / "stores.jsonl")
    return folder


def folder_in_a_folder(folder):
    (folder / "stores.jsonl").mkdir()
    return folder


def broken_in_a_folder(folder):
    (folder / "a.jsonl").write_text('{"name": "a"}\n')
    (folder / "b.json").write_text("[{")
    return folder


def dangling(folder):
    (folder / "stores.jsonl").symlink_to(folder / "gone")
    return folder


def long_line(folder):
    (folder / "stores.csv").write_text("name\n" + "x" * 200_000)
    return folder / "stores.csv"


def latin(folder):
    (folder / "stores.csv").write_bytes("name\nmüller\n".encode("latin-1"))
    return folder / "stores.csv"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (absent, "No such file"),
        (unknown, "has to end with one of"),
        (pipe, "no ordinary file"),
        (pipe_in_a_folder, "no ordinary file"),
        (folder_in_a_folder, "no ordinary file"),
        (broken_in_a_folder, r"b\.json: row 0 is not JSON"),
        (dangling, "No such file"),
        (long_line, "longer than 128 KiB"),
        (latin, "save it as CSV UTF-8"),
    ],
)
def test_what_cannot_be_read_is_named_and_makes_all_of_it_unreadable(tmp_path, make, why):
    path = make(tmp_path)
    with pytest.raises(UnreadableSource, match=why) as caught:
        list(read_files(path, {}))
    assert str(tmp_path) in str(caught.value)


def test_a_large_file_is_read_quickly(tmp_path):
    path = tmp_path / "stores.jsonl"
    with path.open("w") as file:
        for n in range(20_000):
            row = {"name": f"st-{n}", "region": "na", "authorized_on": "2026-01-15"}
            file.write(json.dumps(row) + "\n")
    assert sum(row.values is not None for row in read_files(path, {"provider": "amazon"})) == 20_000
