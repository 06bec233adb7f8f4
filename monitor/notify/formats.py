"""Write a message in the form that a medium shows.

Pure. Decides how each form marks bold text, code, links and lists, how text is kept from being
taken for such a mark, what is left out of a message that is too long, and how the page of an
e-mail looks: one column with styles in place, because mail programs drop style sheets, of tags
that turn into good plain text. A text is cut before it is escaped, so that no cut falls into the
middle of a mark. What a message says is decided in `message`; which service wants which form in
`apprise`.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.notify import texts
from monitor.notify.message import Paragraph, lay_out
from monitor.notify.words import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.notify.message import Message


_HEAD = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width">'
    '<meta name="color-scheme" content="light dark"></head>\n'
    '<body style="margin:0;padding:16px;font:15px/1.5 -apple-system,Segoe UI,Roboto,Arial,'
    'sans-serif"><div style="max-width:640px">\n'
)
_FOOT = "\n</div></body></html>\n"
_PARAGRAPH = '<p style="margin:0">{text}</p>'
_TITLE = '<p style="margin:0;font-size:17px"><b>{text}</b></p>'


def write_page(title: str, paragraphs: Sequence[str]) -> str:
    """Return the page of *paragraphs*, which are HTML already, like the *title*."""
    blocks = [_TITLE.format(text=title)] if title else []
    blocks += [_PARAGRAPH.format(text=text) for text in paragraphs]
    # An empty line, unlike a margin, is one in plain text too.
    return _HEAD + "<br>\n".join(blocks) + _FOOT


class Form(StrEnum):
    """How a medium wants its text."""

    PLAIN = "plain"
    SHORT = "short"  # one line, for text messages
    MAIL = "mail"  # a whole HTML page
    HTML = "html"
    TELEGRAM = "telegram"  # the HTML of Telegram, where a line break is one
    MARKDOWN = "markdown"
    MRKDWN = "mrkdwn"  # Slack's own


@dataclass(frozen=True, slots=True)
class _Dialect:
    """The marks of a form.

    Args:
        escape: Keep any text from being taken for a mark.
        link: Make an address one that can be followed.
        code: Show text that was escaped as it must be for this.
    """

    escape: Callable[[str], str]
    bold: Callable[[str], str]
    code: Callable[[str], str]
    link: Callable[[str], str]
    line_break: str = "\n"
    bullet: str = "- "


_MARKDOWN_MARKS = re.compile(r"([\\`*_\[\]()<>#~|!&])|^([-+=]|\d+(?=[.)]))")

# Slack knows no escape for these: what looks the same and means nothing.
_MRKDWN_MARKS = str.maketrans({"*": "∗", "~": "∼", "`": "'"})  # noqa: RUF001 - on purpose
_MRKDWN_EDGE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")


def escape_markdown(text: str) -> str:
    """Keep *text* from being taken for Markdown."""
    return _MARKDOWN_MARKS.sub(lambda match: _with_backslash(match.group()), text)


def _with_backslash(mark: str) -> str:
    # "1." begins a list, and a digit cannot be escaped.
    return f"{mark}\u200b" if mark.isdigit() else f"\\{mark}"


def escape_mrkdwn(text: str) -> str:
    """Keep *text* from being taken for Slack's mrkdwn."""
    edged = _MRKDWN_EDGE.sub("\uff3f", text.translate(_MRKDWN_MARKS))
    return html.escape(edged, quote=False)


def _escape_text(text: str) -> str:
    return html.escape(text, quote=False)


def _link_html(url: str) -> str:
    shown = html.escape(url, quote=True)
    return f'<a href="{shown}">{shown}</a>'


_PLAIN = _Dialect(str, str, lambda text: f"`{text}`", str)
_DIALECTS = {
    Form.PLAIN: _PLAIN,
    Form.SHORT: _PLAIN,
    Form.MAIL: _Dialect(
        html.escape,
        lambda text: f"<b>{text}</b>",
        lambda text: (
            '<span style="font-family:Menlo,Consolas,monospace;background:#f2f2f2;padding:0 3px">'
            f"{html.escape(text)}</span>"
        ),
        _link_html,
        "<br>",
    ),
    Form.HTML: _Dialect(
        html.escape,
        lambda text: f"<b>{text}</b>",
        lambda text: f"<code>{html.escape(text)}</code>",
        _link_html,
        "<br>\n",
    ),
    Form.TELEGRAM: _Dialect(
        _escape_text,
        lambda text: f"<b>{text}</b>",
        lambda text: f"<code>{_escape_text(text)}</code>",
        _link_html,
    ),
    Form.MARKDOWN: _Dialect(
        escape_markdown,
        lambda text: f"**{text}**",
        lambda text: f"`{text}`",
        lambda url: f"<{url}>",
    ),
    Form.MRKDWN: _Dialect(
        escape_mrkdwn,
        lambda text: f"*{text}*",
        lambda text: f"`{_escape_text(text)}`",
        lambda url: f"<{_escape_text(url)}>",
        bullet="• ",
    ),
}

_CODE = r"`[^`]+`"

