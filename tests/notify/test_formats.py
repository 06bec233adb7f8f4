from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from apprise import NotifyFormat
from apprise.conversion import convert_between
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.alerts import KINDS, AlertKind
from monitor.notify.formats import Form, cut, escape, escape_url, mark_up, size_of, write
from monitor.notify.message import Message, Paragraph, compose
from monitor.notify.samples import sample_message

# Apprise asks for it while it imports, prepared to do without.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
URL = "https://x.io/a?b=1&c=(d)"
EVIL = "<!channel> <b>*x*</b> [bank](https://e.io) `y` @here & _z_ ~w~ <@U1> <https://e.io|bank>"

MARKED = {
    Form.PLAIN: f"See `a b` & <c> at {URL}",
    Form.SHORT: f"See `a b` & <c> at {URL}",
    Form.HTML: f"See <code>a b</code> &amp; &lt;c&gt; at "
    f'<a href="{html.escape(URL)}">{html.escape(URL)}</a>',
    Form.TELEGRAM: f"See <code>a b</code> &amp; &lt;c&gt; at "
    f'<a href="{html.escape(URL)}">{html.escape(URL)}</a>',
    Form.MARKDOWN: f"See `a b` \\& \\<c\\> at <{URL}>",
    Form.MRKDWN: f"See `a b` &amp; &lt;c&gt; at <{html.escape(URL)}>",
}


@pytest.mark.parametrize(("form", "expected"), MARKED.items(), ids=MARKED)
def test_code_and_addresses_are_shown_as_such_and_the_rest_is_escaped(form, expected):
    assert mark_up(f"See `a b` & <c> at {URL}", [URL], form) == expected


def test_an_address_that_is_not_ours_is_no_link():
    assert mark_up("see https://e.io", [URL], Form.HTML) == "see https://e.io"


ESCAPED = {
    Form.HTML: "&lt;!channel&gt; &lt;b&gt;*x*&lt;/b&gt;",
    Form.TELEGRAM: "&lt;!channel&gt; &lt;b&gt;*x*&lt;/b&gt;",
    Form.MARKDOWN: "\\<\\!channel\\> \\<b\\>\\*x\\*\\</b\\> \\[bank\\]\\(https://e.io\\)",
    Form.MRKDWN: "&lt;!channel&gt; &lt;b&gt;\u2217x\u2217&lt;/b&gt; [bank](https://e.io) 'y'",
}


@pytest.mark.parametrize(("form", "expected"), ESCAPED.items(), ids=ESCAPED)
def test_marks_from_outside_are_escaped(form, expected):
    assert escape(EVIL, form).startswith(expected)


@pytest.mark.parametrize("text", ["1. x", "- x", "+ x", "= x", "# x", "> x", "1) x"])
def test_nothing_from_outside_begins_a_markdown_block(text):
    assert not re.match(r"(\d+[.)]|[-+=#>])", escape(text, Form.MARKDOWN))


def test_slack_gets_no_underscore_that_could_begin_italics():
    assert escape("_a_ b_c", Form.MRKDWN) == "\uff3fa\uff3f b_c"


def test_an_address_in_markdown_cannot_end_a_link():
    assert escape_url(URL, Form.MARKDOWN) == "https://x.io/a?b=1&c=%28d%29"
    assert escape_url("https://x.io/a?b&c", Form.MRKDWN) == "https://x.io/a?b&amp;c"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag, _attrs):
        self.seen.add(tag)
        if tag not in {"br", "meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


OURS = {"a", "b", "br", "code", "p", "span", "div", "html", "head", "body", "meta"}


@given(
    detail=st.text(max_size=200),
    name=st.text(max_size=60),
    limit=st.integers(40, 2000),
    form=st.sampled_from([Form.HTML, Form.TELEGRAM, Form.MAIL]),
)
def test_no_text_from_outside_makes_or_breaks_a_tag(detail, name, limit, form):
    message = compose(
        AlertKind.ERROR,
        KINDS[AlertKind.ERROR].severity,
        {"reason": "token_rejected", "detail": detail + EVIL},
        [name, EVIL],
        NOW,
        URL,
        NOW,
    )
    text = write(message, form, 10_000 if form is Form.MAIL else limit, has_title=True)
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags.open == []
    assert tags.seen <= OURS
    assert "&" not in re.sub(r"&(amp|lt|gt|quot|#x27);", "", text)


@given(
    body=st.text(max_size=3000),
    title=st.text(max_size=80),
    limit=st.integers(1, 500),
    form=st.sampled_from([form for form in Form if form is not Form.MAIL]),
)
def test_nothing_is_longer_than_allowed(body, title, limit, form):
    assert size_of(write(Message(title, body), form, limit, has_title=True)) <= limit


@pytest.mark.parametrize("kind", AlertKind)
@pytest.mark.parametrize("form", Form)
def test_each_kind_is_whole_in_each_form(kind, form):
    message = sample_message(kind, NOW)
    text = write(message, form, 4000)
    if form is Form.SHORT:
        assert text == message.short
    else:
        assert "Test message from connwatch" in text
        assert ("What to do:" in text) is not ("\n\nNo action needed." in message.body)
        assert "more" not in text or "more" in message.body


def make_long(n: int = 20) -> Message:
    return compose(
        AlertKind.ERROR,
        KINDS[AlertKind.ERROR].severity,
        {"reason": "token_rejected", "detail": "d" * 90},
        [f"store-{number}" for number in range(n)],
        NOW,
        URL,
        NOW,
    )


def test_a_list_that_is_too_long_ends_at_a_line_and_says_so_while_the_next_step_stays():
    text = write(make_long(), Form.PLAIN, 480)
    assert len(text) <= 480
    assert re.search(r"\n- store-\d+\n\.\.\. and more\n\nWhat to do: ", text)
    assert f"\n\nOpen in connwatch: {URL}\n\nDetails: " in text


def test_where_there_is_hardly_room_the_first_sentence_is_cut():
    text = write(make_long(), Form.MRKDWN, 60, has_title=True)
    assert len(text) <= 60
    assert text.startswith("*🔴 20 connections: token rejected*")


def test_a_text_message_is_cut_as_strict_services_count_it():
    message = Message("t", "b", short="🔴🔴🔴🔴 abc")
    assert write(message, Form.SHORT, 8) == "🔴🔴🔴…"


def test_an_emoji_counts_as_strict_services_count_it():
    assert size_of("🔴a") == 3


def test_a_finished_text_is_cut_at_a_line_or_not_at_all():
    assert cut("abc", 3) == "abc"
    assert cut("first line\nsecond line\nthird", 25) == "first line\n... and more"
    assert cut("x" * 30, 25) is None


def test_a_list_item_has_its_bullet_and_the_rest_has_none():
    message = Message(
        "t", "b", parts=(Paragraph(("a", "b"), "Affected", is_list=True, more="and 2"),)
    )
    assert write(message, Form.MRKDWN, 99) == "*Affected:*\n• a\n• b\nand 2"


def test_the_page_of_a_mail_turns_into_the_text_of_the_message():
    message = sample_message(AlertKind.EXPIRED, NOW)
    page = write(message, Form.MAIL, 30_000)
    text = convert_between(NotifyFormat.HTML, NotifyFormat.TEXT, page)  # type: ignore[no-untyped-call]
    assert text == message.body.replace("`", "")


def test_the_page_of_a_mail_loads_nothing():
    page = write(sample_message(AlertKind.OUTAGE, NOW), Form.MAIL, 30_000)
    assert not re.search(r"src=|url\(|<(img|script|link|style)", page)
