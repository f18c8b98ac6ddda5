"""metrics.parquet: the numbers in one table, for pandas."""

from __future__ import annotations

import io

from privaudit.report.formats.report_format import FORMATS, Format, Report


def render_parquet(report: Report) -> bytes:
    """Write the table of a report as Parquet."""
    from privaudit.report.metrics_table import report_frame

    stream = io.BytesIO()
    report_frame(report).to_parquet(stream, index=False)
    return stream.getvalue()


FORMATS.register(
    Format("parquet", "metrics.parquet", "the numbers, for pandas", render_parquet, render_parquet, place=7)
)
