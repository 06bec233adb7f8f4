"""
Make hostile values: what people mistype, what breaks parsers, what strangers send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

SECRET = "ss_live_hunter2hunter2hunter2"

TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "9" * 30,
    "1e400",
    "NaN",
    "null",
    "true",
    "acme",
    "acme ",
    "ACME",
    "--",
    "-",
    "-h",
    "@x",
    "*",
    "%s%n%d",
    "{0}{x!r:>{y}}",
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "${HOME}",
    "$(id)",
    "'; DROP TABLE connections; --",
    '"',
    "'",
    "\\",
    "a\\nb",
    "a\nb",
    "a\r\nX-Evil: 1",
    "a\tb",
    "a\x00b",
    "\x1b[2J\x1b]0;x\x07",
    "\u202e\u2066x",
    "\ufeffx",
    "\u200b",
    "e\u0301\u0301\u0301",
    "ß",
    "İ",
    "\U0001f4a9",
    "\ud800",
    "x" * 300,
    "\u00e4" * 5000,
    "(" * 2000,
    "a" * 40 + "!",
    "[" * 600,
    "../../x",
    "file:x",
    "http://",
    "http://[",
    "http://[::1]:99999/",
    "https://user:pass@127.0.0.1:9/x?key=1#f",
    "https://xn--/",
    "https://\u2100.example/",
    "2026-02-30",
    "2026-02-28",
    "0001-01-01",
    "9999-12-31",
    "9999-12-31T23:59:59Z",
    "24:00",
    "2h",
    "99999999999999d",
    "0s",
    "1.5h",
    "-5m",
    "٣d",
    "Europe/Berlin",
    "../etc",
    "[1, 2",
    '{"a": ' * 200,
    '{"\\ud800": 1}',
    "<script>alert(1)</script>",
    SECRET,
)


def text(random: Random) -> str:
    """
    Return one hostile text, or several put together.
    """
    chosen = random.choice(TEXTS)
    if random.random() < 0.1:
        chosen += random.choice(TEXTS)
    if random.random() < 0.1 and chosen:
        at = random.randrange(len(chosen))
        chosen = chosen[:at] + chr(random.choice((0, 10, 34, 39, 92, 255, 8232))) + chosen[at:]
    return chosen


def damage(random: Random, data: bytes) -> bytes:
    """
    Return *data* with bytes changed, cut out, doubled or put in.
    """
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(data) + 1)
        until = min(len(data), at + random.choice((1, 1, 2, 8, 64)))
        match random.randrange(4):
            case 0:
                data = data[:at] + random.randbytes(until - at) + data[until:]
            case 1:
                data = data[:at] + data[until:]
            case 2:
                data = data[:until] + data[at:]
            case _:
                data = data[:at] + text(random).encode("utf-8", "surrogatepass") + data[at:]
    return data
