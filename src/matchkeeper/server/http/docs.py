"""`/api/v1/docs`: the OpenAPI document as a page to read, without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from litestar import Request, Response, Router, get

from matchkeeper.server.http.pages import HEADERS
from matchkeeper.server.http.runbooks import rendered

Document = Mapping[str, Any]
_NAV = '<a href="../../">Live page</a> <a href="openapi.json">OpenAPI document</a>'


def docs_router() -> Router:
    """The route of the page, which is made when it is asked for."""

    @get("/api/v1/docs", include_in_schema=False, sync_to_thread=False)
    def docs(request: Request[Any, Any, Any]) -> Response[str]:
        page = rendered(as_markdown(request.app.openapi_schema.to_schema()), nav=_NAV)
        return Response(page, media_type="text/html", headers=HEADERS)

    return Router("/", route_handlers=[docs])


def as_markdown(document: Document) -> str:
    """An OpenAPI document as Markdown: each call, what it takes and answers; then the shapes."""
    info = document["info"]
    calls = [
        (operation["tags"][0], f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    meanings = {
        code: answer["description"]
        for _, _, operation in calls
        for code, answer in operation["responses"].items()
    }
    parts = [
        f"# {info['title']} {info['version']}: the API",
        info["description"],
        _table(("status", "when"), sorted(meanings.items())),
    ]
    for tag, group in groupby(sorted(calls, key=lambda call: call[0]), key=lambda call: call[0]):
        parts.append(f"## {tag.capitalize()}")
        for _, name, operation in group:
            parts += _call(name, operation)
    parts.append("## Shapes")
    for name, schema in document["components"]["schemas"].items():
        parts += [f"### {name}", *_shape(schema)]
    return "\n\n".join(parts) + "\n"


def _call(name: str, operation: Document) -> Iterator[str]:
    token = " Needs the token." if operation.get("security") else ""
    yield f"### `{name}`"
    yield f"{operation['summary'].rstrip('.')}.{token}"
    rows = [
        (f"`{each['name']}`", each["in"], _type(each["schema"]), _limits(each))
        for each in operation.get("parameters", ())
    ]
    if body := operation.get("requestBody"):
        rows.append(("", "body", _content(body), ""))
    if rows:
        yield _table(("takes", "in", "type", "limits"), rows)
    answers = groupby(sorted(operation["responses"].items()), lambda each: _content(each[1]))
    yield "Answers: " + "; ".join(
        f"{', '.join(code for code, _ in group)} with {shape}" for shape, group in answers
    )


def _shape(schema: Document) -> Iterator[str]:
    if description := schema.get("description"):
        yield description
    required = schema.get("required", ())
    rows = [
        (f"`{name}`", _type(field), "" if name in required else "may be left out")
        for name, field in schema["properties"].items()
    ]
    yield _table(("field", "type", ""), rows)


def _content(answer: Document) -> str:
    kinds = answer.get("content", {})
    return ", ".join(_type(each["schema"]) or kind for kind, each in kinds.items())


def _type(schema: Document) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if choices := schema.get("oneOf") or schema.get("anyOf"):
        return " or ".join(map(_type, choices))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    more = schema.get("additionalProperties")
    return f"object of {_type(more)}" if isinstance(more, dict) and more else str(kind)


def _limits(parameter: Document) -> str:
    schema = parameter["schema"]
    names = {"minimum": "at least", "maximum": "at most", "maxLength": "characters, at most"}
    limits = [f"{words} {schema[name]:.0f}" for name, words in names.items() if name in schema]
    if "default" in schema:
        limits.append(f"default {schema['default']}")
    if not parameter.get("required"):
        limits.append("may be left out")
    return ", ".join(limits)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line).replace(chr(10), ' ')} |" for line in lines)
