"""report.html: one page for people, as `privaudit.report.html` makes it."""

from __future__ import annotations

from collections.abc import Sequence

from privaudit.report.formats.report_format import FORMATS, Format, Report
from privaudit.results.audit_result import AuditFailure
from privaudit.results.exemplars import Exemplar


def page(report: Report, exemplars: Sequence[Exemplar] = ()) -> str:
    """Render the page of a report."""
    from privaudit.report.html import render_html, render_html_failure

    return render_html_failure(report) if isinstance(report, AuditFailure) else render_html(report, exemplars)


FORMATS.register(
    Format("html", "report.html", "one page for people, with pictures", page, page, exemplars=True, place=1)
)
