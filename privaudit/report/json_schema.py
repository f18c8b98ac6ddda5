"""The JSON Schema of report.json, made from the annotations and docstrings of the classes that it holds.

``python -m privaudit.report.json_schema`` writes the file that ships with the package again.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from privaudit.evaluation.facts import CODES, Fact
from privaudit.results.audit_result import SCHEMA_VERSION, AuditFailure, AuditResult
from privaudit.storage.files import write_text

FILE = Path(__file__).with_name("report.schema.json")
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
VALUE_TYPES: Mapping[type, str] = {str: "string", int: "integer", float: "number"}
"""JSON types of the values of a fact, none of which is NaN."""


def report_schema() -> dict[str, Any]:
    """Describe report.json.

    Returns:
        JSON Schema 2020-12: either a result or a run that ended with an error; ``$defs`` has one entry per class.
    """
    known: dict[str, Any] = {}
    kinds = [_schema(kind, known) for kind in (AuditResult, AuditFailure)]
    for kind in (AuditResult, AuditFailure):
        known[kind.__name__]["properties"]["schema_version"]["const"] = SCHEMA_VERSION
    return {
        "$schema": DIALECT,
        "$id": f"urn:privaudit:report:{SCHEMA_VERSION}",
        "title": f"privaudit report, schema version {SCHEMA_VERSION}",
        "description": "What privaudit scan writes to report.json. A number that could not be measured is null.",
        "oneOf": kinds,
        "$defs": dict(sorted(known.items())),
    }


def schema_text() -> str:
    """Write `report_schema` as the file has it."""
    return json.dumps(report_schema(), indent=2) + "\n"


def shipped_schema() -> str:
    """Read the file that ships with the package."""
    return FILE.read_text(encoding="utf-8")


def _schema(kind: Any, known: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - any annotation
    """The schema of an annotation, by the rules of `privaudit.storage.exact_json`; classes are added to the known."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in PLAIN:
        return dict(PLAIN[kind])
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        _define(kind, known)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        choices = [_schema(inner, known) for inner in arguments if not (inner is types.NoneType and float in arguments)]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    if origin is tuple and arguments[-1] is Ellipsis:
        return {"type": "array", "items": _schema(arguments[0], known)}
    if origin is tuple:
        parts = [_schema(inner, known) for inner in arguments]
        return {"type": "array", "prefixItems": parts, "items": False, "minItems": len(parts)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], known)}
    raise TypeError(f"expected an annotation that report.json can hold, got {kind}; add it to the rules above")


def _define(kind: type, known: dict[str, Any]) -> None:
    if kind.__name__ in known:
        return
    if kind is Fact:
        known[kind.__name__] = _fact_schema()
        return
    known[kind.__name__] = {}  # a class may hold itself
    hints, (summary, about) = get_type_hints(kind), _documented(kind)
    fields = dataclasses.fields(kind)
    known[kind.__name__] = {
        "description": summary,
        "type": "object",
        "properties": {
            field.name: _schema(hints[field.name], known)
            | ({"description": about[field.name]} if field.name in about else {})
            for field in fields
        },
        "required": [field.name for field in fields if field.default is dataclasses.MISSING],
        "additionalProperties": False,
    }


def _fact_schema() -> dict[str, Any]:
    """A fact is one of the known codes, with the values of that code."""
    return {
        "description": "Something that was observed: a code, and the numbers and names that belong to it.",
        "oneOf": [
            {
                "type": "object",
                "properties": {
                    "code": {"const": code},
                    "values": {
                        "type": "object",
                        "properties": {name: {"type": VALUE_TYPES[kind]} for name, kind in values.items()},
                        "required": list(values),
                        "additionalProperties": False,
                    },
                },
                "required": ["code", "values"],
                "additionalProperties": False,
            }
            for code, values in CODES.items()
        ],
    }


def _documented(kind: type) -> tuple[str, dict[str, str]]:
    """The first paragraph of a class's docstring, and what it says of each attribute."""
    text = inspect.getdoc(kind) or ""
    summary = " ".join(text.split("\n\n")[0].split())
    _, _, section = text.partition("\nAttributes:\n")
    entries = re.findall(r"^    (\w+): (.+(?:\n     +.+)*)", section, flags=re.MULTILINE)
    return _plain(summary), {name: _plain(" ".join(about.split())) for name, about in entries}


def _plain(text: str) -> str:
    return text.replace("``", "`")


if __name__ == "__main__":
    write_text(FILE, schema_text())
