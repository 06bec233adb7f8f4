from __future__ import annotations

import os
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.alerts import KINDS, AlertKind
from monitor.notify.formats import Form
from monitor.notify.message import Message, compose
from monitor.notify.samples import sample_message
from monitor.notify.template import LONGEST_TEMPLATE, TemplateError, render

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LINK = "https://watch.example.com/c/acme_(eu)"
DETAIL = "401 <b>*bold*</b> & [x](y)"


@pytest.fixture
def write(tmp_path):
    def write(source: str, message: Message | None = None, form: Form = Form.PLAIN):
        path = tmp_path / "ops.j2"
        path.write_text(source, encoding="utf-8")
        return render(path, message or error_of(DETAIL), form)

    return write


def error_of(detail: str, names: tuple[str, ...] = ("acme",)) -> Message:
    return compose(
        AlertKind.ERROR,
        KINDS[AlertKind.ERROR].severity,
        {"reason": "token_rejected", "detail": detail, "renew_url": LINK, "since": None},
        names,
        NOW,
        LINK,
        NOW,
    )


def test_without_a_subject_the_title_is_the_built_in_one(write):
    assert write("hello") == ("🔴 acme: token rejected", "hello")


def test_the_first_line_can_be_the_subject(write):
    subject, text = write(
        "Subject: {{ kind }} of\u202e {{ connections|join(', ') }}\n\n{{ title }}"
    )
    assert subject == "error of acme"
    assert text == "🔴 acme: token rejected"


def test_a_subject_is_one_clean_line_and_not_in_the_form_of_the_text(write):
    message = error_of("x\r\nBcc: all@example.com <b> & @here")
    subject, _ = write("Subject: {{ facts.detail }}\nx", message, Form.HTML)
    assert subject == "x Bcc: all@example.com <b> & @\u200bhere"


VARIABLES = {
    "{{ kind }} {{ severity }}": "error critical",
    "{{ happened|first }}": "The service rejects this token",
    "{{ happened|length }}": "2",
    "{{ remedy }}": "Create a new token at the service",
    "{{ link }}": LINK,
    "{% for name in connections %}<{{ name }}>{% endfor %}": "<acme>",
    "{{ n_connections }}": "1",
    "{{ facts.reason }}": "token_rejected",
    "{{ facts.nothing|default('-') }}": "-",
    "{{ born_at }}": "Nov 22, 12:00 UTC",
    "{{ is_test }}": "False",
    "{{ (now - born_at) if false else 'ok' }}": "ok",
    "{{ 2 * 3 + 1 }}{{ 'a' + 'b' }}{{ 'a' ~ 1 }}": "7aba1",
    "{{ 'a-b'|replace('-', ' ')|upper }}": "A B",
    "{% for n in range(3) %}{{ loop.index }}{% endfor %}": "123",
}


@pytest.mark.parametrize(("source", "expected"), VARIABLES.items(), ids=VARIABLES)
def test_a_template_can_use(write, source, expected):
    assert write(source)[1].startswith(expected)


ESCAPED = {
    Form.PLAIN: DETAIL.replace("](", "]\u200b("),
    Form.HTML: "401 &lt;b&gt;*bold*&lt;/b&gt; &amp; [x]\u200b(y)",
    Form.MARKDOWN: "401 \\<b\\>\\*bold\\*\\</b\\> \\& \\[x\\]\u200b\\(y\\)",
    Form.MRKDWN: "401 &lt;b&gt;\u2217bold\u2217&lt;/b&gt; &amp; [x]\u200b(y)",
}


@pytest.mark.parametrize(("form", "expected"), ESCAPED.items(), ids=ESCAPED)
@pytest.mark.parametrize(
    "source",
    [
        "{{ facts.detail }}",
        "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(facts.detail) }}",
        "{% set x %}{{ facts.detail }}{% endset %}{{ x }}",
        "{{ [facts.detail]|join }}",
        "{{ facts.detail ~ '' }}",
    ],
    ids=["plain", "macro", "block", "join", "concatenated"],
)
def test_values_are_escaped_once_for_the_form(write, source, form, expected):
    assert write(source, form=form)[1] == expected


def test_what_the_template_itself_says_is_not_escaped(write):
    assert write("*b* <https://x.io|x> {{ kind }}", form=Form.MRKDWN)[1].startswith(
        "*b* <https://x.io|x> error"
    )


@pytest.mark.parametrize(
    ("form", "link"),
    [
        (Form.MARKDOWN, LINK.replace("(", "%28").replace(")", "%29")),
        (Form.HTML, LINK),
        (Form.MRKDWN, LINK),
    ],
)
def test_an_address_can_still_be_followed(write, form, link):
    assert write("[{{ link }}]", form=form)[1] == f"[{link}]"


def test_code_in_the_remedy_is_code_in_the_form(write):
    message = sample_message(AlertKind.RENEWAL_UNRECORDED, NOW)
    assert "<code>authorized_on</code>" in write("{{ remedy }}", message, Form.HTML)[1]


def test_a_test_is_marked_whatever_the_template_says(write):
    title, text = write("Subject: fire\nfire", sample_message(AlertKind.ERROR, NOW))
    assert title == "[TEST] fire"
    assert text.startswith("[TEST] Test message from connwatch.")
    assert write("{{ title }}\n{{ happened[0] }}", sample_message(AlertKind.ERROR, NOW))[1].count(
        "[TEST] Test"
    ) == 1  # fmt: skip


