"""Compose a message with the template of a channel, which can neither harm nor hang the program.

Decides what a template gets to see, what its first line means, and how its mistakes are told. It
is rendered by `monitor.notify.sandbox` in a process of its own, with limits of time and memory: one
process for all templates, started when the first is used and again after one was cut off.

A template can use: `kind`, `severity`, `title`, `happened` (lines), `remedy`, `link` (or an empty
text), `connections` (names, worst first, at most 20), `n_connections`, `facts` (what the kind
knows: see `drafts`), `born_at`, `now` and `is_test`. Instants are printed as clock times in the
channel's zone; the filters `as_time` and `as_day` do so with those of `facts`.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from monitor.config.files import require_file
from monitor.notify import texts
from monitor.notify.formats import Form, escape, mark_up
from monitor.notify.message import TITLE_LIMIT
from monitor.notify.words import clean, clean_facts

if TYPE_CHECKING:
    from typing import IO

    from monitor.notify.message import Message


LONGEST_TEMPLATE = 64 * 1024
SUBJECT = "Subject:"

_ERROR_LIMIT = 200


class TemplateError(Exception):
    """A template cannot word a message; the text says in which line, and why."""


def render(path: Path, message: Message, form: Form) -> tuple[str, str]:
    """Return the title and, in *form*, the text of the template in *path*; raise TemplateError."""
    return try_out(path, message, form)[0]


def try_out(path: Path, message: Message, form: Form) -> tuple[tuple[str, str], float]:
    """Return what `render` does, and the seconds of processor time that it took."""
    subject, body = _split(_read(path))
    title = message.title
    forms = [(body, form)] if subject is None else [(subject, Form.PLAIN), (body, form)]
    contexts = [context_of(message, each) for _, each in forms]
    written, cpu_s = _renderer.render(path, forms, contexts)
    if subject is not None:
        title = clean(_keep_clean(written[0]), TITLE_LIMIT) or title
    text = _keep_clean(written[-1]).strip()
    if not text:
        raise TemplateError(f"{path.name} gives an empty text")
    return (_mark_test(title, text, form) if message.is_test else (title, text)), cpu_s


def _mark_test(title: str, text: str, form: Form) -> tuple[str, str]:
    marked = title if texts.TEST_MARK in title else f"{texts.TEST_MARK} {title}"
    said = escape(texts.TEST, form)
    return marked, text if said in text else f"{said}\n{text}"


def _read(path: Path) -> str:
    try:
        require_file(path, LONGEST_TEMPLATE * 4)
        with path.open(encoding="utf-8") as file:
            source = file.read(LONGEST_TEMPLATE + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise TemplateError(f"{path} cannot be read: {why}") from None
    except UnicodeDecodeError:
        raise TemplateError(f"{path} is not text in UTF-8") from None
    if len(source) > LONGEST_TEMPLATE:
        raise TemplateError(f"{path} is longer than {LONGEST_TEMPLATE:,} characters")
    return source


def _split(source: str) -> tuple[str | None, str]:
    first, _, rest = source.partition("\n")
    if not first.startswith(SUBJECT):
        return None, source
    # The empty line keeps the numbers of the others.
    return first.removeprefix(SUBJECT).strip(), f"\n{rest}"


def context_of(message: Message, form: Form) -> dict[str, object]:
    """Return what a template is given of *message*."""
    content = message.content
    if content is None:
        raise TemplateError("the message has nothing that a template could use")
    # These lines hold code and addresses, marked and escaped here already.
    ready = [Markup(mark_up(line, message.urls, form)) for line in content.happened]  # noqa: S704
    remedy = Markup(mark_up(content.remedy, message.urls, form))  # noqa: S704
    return {
        "kind": content.kind.value,
        "severity": message.severity.value,
        "title": content.title,
        "happened": ready,
        "remedy": remedy,
        "link": content.link,
        "connections": list(content.connections),
        "n_connections": content.n_connections,
        "facts": clean_facts(content.about.facts),
        "born_at": content.about.born_at.astimezone(content.about.zone),
        "now": content.about.now.astimezone(content.about.zone),
        "is_test": message.is_test,
    }


def _keep_clean(text: str) -> str:
    # The zero-width space is what keeps a mention from ringing.
    return "".join(each for each in text if each in "\n\t\u200b" or each.isprintable())


def _explain(path: Path, line: int | None, why: str) -> TemplateError:
    place = f"{path.name}, line {line}" if line else path.name
    return TemplateError(f"{place}: {clean(why, _ERROR_LIMIT)}")


# --- the process that renders

_START_S = 20.0
_PATIENCE_S = 1.8
"""By the clock, for one message; the process ends itself after less of the processor's time."""

