"""Make text of services fit to be shown: one line, short, without the secrets that were sent.

Decides which letters may pass, and what of a text repeats a secret: as it was sent, as it stands in
an address, a page, a form or JSON, and long pieces of it. The work grows with the length of the
text and not with that of a secret, and of a text that is longer than anybody reads only the
beginning is looked at: the event loop waits for it.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from monitor.judge.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator


Secrets = str | tuple[str, ...]
"""What was sent and must not be repeated: one secret, or several."""

MASK = "••••"
LONGEST_SHOWN = 19
"""More letters of a secret in a row than this are no coincidence."""

MAX_READ = 2048
"""Letters of a text; what people are shown is a small part of it."""

_PIECE = LONGEST_SHOWN + 1
_BLOCK = _PIECE // 2
_FEW_BLOCKS = 40
"""So few are looked up in a secret as it is: an index of it would take longer."""

# As in an address, as in a page, as in JSON.
_ESCAPES = re.compile(
    r"(?:%[0-9A-Fa-f]{2})+|&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});"
    r"|\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.)"
)
_LONGEST_ESCAPE = 10
_MOST_LAYERS = 3
"""So often escaped is what a chain of proxies and logs has quoted."""
_SHORTEST_ENCODED = 8
"""Of what is shorter, an encoded form may stand in a text by chance."""
_TAIL = _PIECE * _LONGEST_ESCAPE


def clean(text: str, secret: Secrets, length: int) -> str:
    """Return *text* on one line, without control characters and *secret*, at most *length* long."""
    secrets = (secret,) if isinstance(secret, str) else secret
    text = text.lstrip()
    is_cut = len(text) > MAX_READ
    text = one_line(text[:MAX_READ])
    spans = list(_join(_find(text, secrets)))
    if is_cut:
        # The end may hold the first part of a secret, which nobody could recognize.
        end = max(len(text) - _TAIL, 0)
        is_masked = any(span[0] < end <= span[1] for span in spans)
        spans = [span for span in spans if span[0] < end]
        text = text[: max([end, *(span[1] for span in spans)])] + ("" if is_masked else "…")
    shown, at = [], 0
    for start, stop in spans:
        shown += [text[at:start], MASK]
        at = stop
    text = "".join([*shown, text[at:]])
    return text if len(text) <= length else text[: length - 1] + "…"


def mask(text: str, secrets: tuple[str, ...]) -> str:
    """Return *text* as it is, without *secrets*; for texts of a few thousand letters."""
    shown, at = [], 0
    for start, stop in _join(_find(text, secrets)):
        shown += [text[at:start], MASK]
        at = stop
    return "".join([*shown, text[at:]])


def _find(text: str, secrets: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Yield where *text* repeats one of *secrets*, or a long piece of one."""
    # No form of a secret is shorter than itself: most texts need no search.
    needles = {
        needle for one in secrets if one for needle in (_fold(one), _fold(_unescape(one)[0]))
    }
    needles |= {form for one in secrets for form in _encode(one, len(text))}
    needles = {needle for needle in needles if needle and len(needle[:_TAIL]) <= len(text)}
    long = [_fold(one) for one in secrets if len(one) >= _PIECE and len(text) >= _PIECE]
    if not needles and not long:
        return
    for start, stop in _find_folded(_fold(text), needles, long):
        yield start, stop
    where: list[int] | None = None
    for _ in range(_MOST_LAYERS):
        text, places = _unescape(text)
        if places is None:
            return
        where = places if where is None else [where[at] for at in places]
        for start, stop in _find_folded(_fold(text), needles, long):
            yield where[start], where[stop]


