"""
Decide in which forms a token may be sent, and which headers may carry anything.

What is wrong is never repeated: this is where people paste the token itself.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_HEADER = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}"
_NAME = re.compile(_HEADER, re.ASCII)
_TOKEN_FORM = re.compile(rf"bearer|header:{_HEADER}", re.ASCII)
_ANY_FORM = re.compile(
    rf"bearer|basic|header:{_HEADER}|query:[A-Za-z0-9._~\[\]-]{{1,100}}", re.ASCII
)
_OF_HTTP_ITSELF = {"host", "content-length", "transfer-encoding", "connection"}


def _refuse_http_headers(name: str) -> None:
    if name.lower() in _OF_HTTP_ITSELF:
        raise ValueError("HTTP itself needs this header; write the name of one for the token")


def _check_token_form(value: Any) -> str:
    if not isinstance(value, str) or not _TOKEN_FORM.fullmatch(value):
        raise ValueError('write "bearer", or "header:NAME" with the name of a header')
    _refuse_http_headers(value.partition(":")[2])
    return value


def _check_any_form(value: Any) -> str:
    if not isinstance(value, str) or not _ANY_FORM.fullmatch(value):
        raise ValueError(
            'write "bearer", "basic", "header:NAME" with the name of a header, or "query:NAME"'
            " with that of a parameter"
        )
    kind, _, name = value.partition(":")
    if kind == "header":
        _refuse_http_headers(name)
    return value


def check_header_name(value: Any) -> str:
    """
    Accept the name of a header that anybody may set.

    Raises:
        ValueError: Says why not.
    """
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("no name of a header: letters, digits and - only")
    if value.lower() in _OF_HTTP_ITSELF:
        raise ValueError("HTTP itself needs this header: leave it out")
    return value


TokenForm = Annotated[
    str,
    BeforeValidator(_check_token_form),
    WithJsonSchema({"type": "string", "pattern": "^(bearer|header:.+)$"}),
]
"""How a bare token is sent."""

AuthForm = Annotated[
    str,
    BeforeValidator(_check_any_form),
    WithJsonSchema({"type": "string", "pattern": "^(bearer|basic|header:.+|query:.+)$"}),
]
"""How any credential is sent."""

HeaderName = Annotated[
    str, BeforeValidator(check_header_name), WithJsonSchema({"type": "string", "minLength": 1})
]
