"""
Lay out the HTML page of an e-mail.

Decides how it looks. It is one column with styles in place, because mail
programs drop style sheets; nothing is loaded from anywhere. The tags are those
that turn into good plain text, which is made of this page for readers without
HTML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """
    Return the page of *paragraphs*, which are HTML already, like the *title*.
    """
    blocks = [_TITLE.format(text=title)] if title else []
    blocks += [_PARAGRAPH.format(text=text) for text in paragraphs]
    # An empty line, unlike a margin, is one in plain text too.
    return _HEAD + "<br>\n".join(blocks) + _FOOT
