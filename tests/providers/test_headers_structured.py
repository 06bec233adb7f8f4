from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.providers.headers import MAX_FIELD, Item, parse_dictionary, parse_list


def test_a_list_has_values_with_parameters():
    assert parse_list('"a";q=1;s="x";b=?1, 5, tok;pk=:aGk=:, (1 2), 1.5') == [
        Item("a", {"q": 1, "s": "x", "b": None}),
        Item(5),
        Item("tok", {"pk": "6869"}),
        Item(None),
        Item(None),
    ]


def test_a_dictionary_has_keys():
    assert parse_dictionary("limit=100;w=10, is") == {
        "limit": Item(100, {"w": 10}),
        "is": Item(None),
    }


@pytest.mark.parametrize(
    "text",
    ['"a', '"a";', "1,", "1 2", "é", "\x00", '"a";r=@99999999999999', "1" * 16, ":", "(", '%"%ff"'],
    ids=ascii,
)
def test_what_is_malformed_is_ignored_as_a_whole(text):
    assert parse_list(text) is None


def test_an_empty_field_is_an_empty_list():
    assert parse_list("") == []


def test_what_is_too_long_is_not_read():
    assert parse_list("1," * (MAX_FIELD // 2) + "1") is None


@given(st.text(max_size=100) | st.text('";:=,()?@%\\*-.0129abz ', max_size=60))
def test_no_text_raises(text):
    for item in parse_list(text) or []:
        assert isinstance(item.value, int | str | None)
    parse_dictionary(text)
