from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.examination import SecretUse, find_flaw, find_user_flaw

ANY, HEADER, PASSWORD, TOKEN, HEADER_TOKEN = (
    SecretUse.ANY,
    SecretUse.HEADER,
    SecretUse.PASSWORD,
    SecretUse.TOKEN,
    SecretUse.HEADER_TOKEN,
)
ALL = set(SecretUse)
TOKENS = {TOKEN, HEADER_TOKEN}

# The text, what is found, and the uses in which it is; in all others the text is sound.
CASES = {
    "as an env file keeps it": ('"Atzr|hunter2"', "quotation marks", TOKENS),
    "single quotes": ("'hunter2'", "quotation marks", TOKENS),
    "typographic quotes": ("“hunter2”", "quotation marks", {TOKEN, HEADER_TOKEN}),
    "backticks": ("`hunter2`", "quotation marks", TOKENS),
    "one quote left behind": ('"hunter2', "quotation marks", TOKENS),
    "space before": (" hunter2", "starts or ends with a space", TOKENS | {HEADER}),
    "space behind": ("hunter2 ", "starts or ends with a space", TOKENS | {HEADER}),
    "no-break space behind": ("hunter2\xa0", "a space", TOKENS | {HEADER}),
    "with its scheme": ("Bearer hunter2", '"Bearer "', TOKENS),
    "with its scheme in small letters": ("bearer hunter2", '"Bearer "', TOKENS),
    "the whole header": ("Authorization: Bearer hunter2", '"Bearer "', TOKENS),
    "the scheme alone": ("Bearer", '"Bearer "', TOKENS),
    "space inside": ("hunter 2", "contains a space", {HEADER_TOKEN}),
    "byte order mark": ("\ufeffhunter2", "byte order mark", ALL),
    "zero-width space": ("hunter\u200b2", "invisible character (U+200B", ALL - {PASSWORD}),
    "zero-width joiner": ("hunter\u200d2", "invisible character (U+200D", ALL - {PASSWORD}),
    "byte order mark inside": ("hunter\ufeff2", "invisible character", ALL - {PASSWORD}),
    "word joiner": ("hunter\u20602", "invisible character", ALL - {PASSWORD}),
    "soft hyphen": ("hunter\xad2", "invisible character", ALL - {PASSWORD}),
    "right-to-left override": ("hunter\u202e2", "invisible character", ALL - {PASSWORD}),
    "Hangul filler": ("hunter\u31642", "invisible character", ALL - {PASSWORD}),
    "NUL": ("hunter\x002", "control character (U+0000", ALL),
    "escape": ("hunter\x1b2", "control character (U+001B", ALL),
    "delete": ("hunter\x7f2", "control character", ALL),
    "tab": ("hunter\t2", "control character (U+0009", ALL),
    "line feed": ("hunter\n2", "line break", ALL),
    "carriage return": ("hunter2\r", "line break", ALL),
    "next line": ("hunter\x852", "line break", ALL),
    "line separator": ("hunter\u20282", "line break", ALL),
    "not UTF-8": ("hunter\udcff2", "not UTF-8", ALL),
    "Cyrillic letter": ("hunt\u0435r2", "outside ASCII", {HEADER, HEADER_TOKEN}),
    "umlaut": ("hünter2", "outside ASCII", {HEADER, HEADER_TOKEN}),
}

SOUND = {
    "Amazon's": ("Atzr|IwEBIA-hunter2_x", ALL),
    "a JWT": ("eyJhbGciOi.eyJzdWIi.c2ln-_", ALL),
    "base64 with padding": ("aHVudGVyMg==", ALL),
    "punctuation of all kinds": ("a!#$%&()*+,-./:;<=>?@[]^_{|}~b", ALL),
    "a quotation mark inside": ('hunt"er2', ALL),
    "a name that begins like the scheme": ("bearer_hunter2", ALL),
    "another that does": ("Bearerhunter2", ALL),
    "a password in quotation marks": ('"hunter2"', {PASSWORD}),
    "a password with spaces": (" hunter 2 ", {PASSWORD}),
    "a password in Cyrillic": ("пароль", {PASSWORD, TOKEN}),
    "a password with an emoji of several": ("👩\u200d💻", {PASSWORD}),
    "a password called Bearer": ("Bearer hunter2", {PASSWORD}),
    "a header with its scheme": ("Bearer hunter2", {HEADER}),
    "another scheme": ("Token token=hunter2", {HEADER}),
    "an Apprise URL with a space and an umlaut": ("mailtos://a:b@c?name=Über uns", {ANY}),
}


@pytest.mark.parametrize("use", list(SecretUse), ids=str)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_flaw_is_found_where_it_matters(case, use):
    text, said, uses = case
    flaw = find_flaw(text, use)
    if use not in uses:
        assert flaw is None or said not in flaw
        return
    assert flaw is not None
    assert said in flaw
    assert flaw.startswith("the secret ")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_password_has_flaws_of_control_characters_and_line_breaks_alone(case):
    text, _, uses = case
    assert (find_flaw(text, PASSWORD) is not None) is (PASSWORD in uses)


@pytest.mark.parametrize("case", SOUND.values(), ids=SOUND)
def test_sound_secret_is_not_complained_of(case):
    text, uses = case
    assert [use for use in uses if find_flaw(text, use) is not None] == []


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_part_of_the_secret_is_repeated(case):
    text, _, _ = case
    said = " ".join(find_flaw(text, use) or "" for use in ALL)
    assert "hunt" not in said
    assert said.isprintable()


@given(st.text(min_size=1), st.sampled_from(SecretUse))
def test_what_passes_can_be_sent_on_one_line(text, use):
    if find_flaw(text, use) is None:
        assert text.splitlines() == [text]
        assert "\0" not in text
        text.encode("utf-8")


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_a_plain_token_passes_unless_something_stands_around_it(text):
    if text[0] not in "\"'`" and text[-1] not in "\"'`" and text.lower() != "bearer":
        assert find_flaw(text, HEADER_TOKEN) is None


def test_user_is_examined_like_a_password_and_called_so():
    assert find_user_flaw("Jürgen van der Berg") is None
    assert find_user_flaw("jo\nhn") == (
        "the user's name contains a line break (control character U+000A, at position 3): keep it"
        " on one line, with nothing before or after it"
    )
