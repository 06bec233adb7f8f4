"""
Give configuration files to what reads them: a file is right, or its faults are named.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Self

from monitor.config.errors import ConfigError
from monitor.config.load import UNEXPLAINED, load_config
from monitor.config.plan import make_plan
from tests.command_line import ROOT
from tests.fuzz import bait
from tests.fuzz.core import FaultError

if TYPE_CHECKING:
    from random import Random

    from tests.fuzz.core import Case

GOOD = """
[web]
listen = ""
[checks]
every = "1m"
timeout = "10s"
concurrency = 20
uplink = ["https://one.example", "https://two.example"]
[alerts]
expiring_soon_days = [30, 7, 1]
group_wait = "5s"
quiet_hours = { zone = "Europe/Berlin", from = "22:00", to = "07:00" }
[heartbeat]
url = "https://heart.example/x"
[[channels]]
name = "ops"
url = "json://127.0.0.1:9/hook"
kinds = ["error", "recovered"]
min_severity = "warning"
tags = ["production"]
[[channels]]
name = "mail"
url = "mailto://user:pass@mail.example?to=ops@example.com"
digest = "daily"
[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.x"
client_secret = "amzn1.oa2-cs.v1.x"
client_secret_created_on = 2026-06-01
redirect_url = "https://monitor.example/oauth/amazon/callback"
[[connections]]
name = "token"
provider = "soldscope"
base_url = "https://api.example/v1"
token = "ss_live_x"
every = "1m"
tags = ["production"]
[[connections]]
name = "store"
provider = "amazon"
application = "our-app"
region = "eu"
marketplaces = ["DE", "FR"]
refresh_token = "Atzr|x"
authorized_on = 2026-01-15
[[connections]]
name = "counted"
provider = "countdown"
authorized_on = 2025-12-03
valid_days = 400
renew_url = "https://example.com/renew"
[[connections]]
name = "any"
provider = "http"
url = "https://api.example/me"
auth = "header:X-Key"
token = "x"
headers = { Accept = "application/json" }
expect_status = [200, 204]
expect_json = { "/data/0/ok" = true }
quota = { limit = "X-Limit", remaining = "X-Left", resets = "X-Reset" }
[[connections]]
name = "git"
provider = "http"
preset = "github"
token = "x"
"""

_EXAMPLE = re.sub(r"(?m)^# (?=[\w\[])", "", (ROOT / "config.example.toml").read_text("utf-8"))

VALUES = (
    "0",
    "-1",
    "1",
    "9223372036854775808",
    "1" * 5000,
    "1e400",
    "nan",
    "inf",
    "true",
    "[]",
    "{}",
    "[[]]",
    "[1, 'a', []]",
    "[" * 500 + "]" * 500,
    "{ env = 'NO_SUCH' }",
    "{ env = '' }",
    "{ file = 'nowhere' }",
    "{ file = '.' }",
    "{ file = '\\u0000' }",
    "{ credential = '../x' }",
    "{ env = 'A', file = 'b' }",
    "2026-02-28",
    "2026-02-28T10:00:00Z",
    "9999-12-31",
    "0001-01-01",
    "10:00:00",
    '"""\n"""',
)


class Configuration:
    """
    Files made from good ones by changing lines, values, keys and bytes.
    """

    name = "config"

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(TemporaryDirectory()))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def make(self, random: Random) -> Case:
        source = GOOD if random.random() < 0.8 else _EXAMPLE
        lines = source.splitlines(keepends=True)
        return change_lines(random, lines)

    def run(self, case: Case) -> None:
        path = self._folder / "config.toml"
        path.touch(mode=0o600)
        path.write_bytes(b"".join(piece for piece in case if isinstance(piece, bytes)))
        try:
            make_plan(load_config(path))
        except ConfigError as error:
            told = [str(problem) for problem in error.problems]
            if not told:
                raise FaultError("refused without a word") from None
            for line in told:
                line.encode()  # people read it
                if UNEXPLAINED in line:
                    raise FaultError(f"no sentence for this: {line}") from None


def change_lines(random: Random, lines: list[str]) -> tuple[bytes, ...]:
    """
    Change some lines of a file, and now and then its bytes.
    """
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        lines = _change(random, lines)
    pieces = [line.encode("utf-8", "surrogatepass") for line in lines]
    if random.random() < 0.15:
        at = random.randrange(len(pieces))
        pieces[at] = bait.damage(random, pieces[at])
    return tuple(pieces)


def _change(random: Random, lines: list[str]) -> list[str]:
    at = random.randrange(len(lines))
    before, line, after = lines[:at], lines[at], lines[at + 1 :]
    key, equals, _ = line.partition(" = ")
    match random.randrange(8):
        case 0:
            changed = []
        case 1:
            changed = [line, line]
        case 2:
            changed = [random.choice(lines), line]
        case 3 if equals:
            changed = [f"{_quote(bait.text(random))} = 1\n", line]
        case 4 if equals:
            changed = [f"{key} = {random.choice(lines).partition(' = ')[2] or '1'}\n"]
        case 5 if equals:
            changed = [f"{key} = {random.choice(VALUES)}\n"]
        case _ if equals:
            value = _quote(bait.text(random))
            changed = [f"{key} = [{value}]\n" if random.random() < 0.2 else f"{key} = {value}\n"]
        case _:
            changed = [bait.text(random) + "\n", line]
    return before + changed + after


def _quote(text: str) -> str:
    """
    Write *text* as TOML does, but for what TOML cannot hold.
    """
    written = "".join(
        f"\\u{ord(char):04x}" if ord(char) < 32 or char in '"\\\x7f' else char for char in text
    )
    return f'"{written}"'
