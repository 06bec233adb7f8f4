from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.providers.answers import ABSENT, follow

DOCUMENT = {"a": {"b": [10, {"c": None}]}, "": 1, "x/y": 2, "m~n": 3, "0": "zero", "t": "text"}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", DOCUMENT),
        ("/a/b/0", 10),
        ("/a/b/1/c", None),
        ("/", 1),
        ("/x~1y", 2),
        ("/m~0n", 3),
        ("/0", "zero"),
        ("/a/z", ABSENT),
        ("/a/b/2", ABSENT),
        ("/a/b/-", ABSENT),
        ("/a/b/-1", ABSENT),
        ("/a/b/00", ABSENT),
        ("/a/b/\u0660", ABSENT),
        ("/t/0", ABSENT),
        ("/a/b/1/c/d", ABSENT),
        ("/a/b/9999999999999999999999", ABSENT),
    ],
)
def test_a_pointer_leads_where_rfc_6901_says(pointer, found):
    assert follow(DOCUMENT, pointer) == found


@given(st.text("/~01ab", max_size=20))
def test_no_pointer_raises(pointer):
    follow(DOCUMENT, pointer)
