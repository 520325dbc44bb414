"""Types in TypeScript, made of the JSON Schemas of the wire."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

_HEAD = """\
// What stands on the wire. Made by `python -m matchkeeper.reference docs`; do not edit.
"""
_WORDS = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
    "object": "Record<string, unknown>",
}
_WIDE = 100


def types(schemas: Iterable[Mapping[str, Any]]) -> str:
    """A module with a type for each definition of the schemas, sorted by name. Definitions of one
    name must be the same.
    """
    definitions: dict[str, Any] = {}
    for schema in schemas:
        for name, definition in schema["$defs"].items():
            if definitions.setdefault(name, definition) != definition:
                raise ValueError(f"Two schemas define {name}, differently")
    return _HEAD + "".join(_definition(*each) for each in sorted(definitions.items()))


def _definition(name: str, schema: Mapping[str, Any]) -> str:
    comment = _comment(schema, "")
    if "properties" not in schema:
        return f"\n{comment}export type {name} ={_spaced(_type(schema))};\n"
    required = schema.get("required", ())
    fields = []
    for field, its in schema["properties"].items():
        mark = "" if field in required else "?"
        fields.append(f"{_comment(its, '  ')}  {field}{mark}:{_spaced(_type(its))};\n")
    return f"\n{comment}export interface {name} {{\n{''.join(fields)}}}\n"


def _comment(schema: Mapping[str, Any], indent: str) -> str:
    text = " ".join(schema.get("description", "").split()).replace("*/", "* /")
    return f"{indent}/** {text} */\n" if text else ""


def _type(schema: Mapping[str, Any]) -> str:
    """Raises KeyError where a schema has a form that the wire did not have so far."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return _union([json.dumps(word) for word in schema["enum"]])
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return _union([_type(each) for each in schema[several]])
    if schema["type"] == "array":
        return f"Array<{_type(schema['items'])}>"
    if schema.get("properties"):
        fields = schema["properties"].items()
        return f"{{ {'; '.join(f'{field}: {_type(its)}' for field, its in fields)} }}"
    values: Any = schema.get("additionalProperties")
    is_map = isinstance(values, dict)
    return f"Record<string, {_type(values)}>" if is_map else _WORDS[schema["type"]]


def _spaced(text: str) -> str:
    return text if text.startswith("\n") else f" {text}"


def _union(parts: Iterable[str]) -> str:
    line = " | ".join(parts)
    return line if len(line) < _WIDE else "\n    | " + line.replace(" | ", "\n    | ")
