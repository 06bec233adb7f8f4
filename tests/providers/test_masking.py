from __future__ import annotations

import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.providers.masking import MASK, MAX_READ, clean, mask

SECRET = "sst_abc/def+123=="


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        SECRET.upper(),
        "sst_abc%2Fdef%2B123%3D%3D",
        "sst_abc%2fdef%2b123%3d%3d",
        "sst_abc\\/def+123==",
        "sst_abc/def%2B123==",
        "sst%5Fabc%2Fdef+123%3D=",
    ],
)
def test_a_secret_is_masked_in_every_form_it_comes_back(echo):
    assert clean(f"<{echo}>", SECRET, 80) == "<••••>"


def test_a_secret_is_masked_before_a_cut_halves_it():
    assert "sst" not in clean("x" * 70 + SECRET, SECRET, 80)


LONG = "Atzr|IwEBIJx7Qw-3k_PzR8vT2yLmN5sHfGdC1uXoVbEaKi9tYj4nWq6rZp0"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (LONG[8:43], "••••"),
        (LONG[5:25], "••••"),
        (LONG[5:24], LONG[5:24]),
        (LONG[8:43].upper(), "••••"),
        (LONG[50:10:-1], "••••"),
        (f"token={LONG[12:50]}&x=1", "token=••••&x=1"),
        (f"{LONG[5:30]} and {LONG[30:55]}", "•••• and ••••"),
        (f"ä{LONG[9:40]}İß", "ä••••İß"),
    ],
    ids=["35", "20", "19", "upper", "backwards", "inside", "twice", "beyond ASCII"],
)
def test_a_long_piece_of_a_secret_is_masked(said, shown):
    assert clean(said, ("another-secret-that-was-sent", LONG), 80) == shown


@given(st.integers(0, len(LONG) - 20), st.integers(20, 40), st.text(max_size=60), st.text())
def test_no_piece_of_a_secret_passes_wherever_it_stands(start, length, before, after):
    shown = clean(before + LONG[start : start + length] + after, LONG, 1000)
    pieces = (LONG[at : at + 20] for at in range(len(LONG) - 19))
    assert not any(piece in shown for piece in pieces)


def test_a_text_full_of_a_secret_is_read_in_no_time():
    started = time.process_time()
    assert clean(LONG[5:35] * 8_000, LONG, 80) == "••••"
    assert time.process_time() - started < 2


def test_without_a_secret_nothing_is_masked():
    assert clean("text", "", 80) == "text"


def escapes_of(letter: str) -> list[str]:
    code = ord(letter)
    return [
        letter,
        f"%{code:02X}",
        f"%{code:02x}",
        html.escape(letter),
        f"&#{code};",
        f"&#x{code:x};",
        f"\\u{code:04x}",
        f"\\x{code:02x}",
        quote_plus(letter),
        json.dumps(letter)[1:-1],
    ]


PRINTABLE = st.characters(min_codepoint=33, max_codepoint=126)
SECRETS = st.text(PRINTABLE, min_size=4, max_size=60)
# A percent sign alone may begin the escape of what follows it, and a + is a space in forms.
UNAMBIGUOUS = st.text(PRINTABLE.filter(lambda letter: letter not in "%&+\\"), min_size=4)


@given(UNAMBIGUOUS, st.data())
def test_a_secret_is_masked_however_its_letters_are_escaped(secret, data):
    echo = "".join(data.draw(st.sampled_from(escapes_of(letter))) for letter in secret)

    assert clean(f"( {echo} )", secret, 1000) == f"( {MASK} )"


@given(SECRETS, st.sampled_from([str, quote, quote_plus, lambda one: json.dumps(one)[1:-1]]))
def test_a_secret_is_masked_in_every_form_of_all_of_it(secret, escape):
    assert secret[1:] not in clean(f"( {escape(secret)} )", secret, 1000)
    assert MASK in clean(f"( {escape(secret)} )", secret, 1000)


@given(SECRETS, st.text(max_size=40), st.text(max_size=40))
def test_what_is_masked_holds_the_secret_no_longer(secret, before, after):
    shown = clean(before + secret + after, ("x" * 30, secret), 1000)

    assert secret.lower() not in shown.lower() or secret in MASK


@pytest.mark.parametrize("secret", ["short-one", LONG, "é" * 12], ids=["short", "long", "é"])
@pytest.mark.parametrize("length", [80, 100_000])
def test_a_secret_at_the_end_of_what_is_read_is_not_shown_in_part(secret, length):
    for lead in range(MAX_READ - 2 * len(secret) - 5, MAX_READ + 5, 7):
        shown = clean("." * lead + quote(secret, safe="") + "y" * MAX_READ, secret, length)

        assert not any(secret[:4] in one or "%C3" in one for one in shown.split("."))


@given(st.text(), st.text(max_size=30))
def test_no_text_raises_and_what_is_shown_is_short_and_printable(text, secret):
    shown = clean(text, secret, 20)

    assert shown.isprintable()
    assert len(shown) <= 20


@pytest.mark.parametrize("secret", ["tok-SECRETt", "abab", "sk-sk-", "tok-0123456789-tok"])
@pytest.mark.parametrize("n", [2, 3, 50])
def test_a_secret_that_begins_inside_itself_is_masked_as_often_as_it_stands(secret, n):
    overlap = next(k for k in range(len(secret) - 1, 0, -1) if secret.endswith(secret[:k]))
    text = secret + secret[overlap:] * (n - 1)

    assert clean(text, secret, 5000) == MASK
    assert mask(f"<{text}>", (secret,)) == f"<{MASK}>"


def test_a_secret_of_one_letter_repeated_is_masked_without_much_work():
    secret, text = "a" * 500, "a" * 4000
    started = time.process_time()

    assert mask(text, (secret,)) == MASK
    assert time.process_time() - started < 0.1