MISTAKES = {
    "a word that is not there": ("x\n{{ nope }}", "line 2: 'nope' is undefined"),
    "a fact that is not there": ("{{ facts.nope }}", "has no attribute 'nope'"),
    "no template": ("a\nb\n{% if %}", "line 3: Expected an expression"),
    "unknown filter": ("{{ kind|center(9999999999) }}", "No filter named 'center'"),
    "in the subject": ("Subject: {{ nope }}\nx", "line 1: 'nope' is undefined"),
    "below the subject": ("Subject: x\n\n{{ nope }}", "line 3: 'nope' is undefined"),
    "division by zero": ("{{ 1 / 0 }}", "line 1: division by zero"),
    "text and number": ("{{ 'a' + 1 }}", "`+` is for numbers"),
    "other files": ("{% include 'secrets.j2' %}", "cannot use other files"),
    "nothing": ("{% if false %}x{% endif %}", "gives an empty text"),
}


@pytest.mark.parametrize(("source", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_line(write, source, expected):
    with pytest.raises(TemplateError) as caught:
        write(source)
    assert str(caught.value).startswith("ops.j2")
    assert expected in str(caught.value)


HARM = {
    "loop in loop": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "deep loops over little": "{% for a in '0123456789' %}" * 12 + "{% endfor %}" * 12,
    "a long range": "{% for a in range(10 ** 30) %}{% endfor %}",
    "a range beyond numbers": "{% for a in range(99999999999999999999) %}{% endfor %}",
    "recursion": "{% macro f() %}{{ f() ~ f() }}{% endmacro %}{{ f() }}",
    "recursion by halves": "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}"
    "{% endmacro %}{{ f(40) }}",
    "recursive loop": "{% for c in connections recursive %}{{ loop(connections) }}{% endfor %}",
    "a long text": "{{ 'x' * 1000000000 }}",
    "a power": "{{ 9 ** 9 ** 9 }}",
    "doubling": "{% set x = 'aaaaaaaa' %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}",
    "doubling by sums": "{% set x = 'aaaaaaaa' %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
    "doubling by blocks": "{% set x %}aaaa{% endset %}"
    + "{% set x %}{{ x }}{{ x }}{% endset %}" * 40
    + "{{ x }}",
    "doubling by replacing": "{% set x = 'aaaa' %}"
    + "{% set x = x|replace('a', x) %}" * 10
    + "{{ x }}",
    "formatting": "{{ '%999999999d' % 1 }}",
    "a method": "{{ 'x'.ljust(999999999) }}",
    "another method": "{{ '{:999999999}'.format(1) }}",
    "more than a message": "{% for a in range(9999) %}{{ title }}{% endfor %}",
    "more of its own than a message": "{% for a in range(9999) %}0123456789{% endfor %}",
    "a class": "{{ ''.__class__.__mro__ }}",
    "globals": "{{ range.__globals__ }}",
    "a list that is changed": "{{ connections.append('x') }}",
    "facts that are changed": "{{ facts.update({}) }}",
}


@pytest.mark.parametrize("source", HARM.values(), ids=HARM)
def test_no_template_hangs_or_reaches_out(write, source):
    began = time.process_time()
    with pytest.raises(TemplateError):
        write(source)
    assert time.process_time() - began < 2


def test_what_one_text_spent_is_there_for_the_next(write):
    source = "{% for a in range(9000) %}{% endfor %}x"
    assert [write(source)[1] for _ in range(3)] == ["x"] * 3


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(TemplateError, match=r"gone\.j2 cannot be read: No such file"):
        render(tmp_path / "gone.j2", error_of("x"), Form.PLAIN)


def test_a_pipe_is_no_template(tmp_path):
    os.mkfifo(tmp_path / "pipe.j2")
    with pytest.raises(TemplateError, match=r"pipe\.j2 cannot be read: it is a pipe"):
        render(tmp_path / "pipe.j2", error_of(DETAIL), Form.PLAIN)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"\xff\xfe", "not text in UTF-8"), (b"x" * (LONGEST_TEMPLATE + 1), "longer than")],
    ids=["bytes", "endless"],
)
def test_a_file_that_is_no_template_says_so(tmp_path, content, why):
    path = tmp_path / "odd.j2"
    path.write_bytes(content)
    with pytest.raises(TemplateError, match=why):
        render(path, error_of("x"), Form.PLAIN)


def test_a_message_that_knows_nothing_cannot_be_worded(write):
    with pytest.raises(TemplateError, match="nothing that a template could use"):
        write("x", Message("t", "b"))


def test_a_changed_file_is_used_with_the_next_message(write):
    assert write("one")[1] == "one"
    assert write("two")[1] == "two"


@given(source=st.text(st.sampled_from("{}%# |'().*~[]abcfor in range1\n"), max_size=60))
def test_no_source_does_anything_but_word_or_complain(tmp_path_factory, source):
    path = tmp_path_factory.getbasetemp() / "any.j2"
    path.write_text(source, encoding="utf-8")
    try:
        title, text = render(path, error_of("x"), Form.HTML)
    except TemplateError:
        return
    assert title
    assert text
