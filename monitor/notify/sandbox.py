"""Render the template of a channel in a process of its own, which can be cut off at any instant.

Decides what a template may do: print values, which are escaped for the form it is written in, loop
and branch over them, and little else. No attribute that can be called, no file, no import. Rounds
of loops, calls and characters are counted; what no count bounds, such as a list that holds itself
twice thirty times over, ends at the limits of this process. `monitor.notify.template` starts it.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import struct
import sys
import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO

from jinja2 import DictLoader, StrictUndefined, Template, nodes
from jinja2.exceptions import SecurityError, TemplateNotFound, TemplateSyntaxError
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.filters import FILTERS
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from monitor.notify.formats import Form, escape, escape_url
from monitor.notify.times import format_day, format_time, read_instant
from monitor.notify.words import clean_url, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


# --- the process

MOST_CPU_S = 0.5
"""Processor time for one message; the built-in texts take a thousandth of it."""

MOST_MEMORY = 24 << 20
"""What one message may take beside the program itself, in bytes."""

READY = b"+"

# Whatever a template does wrong with its values comes out of it as one of these.
_MISTAKES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,  # too deep a recursion among them
    TypeError,
    ValueError,
)


def serve() -> None:
    """Render what comes on stdin, one request after the other, until it is closed."""
    read, write = sys.stdin.buffer, sys.stdout.buffer
    _limit_memory()
    write.write(READY)
    write.flush()
    while (request := read_frame(read)) is not None:
        started = time.process_time()
        # The default action of this signal ends the process, whatever it is in the middle of.
        signal.setitimer(signal.ITIMER_PROF, MOST_CPU_S)
        answer = _answer(*pickle.loads(request))  # noqa: S301 - from the process that started this
        signal.setitimer(signal.ITIMER_PROF, 0)
        answer["cpu_s"] = time.process_time() - started
        write_frame(write, json.dumps(answer).encode())


def _limit_memory() -> None:
    """Let the process grow by so much and no more, where the system says how large it is."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no need for pathlib here
            pages = int(file.read().split()[0])
    except OSError:
        return
    most = pages * os.sysconf("SC_PAGE_SIZE") + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _answer(
    filename: str, sources: list[tuple[str, Form]], contexts: list[dict[str, object]]
) -> dict[str, Any]:
    try:
        texts = [
            render_source(filename, source, context, form)
            for (source, form), context in zip(sources, contexts, strict=True)
        ]
    except RenderError as error:
        return {"error": error.why, "line": error.line}
    except MemoryError:
        return {"error": f"it needs more than {MOST_MEMORY >> 20} MB of memory", "line": None}
    return {"texts": texts}


_LENGTH = struct.Struct(">I")


