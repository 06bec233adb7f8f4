"""
Name the answers that routes have in common, for the description of the API.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from monitor.web.models import Problem
from monitor.web.problems import PROBLEM

_SCHEMA = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}

_WHY = {
    HTTPStatus.BAD_REQUEST: "What was sent cannot be read.",
    HTTPStatus.UNAUTHORIZED: "Nobody logged in, and no valid API token was sent.",
    HTTPStatus.FORBIDDEN: "The API token may only read, or the CSRF token is missing.",
    HTTPStatus.NOT_FOUND: "There is no such thing.",
    HTTPStatus.CONFLICT: "Not possible as things stand.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too much was sent.",
    HTTPStatus.MISDIRECTED_REQUEST: "The dashboard does not answer to this name.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A parameter is wrong.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database cannot be used, or too many listen.",
}

_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_CHANGES = (HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing changed since the answer named in If-None-Match."}
}


def problems(*also: HTTPStatus, is_change: bool = False) -> dict[int | str, dict[str, Any]]:
    """
    Return the errors that a route can answer with.
    """
    statuses = {*_ALWAYS, *also, *(_CHANGES if is_change else ())}
    return {
        int(status): {
            "description": _WHY[status],
            "content": _SCHEMA,
        }
        for status in sorted(statuses)
    }


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """
    Add to the description of the API what no route can say.
    """
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema(
        ref_template="#/components/schemas/{model}"
    )
    nested = components["schemas"]["Problem"].pop("$defs", {})
    components["schemas"].update(nested)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "connwatch web token add NAME"}
    }
    schema["security"] = [{"token": []}, {}]
    return schema