_MARKS_IN_URL = str.maketrans({"(": "%28", ")": "%29", "*": "%2A"})


def escape(text: str, form: Form) -> str:
    """Keep *text* from being taken for a mark of *form*."""
    return _DIALECTS[form].escape(text)


def escape_url(url: str, form: Form) -> str:
    """Keep an address from being taken for a mark, and one that can be followed."""
    if form is Form.MARKDOWN:
        return url.translate(_MARKS_IN_URL)
    if form in {Form.PLAIN, Form.SHORT}:
        return url
    return html.escape(url, quote=form is not Form.MRKDWN)


def cut(text: str, limit: int) -> str | None:
    """Return *text*, in any form, cut at the end of a line; None if that cannot be."""
    if size_of(text) <= limit:
        return text
    lines = text.splitlines()
    while lines and size_of("\n".join([*lines, texts.CUT])) > limit:
        lines = lines[: -max(1, len(lines) // 8)]
    return "\n".join([*lines, texts.CUT]) if any(map(str.strip, lines)) else None


def write(message: Message, form: Form, limit: int, *, has_title: bool = False) -> str:
    """Return *message* in at most *limit* letters; *has_title*: begin with the title."""
    title = message.title if has_title else ""
    if form is Form.SHORT:
        return _shorten(message.short or f"{message.title} {message.body}".strip(), limit)
    parts: Sequence[Paragraph] = message.parts or _parts_of(message.body)
    text = _write(title, parts, message.urls, form)
    while size_of(text) > limit:
        fewer = _leave_out(parts)
        if fewer is None:
            return _write_first_line(title, parts[0], form, limit)
        parts = fewer
        text = _write(title, parts, message.urls, form)
    return text


def size_of(text: str) -> int:
    """Return the length of *text* as the strictest services count it."""
    return len(text.encode("utf-16-le", "replace")) // 2


def _shorten(text: str, limit: int) -> str:
    """Cut *text*, which nothing must be escaped in, to a size of *limit*."""
    while text and size_of(text) > limit:
        excess = size_of(text) - limit
        text = shorten(text, len(text) - excess) if len(text) > excess else ""
    return text


def mark_up(line: str, urls: Sequence[str], form: Form) -> str:
    """Return one line with code and addresses shown as such, and all else escaped."""
    dialect = _DIALECTS[form]
    known = [re.escape(url) for url in sorted(urls, key=len, reverse=True)]
    marked, end = [], 0
    for match in re.finditer("|".join([*known, _CODE]), line):
        marked.append(dialect.escape(line[end : match.start()]))
        token, end = match.group(), match.end()
        marked.append(dialect.code(token[1:-1]) if token[0] == "`" else dialect.link(token))
    return "".join([*marked, dialect.escape(line[end:])])


def join_title(title: str, body: str, form: Form) -> str:
    """Return *body*, already in *form*, below a *title* that is not."""
    dialect = _DIALECTS[form]
    shown = dialect.bold(dialect.escape(title)) if title else ""
    return dialect.line_break.join([shown, "", body]) if shown else body


def _write(title: str, parts: Sequence[Paragraph], urls: Sequence[str], form: Form) -> str:
    paragraphs = [_write_part(part, urls, form) for part in parts]
    if form is Form.MAIL:
        return write_page(html.escape(title), paragraphs)
    return join_title(title, (_DIALECTS[form].line_break * 2).join(paragraphs), form)


def _write_part(part: Paragraph, urls: Sequence[str], form: Form) -> str:
    dialect = _DIALECTS[form]
    return lay_out(
        part,
        lambda line: mark_up(line, urls, form),
        lambda label: dialect.bold(dialect.escape(label)),
        dialect.line_break,
        dialect.bullet,
    )


def _parts_of(body: str) -> list[Paragraph]:
    return [
        Paragraph(tuple(paragraph.splitlines()))
        for paragraph in re.split(r"\n\s*\n", body)
        if paragraph.strip()
    ] or [Paragraph(("",))]


def _leave_out(parts: Sequence[Paragraph]) -> list[Paragraph] | None:
    """Return *parts* with a little less in them, or None when one line is left.

    The longest part loses its last lines first; then whole parts go, from the
    end. What is left says that something is missing.
    """
    longest = max(range(len(parts)), key=lambda number: len(parts[number].lines))
    part = parts[longest]
    if len(part.lines) > 1:
        n_left = len(part.lines) - max(1, len(part.lines) // 8)
        fewer = replace(part, lines=part.lines[:n_left], more=texts.CUT)
        return [*parts[:longest], fewer, *parts[longest + 1 :]]
    if len(parts) > 1:
        return [replace(parts[0], more=texts.CUT), *parts[1:-1]]
    return None


def _write_first_line(title: str, part: Paragraph, form: Form, limit: int) -> str:
    """Return as much of the first line as fits; nothing else is left to take away."""
    for heading, line in ((title, part.lines[0]), ("", title or part.lines[0])):
        length = limit
        while length > 0:
            text = _write(heading, [Paragraph((shorten(line, length),))], (), form)
            if size_of(text) <= limit:
                return text
            length = length * 3 // 4
    return ""
