"""
Run templates that people wrote, so that none can harm or hang the program.

Decides what a template may do: print values, which are escaped for the form it
is written in, loop and branch over them, and little else. No attribute that can
be called, no file, no import. Rounds of loops, calls and characters are counted,
so that every template ends, and soon, without a look at the time. What a
template gets to see is decided in `template`.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jinja2 import DictLoader, StrictUndefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from monitor.alert.cleaning import clean_url, shorten
from monitor.alert.formats import Form, escape, escape_url
from monitor.alert.words import say_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    """
    What one text may still spend.
    """

    steps: int = MOST_STEPS
    characters: int = MOST_CHARACTERS


budget: ContextVar[Budget] = ContextVar("budget")


def make_environment(form: Form) -> ImmutableSandboxedEnvironment:
    """
    Return an environment whose texts are in *form*.
    """
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
        """
        Offer no formatting, which would make long texts of short ones.
        """

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
    """
    Have every loop counted, and every chain of texts measured.
    """

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
        plain = say_instant(value) if isinstance(value, datetime) else str(value)
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
