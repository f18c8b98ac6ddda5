"""JSON Schema of dataclasses as `privaudit.storage.exact_json` writes them, from their annotations and docstrings."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": ["number", "null"]},
    types.NoneType: {"type": "null"},
    Any: {},
}
"""JSON types of plain annotations; a float that is NaN is null."""


def document_schema(kinds: Sequence[type], name: str, version: int, description: str) -> dict[str, Any]:
    """Describe a document.

    A class with a static method ``json_schema`` describes itself. Every other class is described by its annotations and
    its docstring.

    Args:
        kinds: Dataclasses that the whole document may be, each with a field ``schema_version``.
        name: Name of the document, such as ``report``.
        version: Required value of ``schema_version``.
        description: Description of the document.

    Returns:
        JSON Schema 2020-12; ``$defs`` has one entry per class.
    """
    definitions: dict[str, Any] = {}
    choices = [_schema(kind, definitions) for kind in kinds]
    for kind in kinds:
        definitions[kind.__name__]["properties"]["schema_version"]["const"] = version
    return {
        "$schema": DIALECT,
        "$id": f"urn:privaudit:{name}:{version}",
        "title": f"privaudit {name}, schema version {version}",
        "description": description,
        **({"oneOf": choices} if len(choices) > 1 else choices[0]),
        "$defs": dict(sorted(definitions.items())),
    }


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - any annotation
    """Schema of an annotation by the rules of `privaudit.storage.exact_json`; adds its classes to the definitions."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in PLAIN:
        return dict(PLAIN[kind])
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        _define(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        # A float may be null already, since NaN is; "float or None" needs no second null.
        kinds = [inner for inner in arguments if not (inner is types.NoneType and float in arguments)]
        choices = [_schema(inner, definitions) for inner in kinds]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    if origin is tuple and arguments[-1] is Ellipsis:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is tuple:
        parts = [_schema(inner, definitions) for inner in arguments]
        return {"type": "array", "prefixItems": parts, "items": False, "minItems": len(parts)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    raise TypeError(f"expected an annotation that report.json can hold, got {kind}; add it to the rules above")


def _define(kind: type, definitions: dict[str, Any]) -> None:
    if kind.__name__ in definitions:
        return
    if special := getattr(kind, "json_schema", None):
        definitions[kind.__name__] = special()
        return
    definitions[kind.__name__] = {}  # entered before its fields are read, because a class may contain itself
    hints, (summary, about) = get_type_hints(kind), _documented(kind)
    fields = dataclasses.fields(kind)
    definitions[kind.__name__] = {
        "description": summary,
        "type": "object",
        "properties": {
            field.name: _schema(hints[field.name], definitions)
            | ({"description": about[field.name]} if field.name in about else {})
            for field in fields
        },
        "required": [field.name for field in fields if field.default is dataclasses.MISSING],
        "additionalProperties": False,
    }


def _documented(kind: type) -> tuple[str, dict[str, str]]:
    """The first paragraph of a class's docstring, and its description of each attribute."""
    text = inspect.getdoc(kind) or ""
    summary = " ".join(text.split("\n\n")[0].split())
    _, _, section = text.partition("\nAttributes:\n")
    # A line "name: text" and the more deeply indented lines that continue it.
    entries = re.findall(r"^    (\w+): (.+(?:\n     +.+)*)", section, flags=re.MULTILINE)
    return _plain(summary), {name: _plain(" ".join(about.split())) for name, about in entries}


def _plain(text: str) -> str:
    return text.replace("``", "`")
