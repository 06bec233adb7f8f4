"""
Look for homely words in every text that people read; what is left is listed, and may only shrink.

`words.toml` has a line for each file with its counts. A count may never grow. Where one has become
smaller, `python tests/test_words.py` lowers it in the list; it raises none and adds none.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
LISTED = ROOT / "tests" / "words.toml"

INSTEAD = {
    "told": "notified, alerted, reported",
    "nobody": "no one, or say who",
    "whoever": "the app developer, the store owner, the account owner",
    "mend": "fix",
    "meanwhile": "since then, or nothing",
    "by itself": "automatically",
    "is asked": "is checked, is called",
    "trouble": "problem, incident",
    "taken on": "acknowledged",
    "given up": "failed, undeliverable",
    "hears of it": "is notified",
}
FORMS = {"mend": r"mend(?:s|ed|ing)?", "trouble": r"troubles?"}
PHRASES = {
    phrase: re.compile(rf"(?<![\w-]){FORMS.get(phrase, phrase)}(?![\w-])", re.IGNORECASE)
    for phrase in INSTEAD
}

CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
TAG = re.compile(r"<!--.*?-->|<[^>]+>", re.DOTALL)
SHOWN = re.compile(r"\b(?:aria-label|title|placeholder|alt|content)=\"([^\"]*)\"")
JINJA = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
LITERAL = re.compile(r"\"([^\"]*)\"|'([^']*)'")


def read_page(source: str) -> str:
    """
    Return what a template shows: text, a few attributes, and the texts in its expressions.
    """

    def literals(match: re.Match[str]) -> str:
        code = match.group()
        if code.startswith("{#"):
            return " "
        # A test on a word of the code shows nothing.
        shown = re.sub(r"(?:==|!=|\bin)\s*(?:\([^)]*\)|\"[^\"]*\"|'[^']*')", " ", code)
        return " ".join(one or other for one, other in LITERAL.findall(shown) if " " in one + other)

    text = JINJA.sub(literals, source)
    return " ".join([*SHOWN.findall(text), TAG.sub(" ", text)])


def read_code(source: str) -> str:
    """
    Return the texts of a module, and the help of its commands; docstrings are for developers.
    """
    tree = ast.parse(source)
    found: list[str] = []
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = set()
    for node in ast.walk(tree):
        if isinstance(node, documented):
            first = node.body[0] if node.body else None
            docs |= {id(first.value)} if isinstance(first, ast.Expr) else set()
            if isinstance(node, ast.FunctionDef) and _is_command(node):
                found.append(ast.get_docstring(node) or "")
        elif isinstance(node, ast.Expr):
            docs.add(id(node.value))  # the text below a constant
    found += [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and " " in node.value
        and id(node) not in docs
    ]
    return CODE.sub(" ", "\n".join(found))


def _is_command(node: ast.FunctionDef) -> bool:
    return any(
        re.search(r"\.(command|callback)\b", ast.unparse(one)) for one in node.decorator_list
    )


def read_comments(source: str) -> str:
    return "\n".join(
        re.findall(r"#(.*)", "\n".join(re.sub(r'"[^"]*"', '""', x) for x in source.splitlines()))
    )


def read_text(path: Path) -> str:
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return read_code(source)
    if path.suffix == ".html":
        return read_page(source)
    if path.suffix == ".toml":
        return CODE.sub(" ", read_comments(source))
    return TAG.sub(" ", CODE.sub(" ", source))


def list_files() -> Iterator[Path]:
    """
    Yield the files whose texts people read; the changelog tells history in the words of its day.
    """
    git = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others"]
    names = subprocess.run(
        [*git, "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in sorted(filter(None, names.split("\0"))):
        is_read = (
            name in {"README.md", "SECURITY.md", "config.example.toml"}
            or (name.startswith("docs/") and name.endswith(".md"))
            or (name.startswith("monitor/") and name.endswith((".py", ".html")))
        )
        if is_read and (ROOT / name).is_file():
            yield ROOT / name


def count(text: str) -> dict[str, int]:
    # A line that is folded is one text.
    plain = " ".join(text.split())
    found = {phrase: len(pattern.findall(plain)) for phrase, pattern in PHRASES.items()}
    return {phrase: n for phrase, n in found.items() if n}


@cache
def count_all() -> dict[str, dict[str, int]]:
    counted = {path.relative_to(ROOT).as_posix(): count(read_text(path)) for path in list_files()}
    return {name: found for name, found in counted.items() if found}


def read_listed() -> dict[str, dict[str, int]]:
    return tomllib.loads(LISTED.read_text(encoding="utf-8"))


def test_no_text_uses_more_homely_words_than_are_listed():
    listed, found = read_listed(), count_all()
    more = [
        f"{name}: “{phrase}” {n} times, {listed.get(name, {}).get(phrase, 0)} listed."
        f" Write: {INSTEAD[phrase]}"
        for name, counts in found.items()
        for phrase, n in counts.items()
        if n > listed.get(name, {}).get(phrase, 0)
    ]
    assert not more, "\n".join(["", *more])


def test_the_list_shrinks_with_the_texts():
    listed, found = read_listed(), count_all()
    fewer = [
        f"{name}: “{phrase}” {found.get(name, {}).get(phrase, 0)} times, {n} listed"
        for name, counts in listed.items()
        for phrase, n in counts.items()
        if n > found.get(name, {}).get(phrase, 0)
    ]
    hint = "lower these counts in tests/words.toml: `python tests/test_words.py` does it"
    assert not fewer, "\n".join([hint, *fewer])


def test_the_list_names_only_phrases_that_are_looked_for():
    assert {phrase for counts in read_listed().values() for phrase in counts} <= set(INSTEAD)


READ: dict[str, tuple[str, str, dict[str, int]]] = {
    "a page": ("x.html", '<p class="trouble">Nobody was told</p>', {"told": 1, "nobody": 1}),
    "a label": ("x.html", '<a aria-label="Mend it">x</a>', {"mend": 1}),
    "a name in an expression": ("x.html", "{{ row.trouble[0] }}{% if taken_on %}x{% endif %}", {}),
    "a text in an expression": ("x.html", '{{ "nobody is told" if x }}', {"told": 1, "nobody": 1}),
    "a word that is compared": ("x.html", '{% if done == "nobody told" %}x{% endif %}', {}),
    "a message": ("x.py", 'raise E("whoever keeps it")', {"whoever": 1}),
    "a docstring": ("x.py", '"""Tell nobody of it."""\n\nX = 1\n"""Nobody is told."""', {}),
    "help": ("x.py", '@app.command()\ndef f():\n    """Mend it by itself."""', {"mend": 1}),
    "code in a message": ("x.py", 'X = "see `nobody told` there"', {}),
    "a folded line": ("x.md", "it is given\nup by\nitself", {"given up": 1, "by itself": 1}),
    "code in a document": ("x.md", "`told`\n```\nnobody\n```\n", {}),
    "a part of a word": ("x.md", "amend, foretold, troubleshoot", {}),
    "a comment": ("x.toml", 'a = "told"  # nobody # told', {"told": 1, "nobody": 1}),
}


@pytest.mark.parametrize(("name", "text", "expected"), READ.values(), ids=READ)
def test_what_people_read_is_found_and_what_they_do_not_is_let_pass(name, text, expected, tmp_path):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    found = count(read_text(path))
    assert expected.items() <= found.items()
    assert Counter(expected) == Counter(found) or name == "x.py"


def write_listed(counted: dict[str, dict[str, int]]) -> None:
    lines = [
        "# How often a text that people read uses a word that it should not: see test_words.py.",
        "# Counts may only shrink; `python tests/test_words.py` lowers them.",
        *(
            f'"{name}" = {{ '
            + ", ".join(f'"{phrase}" = {n}' for phrase, n in sorted(counts.items()))
            + " }"
            for name, counts in sorted(counted.items())
        ),
    ]
    LISTED.write_text("\n".join(lines) + "\n", encoding="utf-8")


def lower_listed() -> None:
    """
    Lower what has become less; what has become more is for people to rewrite.
    """
    found = count_all()
    lowered = {
        name: {
            phrase: min(n, found.get(name, {}).get(phrase, 0))
            for phrase, n in counts.items()
            if found.get(name, {}).get(phrase, 0)
        }
        for name, counts in read_listed().items()
    }
    write_listed({name: counts for name, counts in lowered.items() if counts})


if __name__ == "__main__":
    lower_listed()
