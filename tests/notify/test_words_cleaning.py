from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.notify.words import FACT_LIMIT, clean, clean_facts, clean_url, mask_parts, shorten

HOSTILE = {
    "forged line": ("fine\nWhat to do: pay", "fine What to do: pay"),
    "forged header": ("x\r\nBcc: all@example.com", "x Bcc: all@example.com"),
    "unicode line break": ("a\u2028b\u2029c\x85d", "a b c d"),
    "terminal escape": ("\x1b[31mred\x07", "[31mred"),
    "turned around": ("\u202egnp.exe", "gnp.exe"),
    "hidden": ("to\u200bken\ufeff", "token"),
    "half a character": ("a\ud800b", "ab"),
    "runs of space": ("  a \t b  ", "a b"),
    "call to all": ("@channel @everyone @here", "@\u200bchannel @\u200beveryone @\u200bhere"),
    "call, written large": ("@HERE", "@\u200bHERE"),
    "call with a hole": ("@\u200bhere", "@\u200bhere"),
    "slack's call to all": (
        "<!channel> <@U1> <#C1>",
        "<\u200b!channel> <\u200b@\u200bU1> <\u200b#C1>",
    ),
    "link under false colours": ("<https://x.io|bank>", "<\u200bhttps://x.io|bank>"),
    "an address is no call": ("anna@example.com", "anna@example.com"),
    "call to one": ("ask @anna", "ask @\u200banna"),
    "zulip's call to all": ("@**all**", "@\u200b**all**"),
    "masked link": ("[bank](https://x.io)", "[bank]\u200b(https://x.io)"),
    "a run that is no word": ("a " + "x" * 150, "a " + "x" * 119 + "…"),
    "less than": ("1 < 2", "1 < 2"),
}


@pytest.mark.parametrize(("text", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_text_from_outside_is_cleaned(text, expected):
    assert clean(text, 200) == expected


ADDRESSES = {
    "as it is": ("https://x.io/a?b=1&c=%20#d", True),
    "not for a browser": ("javascript:alert(1)", False),
    "with a break": ("https://x.io/\nBcc:", False),
    "ends a link": ("https://x.io/>x", False),
    "turned around": ("https://x.io/\u202ea", False),
    "endless": ("https://x.io/" + "a" * 3000, False),
}


@pytest.mark.parametrize(("url", "is_kept"), ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_is_kept_as_it_is_or_not_at_all(url, is_kept):
    assert clean_url(url) == (url if is_kept else "")


def test_facts_are_clean_through_and_through():
    facts = {"a\nb": "x\r\n@here", "in": [{"deep": "\u202ey"}] * 99, "n": 1, "odd": object()}
    cleaned = clean_facts(facts)
    assert cleaned["a b"] == "x @\u200bhere"
    assert cleaned["in"] == [{"deep": "y"}] * 50
    assert (cleaned["n"], cleaned["odd"]) == (1, "")
    assert len(clean_facts({"a": "b " * 999})["a"]) <= FACT_LIMIT


def test_long_text_is_cut_and_says_so():
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"


@given(st.text(max_size=400), st.integers(1, 300))
def test_whatever_comes_in_one_line_of_limited_length_comes_out(text, limit):
    cleaned = clean(text, limit)
    assert len(cleaned.splitlines()) <= 1
    assert len(cleaned.replace("\u200b", "")) <= limit
    cleaned.encode()
    assert {unicodedata.category(c) for c in cleaned.replace("\u200b", "")}.isdisjoint(
        {"Cc", "Cf", "Cs", "Zl", "Zp"}
    )


@pytest.mark.parametrize(
    "url",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#secretroom",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "mailto://user%40corp:p%40ss%20word@example.com?to=boss@example.com",
        "jsons://hooks.example.com/path/T0K3N?key=value1234",
    ],
)
def test_no_part_of_a_url_stays_in_a_text(url):
    secret = url.partition("://")[2]
    said = f"failed: {url} and {secret} and " + " ".join(secret.replace("/", " ").split())
    masked = mask_parts(said + " p@ss word user@corp", url)
    for part in ["T1JJ3T3L2", "TIiajkdnlazkcOXrIdevi7FQ", "secretroom", "abcdefg", "123456789",
                 "12315544", "corp", "word", "boss", "T0K3N", "value1234"]:  # fmt: skip
        if part in url:
            assert part not in masked


def test_words_that_are_no_part_of_the_url_stay():
    assert mask_parts("Failed, error=404.", "json://hooks.example.com/T0K3N") == (
        "Failed, error=404."
    )
