"""Formats that other modules render: report.json, the table of metrics, and the HTML page."""

from __future__ import annotations

import io
from collections.abc import Sequence

from privaudit.escape import csv_text
from privaudit.report.formats.report_format import FORMATS, Format, Report
from privaudit.results.audit_result import AuditFailure
from privaudit.results.exemplars import Exemplar


def render_json(report: Report) -> str:
    """Render a report as canonical JSON."""
    return report.to_json()


FORMATS.register(
    Format("json", "report.json", "everything, for programs", render_json, render_json, aggregates=False, place=0)
)


def render_csv(report: Report) -> str:
    """Render the table of a report as CSV with a header; missing numbers are empty, and texts never act as formulas."""
    from privaudit.report.frames import report_frame

    return csv_text(report_frame(report))


FORMATS.register(Format("csv", "metrics.csv", "the numbers, for a spreadsheet", render_csv, render_csv, place=6))


def render_parquet(report: Report) -> bytes:
    """Render the table of a report as Parquet."""
    from privaudit.report.frames import report_frame

    stream = io.BytesIO()
    report_frame(report).to_parquet(stream, index=False)
    return stream.getvalue()


FORMATS.register(
    Format("parquet", "metrics.parquet", "the numbers, for pandas", render_parquet, render_parquet, place=7)
)


def page(report: Report, exemplars: Sequence[Exemplar] = ()) -> str:
    """Render the page of a report."""
    from privaudit.report.html import render_html, render_html_failure

    return render_html_failure(report) if isinstance(report, AuditFailure) else render_html(report, exemplars)


FORMATS.register(Format("html", "report.html", "one page for people, with plots", page, page, exemplars=True, place=1))
