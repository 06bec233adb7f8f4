from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.formats import JsonLines, JsonList, read_csv
from monitor.sources.rows import SourceRow, UnreadableSource

ROWS = [{"name": f"st-{n}", "tags": ["a", '"]}'], "notes": "ü\n" * (n % 3)} for n in range(50)]


def take_apart(of_kind: JsonLines | JsonList, raw: bytes, size: int = 0) -> list[SourceRow]:
    size = size or max(1, len(raw))
    rows = [row for at in range(0, len(raw), size) for row in of_kind.feed(raw[at : at + size])]
    return rows + list(of_kind.close())


def lines_of(*values: object) -> bytes:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values).encode()


@pytest.mark.parametrize("size", [1, 2, 7, 100, 1 << 20])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_rows_are_the_same_in_whatever_pieces_they_come(size, bom):
    for of_kind, raw in (
        (JsonLines({}), lines_of(*ROWS)),
        (JsonList({}), json.dumps(ROWS, ensure_ascii=False).encode()),
        (JsonList({}), json.dumps(ROWS, indent=4).encode() + b"\r\n"),
    ):
        rows = take_apart(of_kind, bom + raw, size)
        assert [row.values for row in rows] == ROWS
        assert [row.index for row in rows] == list(range(50))


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3)), st.data())
def test_any_list_is_read_as_it_was_written(values, data):
    size = data.draw(st.integers(1, 50))
    raw = json.dumps(values).encode()
    assert [row.values for row in take_apart(JsonList({}), raw, size)] == values
    assert [row.values for row in take_apart(JsonLines({}), lines_of(*values), size)] == values


BAD = {
    "no JSON": (b"hunter2", "not JSON"),
    "cut off": (b'{"name": "hunter2', "not JSON"),
    "a number": (b"7", "a row is a JSON object"),
    "a list": (b'["hunter2"]', "a row is a JSON object"),
    "null": (b"null", "a row is a JSON object"),
    "NaN": (b'{"a": NaN}', "NaN is no JSON"),
    "a key twice": (b'{"name": "a", "name": "hunter2"}', "a key stands there twice"),
    "a key twice within": (b'{"quota": [{"a": 1, "a": 2}]}', "a key stands there twice"),
    "not UTF-8": (b'{"name": "\xff"}', "not UTF-8"),
    "nested": (b"[" * 60_000, "nested too deeply"),
    "too large": (b'{"name": "' + b"x" * 65536 + b'"}', "larger than 64 KiB"),
    "a day that is none": (b'{"authorized_on": "soon"}', "authorized_on: a date such as"),
}


