"""Writes the reference of report.json from its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from privaudit.results.report_schema import shipped_schema

FIRST = ("AuditResult", "AuditFailure")


def keys() -> str:
    """Return a section for each kind of object, as Markdown."""
    definitions = json.loads(shipped_schema())["$defs"]
    order = [*FIRST, *(name for name in definitions if name not in FIRST)]
    return "\n".join(_section(name, definitions[name]) for name in order)


def _section(name: str, schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties", {})
    if name == "Fact":
        return _facts(schema)
    rows = [f"| `{key}` | {_kind(each)} | {_cell(each.get('description', ''))} |" for key, each in properties.items()]
    table = "| key | type | what it is |\n|---|---|---|\n" + "\n".join(rows) if rows else ""
    return f"## {name}\n\n{_cell(schema.get('description', ''))}\n\n{table}\n"


def _facts(schema: Mapping[str, Any]) -> str:
    """The codes of facts, each with its values."""
    rows = []
    for each in schema["oneOf"]:
        parts = each["properties"]
        values = ", ".join(f"`{value}` ({kind['type']})" for value, kind in parts["values"]["properties"].items())
        rows.append(f"| `{parts['code']['const']}` | {values} |")
    return f"## Fact\n\n{_cell(schema['description'])}\n\n| code | values |\n|---|---|\n" + "\n".join(rows) + "\n"


def _kind(schema: Mapping[str, Any]) -> str:
    """A type in words, with a link where it has a section of its own."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{json.dumps(value)}`" for value in values)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_kind(each) for each in schema[several])
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        if inner := schema.get("prefixItems"):
            return "[" + ", ".join(_kind(each) for each in inner) + "]"
        return f"list of {_kind(schema['items'])}" if "items" in schema else "list"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(kind)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
