"""The JSON Schema of report.json.

``python -m privaudit.results.report_schema`` regenerates the file that ships with the package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from privaudit.results.audit_result import SCHEMA_VERSION, AuditFailure, AuditResult
from privaudit.storage.files import write_text
from privaudit.storage.json_schema import document_schema

FILE = Path(__file__).with_name("report.schema.json")


def report_schema() -> dict[str, Any]:
    """Describe report.json: the result of an audit, or the failure of one that ended with an error."""
    about = "What privaudit scan writes to report.json. A number that could not be measured is null."
    return document_schema((AuditResult, AuditFailure), "report", SCHEMA_VERSION, about)


def schema_text() -> str:
    """Return `report_schema` as the text of the file."""
    return json.dumps(report_schema(), indent=1) + "\n"


def shipped_schema() -> str:
    """Return the text of the file that ships with the package."""
    return FILE.read_text(encoding="utf-8")


if __name__ == "__main__":
    write_text(FILE, schema_text())
