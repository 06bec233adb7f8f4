"""Compose a message with the template of a channel, which can neither harm nor hang the program.

Decides what a template gets to see, what its first line means, how its mistakes are told, and what
it may do: print values, which are escaped for the form it is written in, loop and branch over
them, and little else. No attribute that can be called, no file, no import. Rounds of loops, calls
and characters are counted, so that every template ends, and soon, without a look at the time.

A template can use: `kind`, `severity`, `title`, `happened` (lines), `remedy`, `link` (or an empty
text), `connections` (names, worst first, at most 20), `n_connections`, `facts` (what the kind
knows: see `drafts`), `born_at`, `now` and `is_test`.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import DictLoader, StrictUndefined, Template, nodes
from jinja2.exceptions import SecurityError, TemplateNotFound, TemplateSyntaxError
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.filters import FILTERS
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from monitor.config.files import require_file
from monitor.notify import texts
from monitor.notify.formats import Form, escape, escape_url, mark_up
from monitor.notify.message import TITLE_LIMIT
from monitor.notify.words import clean, clean_facts, clean_url, format_instant, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from monitor.notify.message import Message


LONGEST_TEMPLATE = 64 * 1024
SUBJECT = "Subject:"

_ERROR_LIMIT = 200

# Whatever a template does wrong with its values comes out of it as one of these.
_MISTAKES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,  # too deep a recursion among them
    TypeError,
    ValueError,
)


class TemplateError(Exception):
    """A template cannot word a message; the text says in which line, and why."""


def render(path: Path, message: Message, form: Form) -> tuple[str, str]:
    """Return the title and, in *form*, the text of the template in *path*; raise TemplateError."""
    subject, body = _split(_read(path))
    title = message.title
    if subject is not None:
        written = _render(path, subject, message, Form.PLAIN)
        title = clean(written, TITLE_LIMIT) or title
    text = _render(path, body, message, form).strip()
    if not text:
        raise TemplateError(f"{path.name} gives an empty text")
    return _mark_test(title, text, form) if message.is_test else (title, text)


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


def _render(path: Path, source: str, message: Message, form: Form) -> str:
    token = budget.set(Budget())
    try:
        template = _compile(str(path), source, form)
        written, length = [], 0
        for piece in template.generate(context_of(message, form)):
            written.append(piece)
            length += len(piece)
            if length > MOST_CHARACTERS:
                raise TemplateError(f"{path.name}: a text of more than {MOST_CHARACTERS:,} letters")
        return _keep_clean("".join(written))
    except TemplateSyntaxError as error:
        raise _explain(path, error.lineno, error) from None
    except TemplateNotFound as error:
        why = ValueError("a template cannot use other files")
        raise _explain(path, _line_of(error, str(path)), why) from None
    except (JinjaError, *_MISTAKES) as error:
        raise _explain(path, _line_of(error, str(path)), error) from None
    finally:
        budget.reset(token)


@lru_cache(maxsize=256)
def _compile(filename: str, source: str, form: Form) -> Template:
    environment = make_environment(form)
    code = environment.compile(source, filename, filename)
    return Template.from_code(environment, code, environment.make_globals(None))


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
        "born_at": content.about.born_at,
        "now": content.about.now,
        "is_test": message.is_test,
    }


def _keep_clean(text: str) -> str:
    # The zero-width space is what keeps a mention from ringing.
    return "".join(each for each in text if each in "\n\t\u200b" or each.isprintable())


def _line_of(error: BaseException, filename: str) -> int | None:
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == filename:
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


def _explain(path: Path, line: int | None, error: Exception) -> TemplateError:
    place = f"{path.name}, line {line}" if line else path.name
    said = clean(str(error), _ERROR_LIMIT) or type(error).__name__
    return TemplateError(f"{place}: {said}")


# --- the sandbox

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
        plain = format_instant(value) if isinstance(value, datetime) else str(value)
        text = escape_url(plain, form) if clean_url(plain) else escape(plain, form)
    left = budget.get()
    left.characters -= len(text)
    if left.characters < 0:
        raise SecurityError(f"the text is longer than {MOST_CHARACTERS:,} characters")
    return Markup(text)  # noqa: S704 - escaped above, for the form of the text


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
