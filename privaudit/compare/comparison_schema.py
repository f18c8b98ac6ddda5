"""The JSON Schema of comparison.json.

``python -m privaudit.compare.comparison_schema`` regenerates the file that ships with the package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from privaudit.compare.comparison import COMPARISON_SCHEMA, ComparisonResult
from privaudit.storage.files import write_text
from privaudit.storage.json_schema import document_schema

FILE = Path(__file__).with_name("comparison.schema.json")


def comparison_schema() -> dict[str, Any]:
    """Describe comparison.json."""
    about = "What privaudit compare writes to comparison.json. A number that could not be measured is null."
    return document_schema((ComparisonResult,), "comparison", COMPARISON_SCHEMA, about)


def comparison_schema_text() -> str:
    """Return `comparison_schema` as the text of the file."""
    return json.dumps(comparison_schema(), indent=1) + "\n"


def shipped_comparison_schema() -> str:
    """Return the text of the file that ships with the package."""
    return FILE.read_text(encoding="utf-8")


if __name__ == "__main__":
    write_text(FILE, comparison_schema_text())
