from __future__ import annotations

from datetime import date

import pytest

from monitor.sources.rows import CellKind, SourceRow, cell_kinds, read_cells, read_dates

AMAZON = {"provider": "amazon"}


@pytest.mark.parametrize(
    ("provider", "key", "kind"),
    [
        ("amazon", "authorized_on", CellKind.DATE),
        ("amazon", "valid_days", CellKind.INTEGER),
        ("amazon", "enabled", CellKind.BOOLEAN),
        ("amazon", "region", CellKind.TEXT),
        ("amazon", "name", CellKind.TEXT),
        ("amazon", "every", CellKind.TEXT),
        ("amazon", "notes", CellKind.TEXT),
        ("countdown", "authorized_on", CellKind.DATE),
        ("http", "method", CellKind.TEXT),
    ],
)
def test_what_a_cell_means_is_decided_by_its_key(provider, key, kind):
    assert cell_kinds(provider)[key] is kind


@pytest.mark.parametrize(
    ("key", "cell", "value"),
    [
        ("name", "7", "7"),
        ("name", "true", "true"),
        ("notes", "00123", "00123"),
        ("enabled", "true", True),
        ("enabled", "FALSE", False),
        ("enabled", "yes", "yes"),
        ("valid_days", "365", 365),
        ("valid_days", "0", 0),
        ("valid_days", "x", "x"),
        ("valid_days", "1.5", "1.5"),
        ("valid_days", "٣", "٣"),
        ("marketplaces", '["US", "CA"]', ["US", "CA"]),
        ("marketplaces", "US", "US"),
        ("tags", "[]", []),
        ("refresh_token", '{"set": true}', {"set": True}),
        ("unknown", "[1, 2]", [1, 2]),
        ("unknown", "1", "1"),
    ],
)
def test_cells_are_read_by_the_type_of_their_key(key, cell, value):
    assert read_cells({key: cell}, AMAZON) == {key: value}


@pytest.mark.parametrize("cell", ["", None])
def test_an_empty_cell_says_nothing(cell):
    assert read_cells({"name": "a", "notes": cell}, AMAZON) == {"name": "a"}


def test_a_row_may_name_its_provider():
    cells = {"provider": "countdown", "valid_days": "7"}
    assert read_cells(cells, AMAZON) == {"provider": "countdown", "valid_days": 7}
    assert read_cells({"valid_days": "7"}, {}) == {"valid_days": "7"}


@pytest.mark.parametrize("cell", ["[1", "{", "[NaN]", "{a: 1}", "[" * 100_000])
def test_a_cell_that_begins_like_json_and_is_none_is_named(cell):
    with pytest.raises(ValueError, match=r"^tags: begins like JSON"):
        read_cells({"tags": cell}, AMAZON)


def test_a_cell_with_a_key_twice_is_named():
    with pytest.raises(ValueError, match=r"^auth: a key stands there twice$"):
        read_cells({"auth": '[{"a": "hunter2", "a": 2}]'}, AMAZON)


def test_a_day_is_a_text():
    assert read_dates({"authorized_on": "2026-01-15"}, AMAZON) == {
        "authorized_on": date(2026, 1, 15)
    }
    assert read_dates({"notes": "2026-01-15"}, AMAZON) == {"notes": "2026-01-15"}


@pytest.mark.parametrize(
    "text", ["2026-13-01", "20260115", "2026-W03-4", "15.01.2026", "", "x" * 99]
)
def test_what_is_no_day_is_named(text):
    with pytest.raises(
        ValueError, match=r"^authorized_on: a date such as 2026-01-15, got"
    ) as caught:
        read_dates({"authorized_on": text}, AMAZON)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("row", "place"),
    [
        (SourceRow(17, {"name": "st-acme"}), "row 17 (st-acme)"),
        (SourceRow(0, None, "not JSON"), "row 0"),
        (SourceRow(3, {"name": "a"}, "", "stores.csv"), "stores.csv row 3 (a)"),
        (SourceRow(3, {"name": 7}), "row 3"),
        (SourceRow(3, {"name": "a\x1b[31m"}), "row 3"),
    ],
)
def test_a_row_says_where_it_stands(row, place):
    assert row.place == place


def test_what_a_row_says_is_not_shown():
    assert "hunter2" not in repr(SourceRow(0, {"refresh_token": "hunter2"}))