def _encode(secret: str, longest: int) -> Iterator[str]:
    """Yield what *secret* is in base 64, wherever in the encoded text it begins, and in base 16.

    Its first and last letters depend on what stands beside it, and are left out.
    """
    raw = secret.encode("utf-8", "replace")
    if len(raw) < _SHORTEST_ENCODED or min(len(raw), _TAIL) > longest:
        return
    for offset, n_shared in ((0, 0), (1, 2), (2, 3)):
        whole = (len(raw) + offset) // 3 * 4
        encoded = b64encode(bytes(offset) + raw).decode("ascii")[n_shared:whole]
        yield _fold(encoded)
        yield _fold(encoded.replace("+", "-").replace("/", "_"))
    yield raw.hex()


def _find_folded(text: str, needles: set[str], long: list[str]) -> Iterator[tuple[int, int]]:
    for needle in needles:
        # The rest of a long one may lie beyond the cut.
        head = needle[:_TAIL]
        at = text.find(head)
        while at >= 0:
            yield at, min(at + len(needle), len(text))
            # The next may begin inside this one: "sk-sk-" stands twice in "sk-sk-sk-".
            at = text.find(head, at + 1)
    for one in long:
        yield from _find_pieces(text, one)
        yield from _find_pieces(text, one[::-1])


def _find_pieces(text: str, secret: str) -> Iterator[tuple[int, int]]:
    """Yield the pieces of *secret* in *text*, letter for letter.

    Whatever is as long as a piece covers one of the blocks that the text falls
    into: where none of these is known, which is nearly always, nothing else is
    compared.
    """
    starts = range(0, len(text) - _BLOCK + 1, _BLOCK)
    blocks: str | set[str] = secret if len(starts) <= _FEW_BLOCKS else _parts(secret, _BLOCK)
    pieces: set[str] = set()
    first, end = 0, 0
    for at in starts:
        if text[at : at + _BLOCK] not in blocks:
            continue
        pieces = pieces or _parts(secret, _PIECE)
        for start in range(max(0, at - _BLOCK + 1), at + 1):
            if text[start : start + _PIECE] not in pieces:
                continue
            if start > end:
                yield first, end
                first = start
            end = start + _PIECE
    yield first, end


def _parts(secret: str, length: int) -> set[str]:
    return {secret[at : at + length] for at in range(len(secret) - length + 1)}


def _join(spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield *spans* in order, those that overlap or touch as one."""
    first, *others = sorted(span for span in spans if span[1]) or [(0, 0)]
    for span in others:
        if span[0] <= first[1]:
            first = first[0], max(first[1], span[1])
        else:
            yield first
            first = span
    if first[1]:
        yield first


def _fold(text: str) -> str:
    """Return *text* in lower case, letter by letter; what a form writes as + is a space."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(one if len(one.lower()) != 1 else one.lower() for one in text)
    return lower.replace("+", " ")


def _unescape(text: str) -> tuple[str, list[int] | None]:
    """Return *text* without its escapes, and where in it each letter began, if that has changed."""
    if not any(mark in text for mark in "%&\\"):
        return text, None
    letters: list[str] = []
    places: list[int] = []
    at = 0
    for match in _ESCAPES.finditer(text):
        letters.append(text[at : match.start()])
        places += range(at, match.start())
        for letter, offset in _read_escape(match[0]):
            letters.append(letter)
            places.append(match.start() + offset)
        at = match.end()
    places += range(at, len(text) + 1)
    return "".join([*letters, text[at:]]), places


def _read_escape(escape: str) -> Iterator[tuple[str, int]]:
    """Yield the letters that *escape* stands for, and where in it they begin."""
    if escape[0] == "%":
        raw = unquote_to_bytes(escape)
        text = raw.decode("utf-8", "replace")
        if "\ufffd" in text:
            text = raw.decode("latin-1")
            yield from ((letter, 3 * number) for number, letter in enumerate(text))
            return
        offset = 0
        for letter in text:
            yield letter, offset
            offset += 3 * len(letter.encode())
    elif escape[0] == "&":
        letter = html.unescape(escape)
        yield (letter, 0) if len(letter) == 1 else ("&", 0)
    else:
        code = escape[len("\\x") :]
        yield (chr(int(code, 16)) if code else escape[1]), 0
