"""report.json: the exact form of a result, from which every other report can be made again."""

from __future__ import annotations

from privaudit.report.formats.report_format import FORMATS, Format
from privaudit.results.audit_result import AuditFailure, AuditResult


def render_json(result: AuditResult) -> str:
    """Return the canonical JSON text of a result."""
    return result.to_json()


def render_json_failure(failure: AuditFailure) -> str:
    """Return the canonical JSON text of a run that ended with an error."""
    return failure.to_json()


FORMATS.register(
    Format(
        "json", "report.json", "everything, for programs", render_json, render_json_failure, aggregates=False, place=0
    )
)
