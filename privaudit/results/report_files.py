"""File names of all report formats, so that a run can remove the reports of an earlier one."""

from __future__ import annotations


def report_files() -> tuple[str, ...]:
    """Return the file name of every format. This call imports the report modules."""
    from privaudit.report.formats import FORMATS

    return tuple(form.file for form in FORMATS.values())
