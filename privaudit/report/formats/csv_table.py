"""metrics.csv: the numbers in one table, for a spreadsheet."""

from __future__ import annotations

from privaudit.escape import csv_text
from privaudit.report.formats.report_format import FORMATS, Format, Report


def render_csv(report: Report) -> str:
    """Write the table of a report as CSV.

    Returns:
        Comma-separated, with a header; what was not measured is empty, and no text is a formula.
    """
    from privaudit.report.metrics_table import report_frame

    return csv_text(report_frame(report))


FORMATS.register(Format("csv", "metrics.csv", "the numbers, for a spreadsheet", render_csv, render_csv, place=6))