_EXIT_S = 0.2
_FORGET_AFTER_S = 600.0
_MOST_CUT_OFF = 64
_CHUNK = 1 << 16
_CUT_OFF = "it takes too much time or memory and was cut off"


class _Renderer:
    """The process that renders; a template that it had to be ended for is not tried again soon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._was_slow = False
        self._cut_off: OrderedDict[str, float] = OrderedDict()

    def render(
        self, path: Path, sources: list[tuple[str, Form]], contexts: list[dict[str, object]]
    ) -> tuple[list[str], float]:
        """Return the texts and the processor time that they took, or raise TemplateError."""
        request = pickle.dumps((str(path), sources, contexts))
        whole = "\0".join(source for source, _ in sources)
        with self._lock:
            ends_at = self._cut_off.get(whole)
            if ends_at is not None and monotonic() < ends_at:
                raise TemplateError(f"{path.name}: {_CUT_OFF}")
            # Something else may have ended the process since the last message.
            answer = self._ask(request) or (None if self._was_slow else self._ask(request))
            if answer is None:
                self._remember(whole)
                raise TemplateError(f"{path.name}: {_CUT_OFF}")
        if "error" in answer:
            raise _explain(path, answer["line"], answer["error"])
        return answer["texts"], answer["cpu_s"]

    def _remember(self, whole: str) -> None:
        self._cut_off[whole] = monotonic() + _FORGET_AFTER_S
        if len(self._cut_off) > _MOST_CUT_OFF:
            self._cut_off.popitem(last=False)

    def _ask(self, request: bytes) -> dict[str, Any] | None:
        """Return what the process answers; None if it ended instead, or had to be ended."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(len(request).to_bytes(4) + request)
            process.stdin.flush()
            answer = _read_answer(process.stdout, _PATIENCE_S)
        except OSError:
            answer = None
        if answer is None:
            self._was_slow = _how_it_ended(process) in {None, -signal.SIGPROF}
            self.close()
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        # A process that was forked off must not talk on its parent's pipes.
        if self._process is not None and self._owner == os.getpid():
            if self._process.poll() is None:
                return self._process
            self.close()
        self._process, self._owner = _start(), os.getpid()
        return self._process

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                _close(stream)


def _how_it_ended(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_EXIT_S)  # its pipes close a little before it is gone
    except subprocess.TimeoutExpired:
        return None


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        return  # what was left to write is of no use to a process that has ended


def _start() -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    found = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "monitor.notify.sandbox"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Nothing else of our environment: it holds secrets.
            env={"PYTHONPATH": os.pathsep.join(found), "PYTHONIOENCODING": "utf-8"},
            start_new_session=True,  # Ctrl-C is for us to handle
            bufsize=0,
        )
    except OSError as error:
        raise TemplateError(f"templates cannot be rendered: {error.strerror}") from None
    assert process.stdout is not None
    if _read_exactly(process.stdout, 1, monotonic() + _START_S) is None:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                _close(stream)
        raise TemplateError("templates cannot be rendered: their process does not start")
    return process


def _read_answer(stream: IO[bytes], patience_s: float) -> dict[str, Any] | None:
    ends_at = monotonic() + patience_s
    head = _read_exactly(stream, 4, ends_at)
    content = None if head is None else _read_exactly(stream, int.from_bytes(head), ends_at)
    answer: dict[str, Any] | None = None if content is None else json.loads(content)
    return answer


def _read_exactly(stream: IO[bytes], length: int, ends_at: float) -> bytes | None:
    """Return so many bytes of *stream*; None if it ends before, or they do not come in time."""
    content = b""
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    while len(content) < length:
        if not poll.poll(max(0.0, ends_at - monotonic()) * 1000):
            return None
        chunk = os.read(stream.fileno(), min(length - len(content), _CHUNK))
        if not chunk:
            return None
        content += chunk
    return content


_renderer = _Renderer()
atexit.register(_renderer.close)
