"""
Turn pydantic's errors into places and sentences for the file's owner.

The only module that knows pydantic's error codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from monitor.config.base import Settings
from monitor.config.connection import Connection
from monitor.config.errors import MisplacedError
from monitor.config.model import Config
from monitor.config.providers import PROVIDERS
from monitor.config.wording import did_you_mean, got, one_of, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
Located = tuple[Path, str]
"""A message and the path, from the top of the file, that it is about."""

UNEXPLAINED = "this value is not accepted here"
"""Said where pydantic complains of something that has no sentence below; tests hunt for it."""

_NO_PROVIDER = {"union_tag_invalid", "union_tag_not_found"}
_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "frozen_set_type": "a list in [ ]",
    "int_type": "a whole number",
    "model_attributes_type": "a table",
    "model_type": "a table",
    "string_type": "a text in quotes",
    "tuple_type": "a list in [ ]",
}


def translate(error: ValidationError) -> Iterator[Located]:
    """
    Yield what *error* complains of, in our words.
    """
    for details in error.errors(include_url=False):
        if details["type"] in _NO_PROVIDER:
            yield from _explain_provider(details)
        elif details["type"] == "too_short" and details["input"]:
            # Pydantic counts what it accepted; the others have errors of their own.
            continue
        else:
            path, provider = _drop_provider(details["loc"])
            below, message = _explain(details, path, provider)
            yield (*path, *below), message


def _drop_provider(loc: Path) -> tuple[Path, str | None]:
    """
    Take the name of the chosen class out of a path; it is not in the file.
    """
    if loc[0] == "connections" and len(loc) > 2:  # noqa: PLR2004 - section, index, class
        return loc[:2] + loc[3:], str(loc[2])
    return loc, None


def _explain(  # noqa: PLR0911 - a table of cases
    details: ErrorDetails, path: Path, provider: str | None
) -> tuple[Path, str]:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    match kind:
        case "value_error":
            error = context["error"]
            below = error.below if isinstance(error, MisplacedError) else ()
            return below, str(error)
        case "missing":
            needed_by = f": a connection to {provider} needs it" if provider else ""
            return (), f"required and missing{needed_by}"
        case "extra_forbidden":
            known = _keys_at(path[:-1], provider)
            return (), f"unknown key{did_you_mean(str(path[-1]), known)}"
        case "greater_than_equal":
            return (), f"at least {context['ge']}, {_number(value)}"
        case "less_than_equal":
            return (), f"at most {context['le']}, {_number(value)}"
        case "too_short":
            return (), "an empty list: name at least one, or leave the key out for all"
        case _:
            return (), _explain_type(kind, value, path)


def _explain_type(kind: str, value: Any, path: Path) -> str:
    expected = _EXPECTED.get(kind, UNEXPLAINED)
    if len(path) == 1 and isinstance(value, dict):
        expected = f"write [[{path[0]}]] with two brackets"
    elif len(path) == 1 and isinstance(value, list):
        expected = f"write [{path[0]}] with one bracket"
    return f"{expected}, {got(value)}"


def _number(value: Any) -> str:
    return got(value).replace("the number ", "")


def _explain_provider(details: ErrorDetails) -> Iterator[Located]:
    """
    Explain a connection that no class could be chosen for.

    Pydantic has looked at nothing else in it, so its keys are looked at here.
    """
    path, entry = details["loc"], details["input"]
    known = tuple(PROVIDERS)
    provider = entry.get("provider") if isinstance(entry, dict) else None
    if provider is None:
        message = f"required and missing; known: {one_of(known)}"
    elif isinstance(provider, str):
        hint = did_you_mean(provider, known)
        message = f"unknown provider {quoted(provider)}; known: {one_of(known)}{hint}"
    else:
        message = f"a text in quotes, {got(provider)}; known: {one_of(known)}"
    yield (*path, "provider"), message
    if provider is None:
        keys = dict.fromkeys(key for model in PROVIDERS.values() for key in _keys_of(model))
        for key in entry:
            if key not in keys:
                yield (*path, key), f"unknown key{did_you_mean(key, keys)}"


def _keys_at(path: Path, provider: str | None) -> tuple[str, ...]:
    """
    Return the keys that the table at *path* may have.
    """
    model: type[Settings] = Config
    for step in path:
        if isinstance(step, str):
            field = next(
                field for name, field in model.model_fields.items() if step in {name, field.alias}
            )
            model = _model_in(field.annotation) or model
            if model is Connection and provider is not None:
                model = PROVIDERS[provider]
    return _keys_of(model)


def _keys_of(model: type[Settings]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _model_in(annotation: Any) -> type[Settings] | None:
    """
    Return the table inside an annotation such as `tuple[Channel, ...]`.
    """
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    return next(
        (model for inner in get_args(annotation) if (model := _model_in(inner)) is not None), None
    )