@pytest.mark.parametrize(("line", "why"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_a_bad_line_is_a_bad_row_among_others(line, why, size):
    raw = b'{"name": "a"}\n' + line + b'\n\n{"name": "b"}'
    first, bad, last = take_apart(JsonLines({"provider": "amazon"}), raw, size)
    assert (first.values, last.values) == ({"name": "a"}, {"name": "b"})
    assert (bad.index, last.index, bad.values) == (1, 2, None)
    assert why in bad.why
    assert "hunter2" not in bad.why


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_no_lines_are_an_empty_list(raw):
    assert take_apart(JsonLines({}), raw) == []


@pytest.mark.parametrize("raw", [b"<html>\n<body>\n", b"name,region\na,na\n", b"x"])
def test_lines_of_which_none_is_json_are_unreadable(raw):
    with pytest.raises(UnreadableSource, match="no line of it is JSON"):
        take_apart(JsonLines({}), raw)


UNREADABLE = {
    "nothing": b"",
    "a page": b"<html>",
    "an object": b'{"name": "a"}',
    "a text": b'"hunter2"',
    "cut off in a row": b'[{"name": "a"}, {"name": "hunter2',
    "cut off between rows": b'[{"name": "a"}, ',
    "cut off after a row": b'[{"name": "a"}',
    "cut off at once": b"[",
    "two commas": b'[{"name": "a"},, {"name": "b"}]',
    "a comma at the end": b'[{"name": "a"},]',
    "no comma": b'[{"name": "a"} {"name": "b"}]',
    "lines": b'{"name": "a"}\n{"name": "b"}',
    "two lists": b"[][]",
    "not UTF-8": b'[{"name": "\xff"}]',
    "UTF-16": '[{"name": "a"}]'.encode("utf-16"),
    "nested": b"[" * 100_000,
}


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("size", [3, 1 << 20])
def test_a_list_that_is_broken_anywhere_is_unreadable(raw, size):
    with pytest.raises(UnreadableSource) as caught:
        take_apart(JsonList({}), raw, size)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("raw", [b"[]", b" [ ] ", b"\xef\xbb\xbf[]\n"])
def test_an_empty_list_is_one(raw):
    assert take_apart(JsonList({}), raw, 1) == []


def test_a_row_of_a_list_may_be_bad():
    raw = json.dumps([{"name": "a"}, 7, {"name": "x" * 70_000}, {"name": "b"}]).encode()
    rows = take_apart(JsonList({}), raw, 1000)
    assert [row.values is None for row in rows] == [False, True, True, False]
    assert "64 KiB" in rows[2].why


DEEP = {"lists": ("[" * 800, "]" * 800), "objects": ('{"a":' * 800, "}" * 800)}


@pytest.mark.parametrize(("opening", "closing"), DEEP.values(), ids=DEEP)
@pytest.mark.parametrize("kind", [JsonLines, JsonList])
def test_a_row_that_is_deeply_nested_is_read_or_is_a_bad_one(kind, opening, closing):
    """
    Each level within cost a call of a function, and Python has no more than 1,000.
    """
    raw = f'{{"a": {opening}7{closing}}}'.encode()
    [row] = take_apart(kind({}), b"[" + raw + b"]" if kind is JsonList else raw)
    assert row.values is not None or "nested too deeply" in row.why


@pytest.mark.parametrize("kind", [JsonLines, JsonList])
def test_memory_is_bounded(kind):
    row = json.dumps({"name": "x" * 1000})
    between = "\n" if kind is JsonLines else ","
    piece = (between.join([row] * 1000)).encode()
    of_kind = kind({})
    tracemalloc.start()
    n_rows = 0
    if kind is JsonList:
        n_rows += len(list(of_kind.feed(b"[")))
    for _ in range(30):  # 30 MB
        n_rows += sum(1 for _ in of_kind.feed(piece + between.encode()))
    n_rows += sum(1 for _ in of_kind.feed(row.encode() + (b"]" if kind is JsonList else b"")))
    n_rows += sum(1 for _ in of_kind.close())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_rows == 30_001
    assert most < 12 << 20


# --- CSV


def csv_rows(text: str, **defaults: str) -> list[SourceRow]:
    return list(read_csv(text.splitlines(keepends=True), {"provider": "amazon", **defaults}))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_read_by_its_first_line(delimiter):
    text = 'name,valid_days,notes\na,365,"x, y"\nb,,\n\n"c""d",0,"two\nlines"\n'
    if delimiter != ",":
        text = text.replace('"x, y"', "x").replace(",", delimiter)
    rows = csv_rows(text)
    noted = "x, y" if delimiter == "," else "x"
    assert [row.values for row in rows] == [
        {"name": "a", "valid_days": 365, "notes": noted},
        {"name": "b"},
        {"name": 'c"d', "valid_days": 0, "notes": "two\nlines"},
    ]
    assert [row.index for row in rows] == [0, 1, 2]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a", "has 1 cells, and the first line 3"),
        ("a,1,2,3", "has 4 cells"),
        ('a,"[1",x', "valid_days: begins like JSON"),
        ("x" * 70_000 + ",1,2", "larger than 64 KiB"),
    ],
)
def test_a_bad_line_of_a_csv_is_a_bad_row(line, why):
    first, bad, last = csv_rows(f"name,valid_days,notes\na,1,x\n{line}\nb,2,y\n")
    assert (first.values is None, last.values is None, bad.values) == (False, False, None)
    assert why in bad.why
    assert bad.index == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "its first line is empty"),
        ("\n\n", "its first line is empty"),
        ("name,,region\na,b,c\n", "column 2 has no name"),
        ("name,region,name\n", 'two columns are called "name"'),
        ('name\n"a', "not CSV after row -1"),
        ('name\na\n"b" c\n', "not CSV after row 0"),
    ],
)
def test_a_csv_that_is_broken_is_unreadable(text, why):
    with pytest.raises(UnreadableSource, match=why):
        csv_rows(text)