def read_frame(stream: BinaryIO) -> bytes | None:
    """Return the next frame of *stream*; None at its end."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    content = stream.read(length)
    return content if len(content) == length else None


def write_frame(stream: BinaryIO, content: bytes) -> None:
    """Write *content* to *stream* as one frame."""
    stream.write(_LENGTH.pack(len(content)) + content)
    stream.flush()


# --- one text


class RenderError(Exception):
    """A template cannot word a message.

    Args:
        line: Of the template; None where that is not known.
    """

    def __init__(self, why: str, line: int | None) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


def render_source(filename: str, source: str, context: dict[str, object], form: Form) -> str:
    """Return the text of the template *source*, or raise RenderError."""
    token, now = budget.set(Budget()), _now.set(context["now"])
    try:
        template = _compile(filename, source, form)
        written, length = [], 0
        for piece in template.generate(context):
            written.append(piece)
            length += len(piece)
            if length > MOST_CHARACTERS:
                raise RenderError(f"a text of more than {MOST_CHARACTERS:,} letters", None)
        return "".join(written)
    except TemplateSyntaxError as error:
        raise RenderError(_say(error), error.lineno) from None
    except TemplateNotFound as error:
        why = "a template cannot use other files"
        raise RenderError(why, _line_of(error, filename)) from None
    except (JinjaError, *_MISTAKES) as error:
        raise RenderError(_say(error), _line_of(error, filename)) from None
    finally:
        budget.reset(token)
        _now.reset(now)


def _say(error: BaseException) -> str:
    return str(error)[:1000] or type(error).__name__


@lru_cache(maxsize=256)
def _compile(filename: str, source: str, form: Form) -> Template:
    environment = make_environment(form)
    code = environment.compile(source, filename, filename)
    return Template.from_code(environment, code, environment.make_globals(None))


def _line_of(error: BaseException, filename: str) -> int | None:
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == filename:
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


# --- what it may do

MOST_STEPS = 10_000
"""Rounds of loops and calls in one text."""

MOST_CHARACTERS = 20_000
LARGEST_NUMBER = 10**15

_FILTERS = (
    "abs",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "int",
    "items",
    "last",
    "length",
    "list",
    "max",
    "min",
    "reverse",
    "sort",
    "string",
    "unique",
)
"""What is taken from Jinja2: nothing that makes much out of little."""


@dataclass(slots=True)
class Budget:
    """What one text may still spend."""

    steps: int = MOST_STEPS
    characters: int = MOST_CHARACTERS


budget: ContextVar[Budget] = ContextVar("budget")
_now: ContextVar[Any] = ContextVar("now")
"""When the text is written, in the zone of its channel."""


def make_environment(form: Form) -> ImmutableSandboxedEnvironment:
    """Return an environment whose texts are in *form*."""
    environment = _Environment(
        loader=DictLoader({}),
        undefined=StrictUndefined,
        # Not Jinja2's own escaping, which `finalize` leaves nothing to do: it
        # only marks what a macro wrote, so that it is not escaped twice.
        autoescape=True,
        finalize=lambda value: _finalize(value, form),
        optimized=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals = {"range": _range}
    own = {
        "as_day": _format_day,
        "as_time": _format_time,
        "capitalize": lambda value: str(value).capitalize(),
        "join": _join,
        "lower": lambda value: str(value).lower(),
        "replace": _replace,
        "title": lambda value: str(value).title(),
        "trim": lambda value: str(value).strip(),
        "truncate": lambda value, length=80: shorten(str(value), max(1, length)),
        "upper": lambda value: str(value).upper(),
        "_counted": _counted,
    }
    environment.filters = {name: FILTERS[name] for name in _FILTERS} | own
    return environment


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if callable(value) and not isinstance(obj, LoopContext):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Offer no formatting, which would make long texts of short ones."""

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return _join([left, right])
        for value in (left, right):
            if not isinstance(value, int | float) or abs(value) > LARGEST_NUMBER:
                raise SecurityError(f"`{operator}` is for numbers below {LARGEST_NUMBER:,}")
        if operator == "**":
            raise SecurityError("`**` is not allowed in a template")
        return super().call_binop(context, operator, left, right)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        _take_step()
        return super().call(*args, **kwargs)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Counting().visit(super()._parse(source, name, filename))
        tree.set_environment(self)
        return tree


class _Counting(NodeTransformer):
    """Have every loop counted, and every chain of texts measured."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - the name of the node
        self.generic_visit(node)
        node.iter = _apply("_counted", node.iter)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - likewise
        self.generic_visit(node)
        return _apply("join", nodes.List(node.nodes, lineno=node.lineno))


def _apply(name: str, node: nodes.Node) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _finalize(value: Any, form: Form) -> Markup:
    if isinstance(value, Markup):
        text = str(value)
    else:
        plain = _format_time(value) if isinstance(value, datetime) else str(value)
        text = escape_url(plain, form) if clean_url(plain) else escape(plain, form)
    left = budget.get()
    left.characters -= len(text)
    if left.characters < 0:
        raise SecurityError(f"the text is longer than {MOST_CHARACTERS:,} characters")
    return Markup(text)  # noqa: S704 - escaped above, for the form of the text


def _format_time(value: Any) -> Any:
    """Return an instant, or the text of one, as a clock time in the channel's zone."""
    at, now = _read_instant(value), _now.get()
    return value if at is None else format_time(at, now, now.tzinfo)


def _format_day(value: Any) -> Any:
    """Return an instant, or the text of one, as a day: "tomorrow (Dec 1)"."""
    at = _read_instant(value)
    return value if at is None else format_day(at, _now.get())


def _read_instant(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else read_instant(value)


def _take_step() -> None:
    left = budget.get()
    left.steps -= 1
    if left.steps < 0:
        raise SecurityError(f"more than {MOST_STEPS:,} rounds of loops and calls")


def _counted(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        _take_step()
        yield value


def _range(*bounds: int) -> range:
    values = range(*bounds)
    if len(values) > MOST_STEPS:
        raise SecurityError(f"a range of more than {MOST_STEPS:,}")
    return values


def _join(values: Iterable[Any], separator: str = "") -> str:
    text = ""
    for number, value in enumerate(values):
        text += (separator if number else "") + str(value)
        _measure(len(text))
    return text


def _replace(value: Any, old: str, new: str) -> str:
    text = str(value)
    _measure(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _measure(length: int) -> None:
    if length > MOST_CHARACTERS:
        raise SecurityError(f"a text of more than {MOST_CHARACTERS:,} characters")


if __name__ == "__main__":
    serve()
