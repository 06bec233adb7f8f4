"""Read what is sent, JSON and forms, and take nothing that was not asked for.

Decides what a body may look like before anybody reads its fields: its type, its size, its depth,
no field twice and none that is unknown. Whoever misspells a field is told so: what was meant by
it must not be replaced by a default. What a field means is left to `monitor.web.schemas` and to
the routes.
"""

from __future__ import annotations

import json
import typing
from collections import Counter
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs

from monitor.config.errors import did_you_mean, one_of, place_of, quoted
from monitor.web.sessions import CSRF_FIELD

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.types import Message, Receive

FORM = "application/x-www-form-urlencoded"
LARGEST_BODY = 64 * 1024
MOST_FIELDS = 40
DEEPEST = 10
"""None of our bodies is nested at all; beyond this nobody looks."""

MOST_NAMED = 20
"""How many mistakes one answer lists."""

LONGEST_SHOWN = 50
LONGEST_NUMBER = 50


class BodyTooLarge(Exception):  # noqa: N818 - it states a condition
    """Raised as soon as too much was sent."""

    def __init__(self, why: str = f"At most {LARGEST_BODY // 1024} KiB may be sent.") -> None:
        super().__init__(why)


async def read_body(request: Request) -> bytes:
    """Return all that is sent.

    Raises:
        BodyTooLarge: It is more than any of our forms.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise BodyTooLarge
    return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return what gives *body* once more, and then what *receive* has to say."""
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


def media_type_of(request: Request) -> str:
    """Return what the body is said to be, in small letters and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _refuse(*wrong: tuple[str, str]) -> NoReturn:
    """Raise for the places within a body that are wrong, each with its reason."""
    named = [
        {"type": "value_error", "loc": ("body", place_of([place])) if place else ("body",)}
        | {"msg": why}
        for place, why in wrong[:MOST_NAMED]
    ]
    raise RequestValidationError(named)


def _refuse_unknown(names: Collection[str], known: Collection[str]) -> None:
    """Raise if one of *names* is none of *known*."""
    unknown = [name for name in names if name not in known][:MOST_NAMED]
    if unknown:
        takes = f"this takes {one_of(known)}" if known else "this takes no fields"
        _refuse(
            *(
                (name, f"unknown{did_you_mean(name.lower(), known) or f'; {takes}'}")
                for name in unknown
            )
        )


# --- JSON


def check_syntax(request: Request, body: bytes) -> None:
    """Refuse a *body* that is not one JSON object; its fields are looked at later.

    Raises:
        HTTPException: It is no JSON at all.
        RequestValidationError: It is the wrong JSON.
    """
    if not body:
        return
    kind = media_type_of(request)
    if _is_word_alone(request, body):
        return
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        said = quoted(kind, LONGEST_SHOWN) if kind else "nothing"
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Type: must be application/json, and says {said}.",
        )
    if not isinstance(_parse_json(body), dict):
        _refuse(("", "must be a JSON object, such as {}"))


def _is_word_alone(request: Request, body: bytes) -> bool:
    """Tell whether *body* is a form with the word that a change must carry, and nothing else."""
    return media_type_of(request) == FORM and parse_fields(body).keys() == {CSRF_FIELD}


async def refuse_unknown_fields(request: Request) -> None:
    """Refuse the fields of a JSON body that its route does not read.

    A body that comes with a question has no meaning (RFC 9110, 9.3.1), whatever it is.

    Raises:
        RequestValidationError: There are such.
    """
    if request.method in {"GET", "HEAD"}:
        return
    body = await request.body()
    if body and not _is_word_alone(request, body):
        _refuse_unknown(_parse_json(body), fields_of(request.scope["endpoint"]))


def _parse_json(body: bytes) -> Any:
    """Return what *body* says; numbers are left as text, which nobody here looks at."""
    try:
        sent = json.loads(
            body.decode(),
            object_pairs_hook=_without_doubles,
            parse_constant=_refuse_constant,
            parse_int=_read_number,
            parse_float=_read_number,
        )
    except UnicodeDecodeError as error:
        _refuse(("", f"not UTF-8 at byte {error.start}"))
    except json.JSONDecodeError as error:
        _refuse(("", f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"))
    except RecursionError:
        _refuse(("", f"nested deeper than {DEEPEST} levels"))
    if _is_deeper(sent, DEEPEST):
        _refuse(("", f"nested deeper than {DEEPEST} levels"))
    return sent


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = [(name, "sent more than once") for name, n in counted.items() if n > 1]
        _refuse(*twice)
    return found


def _read_number(digits: str) -> str:
    if len(digits) > LONGEST_NUMBER:
        _refuse(("", f"a number of more than {LONGEST_NUMBER} digits"))
    return digits


def _refuse_constant(word: str) -> NoReturn:
    _refuse(("", f"not JSON: {word} is no number"))


def _is_deeper(value: Any, levels: int) -> bool:
    """Tell whether *value* is nested deeper; level after level, so that nothing overflows."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [
            inner
            for each in layer
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(layer)


@lru_cache(maxsize=256)
def fields_of(endpoint: Callable[..., Any]) -> tuple[str, ...]:
    """Return the fields that a route reads from its body; none if it reads none."""
    for annotation in typing.get_type_hints(endpoint).values():
        for kind in (annotation, *typing.get_args(annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                return tuple(field.alias or name for name, field in kind.model_fields.items())
    return ()


# --- forms


def parse_fields(body: bytes) -> dict[str, str]:
    """Return the fields of a form; none if that is not what was sent."""
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS))
    except ValueError:
        return {}


def form(*names: str) -> Any:
    """Return what gives a route the fields of its form, which may be those called *names*."""
    known = (*names, CSRF_FIELD)

    async def read(request: Request) -> dict[str, str]:
        body = await request.body()
        if not body:
            return {}
        if media_type_of(request) != FORM:
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type: must be {FORM}.")
        try:
            pairs = parse_qsl(
                body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
            )
        except UnicodeDecodeError:
            _refuse(("", "not UTF-8"))
        except ValueError:
            _refuse(("", f"at most {MOST_FIELDS} fields"))
        _refuse_unknown([name for name, _ in pairs], known)
        return _without_doubles(pairs)

    return Depends(read)
