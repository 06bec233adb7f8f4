"""Describe the API on a page of our own, made from its OpenAPI document.

The usual viewers need scripts and styles within the page, which our policy
forbids, and a megabyte to say what fits on one screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import Response  # noqa: TC002 - likewise

from monitor.web.templating import render

if TYPE_CHECKING:
    from collections.abc import Iterator

router = APIRouter(include_in_schema=False)

_REFERENCE = "#/components/schemas/"


@router.get("/api/docs")
async def docs(request: Request) -> Response:
    """Show every path of the API with what it takes and answers."""
    schema = request.app.openapi()
    return render(
        request,
        "docs.html",
        {"operations": list(list_operations(schema)), "models": list(list_models(schema))},
    )


def list_operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what can be asked for, in the order of the routes."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            text = operation.get("description", "").split("\n\n")
            yield {
                "method": method.upper(),
                "path": path,
                "id": operation["operationId"],
                "text": [" ".join(part.split()) for part in text],
                "parameters": [
                    {
                        "name": one["name"],
                        "place": one["in"],
                        "kind": _name_type(one["schema"]),
                        "text": one.get("description", ""),
                        "is_required": one["required"],
                    }
                    for one in operation.get("parameters", ())
                ],
                "body": _find_model(operation.get("requestBody", {})),
                "answers": [
                    {"status": status, "text": one["description"], "model": _find_model(one)}
                    for status, one in operation["responses"].items()
                ],
            }


def list_models(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects that are sent and answered."""
    for name, model in schema["components"]["schemas"].items():
        yield {
            "name": name,
            "text": " ".join(model.get("description", "").split()),
            "members": [
                {
                    "name": member,
                    "kind": _name_type(one),
                    "text": one.get("description", ""),
                    "model": _find_reference(one),
                }
                for member, one in model.get("properties", {}).items()
            ],
        }


def _find_model(part: dict[str, Any]) -> str | None:
    for content in part.get("content", {}).values():
        found = _find_reference(content.get("schema", {}))
        if found is not None:
            return found
    return None


def _find_reference(schema: dict[str, Any]) -> str | None:
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REFERENCE)
    inner = [*schema.get("anyOf", ()), schema.get("items", {})]
    return next((found for one in inner if one and (found := _find_reference(one))), None)


def _name_type(schema: dict[str, Any]) -> str:
    """Return a type as people say it."""
    if "anyOf" in schema:
        return " or ".join(_name_type(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REFERENCE)
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_name_type(schema['items'])}"
    return str(schema.get("format") or schema.get("type", "any"))
