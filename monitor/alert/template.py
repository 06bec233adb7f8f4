"""
Word a message with the template of a channel.

Decides what a template gets to see, what its first line means, and how its
mistakes are told. What it may do is decided in `sandbox`, which is imported,
with Jinja2, by the first channel that has a template.

A template can use: `kind`, `severity`, `title`, `happened` (lines), `remedy`,
`link` (or an empty text), `connections` (names, worst first, at most 20),
`n_connections`, `facts` (what the kind knows: see `drafts`), `born_at`, `now`
and `is_test`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from monitor.alert.cleaning import clean, clean_facts
from monitor.alert.formats import Form, escape, mark_up
from monitor.alert.message import TITLE_LIMIT
from monitor.alert.texts import framing, of_one

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Template

    from monitor.alert.message import Message

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
    """
    A template cannot word a message; the text says in which line, and why.
    """


def render(path: Path, message: Message, form: Form) -> tuple[str, str]:
    """
    Return title and text of *message* as the template in *path* words them.

    Args:
        form: What the text is written in; the title is plain text.

    Raises:
        TemplateError: It cannot be read, is no template, or stumbles.
    """
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
    marked = title if framing.TEST_MARK in title else f"{framing.TEST_MARK} {title}"
    said = escape(of_one.TEST, form)
    return marked, text if said in text else f"{said}\n{text}"


def _read(path: Path) -> str:
    try:
        if path.is_fifo():  # opening it would last until somebody writes into it
            raise TemplateError(f"{path} cannot be read: it is a pipe")
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
    from jinja2.exceptions import TemplateError as JinjaError
    from jinja2.exceptions import TemplateNotFound, TemplateSyntaxError

    from monitor.alert.sandbox import MOST_CHARACTERS, Budget, budget

    token = budget.set(Budget())
    try:
        template = _compile(str(path), source, form)
        written, length = [], 0
        for piece in template.generate(_context(message, form)):
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
    from jinja2 import Template

    from monitor.alert.sandbox import make_environment

    environment = make_environment(form)
    code = environment.compile(source, filename, filename)
    return Template.from_code(environment, code, environment.make_globals(None))


def _context(message: Message, form: Form) -> dict[str, object]:
    from markupsafe import Markup

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
