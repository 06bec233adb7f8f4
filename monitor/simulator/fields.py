"""
Read what a control request asks for, from JSON or from a form.

Decides which bodies are understood and refuses the rest with a sentence. What
is done with the fields is left to `control`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from monitor.simulator.errors import SimulatorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

FORM = "application/x-www-form-urlencoded"
MAX_DIGITS = 9
MAX_FIELDS = 20


class Fields:
    """
    The fields of one request; each is taken once, and none may be left over.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = dict(values)

    def text(self, name: str) -> str:
        """
        Take a text that must be there.
        """
        value = self.optional_text(name)
        if value is None:
            raise SimulatorError(f"{name}: missing")
        return value

    def optional_text(self, name: str) -> str | None:
        """
        Take a text that may be absent.
        """
        value = self.value(name)
        if value is not None and not isinstance(value, str):
            raise SimulatorError(f"{name}: must be a text")
        return value

    def count(self, name: str, default: int) -> int:
        """
        Take a whole number from 1; a form sends its digits.
        """
        value = self.value(name)
        if value is None:
            return default
        digits = str(value)
        is_number = isinstance(value, int | str) and not isinstance(value, bool)
        if not is_number or not digits.isascii() or not digits.isdecimal():
            raise SimulatorError(f"{name}: must be a whole number from 1")
        if len(digits) > MAX_DIGITS or int(digits) == 0:
            raise SimulatorError(f"{name}: must be a whole number, 1 to {'9' * MAX_DIGITS}")
        return int(digits)

    def flag(self, name: str) -> bool:
        """
        Take `true`, which a form sends as a word; absent is false.
        """
        return bool(self.optional_flag(name))

    def optional_flag(self, name: str) -> bool | None:
        """
        Take `true` or `false`, which may be absent.
        """
        value = self.value(name)
        if value is None or isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return value == "true"
        raise SimulatorError(f"{name}: must be true or false")

    def value(self, name: str) -> object:
        """
        Take a field as it came; None stands for absent.
        """
        return self._values.pop(name, None)

    def refuse_rest(self) -> None:
        """
        Refuse whatever has not been taken.
        """
        if self._values:
            unknown = ", ".join(repr(name[:40]) for name in self._values)
            raise SimulatorError(f"unknown field: {unknown}")


def is_form(request: web.Request) -> bool:
    """
    Tell whether a person sent a form, rather than a program JSON.
    """
    return request.content_type == FORM


def refuse_other_sites(request: web.Request) -> None:
    """
    Refuse what a page of another site makes a visitor's browser send.
    """
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        raise SimulatorError("Origin: another site's page may not control the simulator")


async def read_fields(request: web.Request) -> Fields:
    """
    Read the fields of a control request; a DELETE may have them in its query.

    No body counts as no fields.
    """
    raw = await request.read()
    if is_form(request):
        return Fields(read_form(raw))
    values = dict(request.query) if request.method == "DELETE" else {}
    return Fields({**values, **_read_json(raw, request.content_type)} if raw else values)


def read_form(raw: bytes) -> dict[str, str]:
    """
    Read a form. It sends its empty inputs too: `parse_qsl` drops them.
    """
    try:
        return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise SimulatorError("the form has too many fields") from error


def _read_json(raw: bytes, content_type: str) -> dict[str, object]:
    if content_type != "application/json":
        raise SimulatorError("Content-Type: application/json or a form")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise SimulatorError("the body is not JSON") from error
    if not isinstance(body, dict):
        raise SimulatorError("the body must be a JSON object")
    return body
