"""Names of the files that a report can become, so that a run can remove those of an earlier one."""

from __future__ import annotations


def report_files() -> tuple[str, ...]:
    """Name the file of every format; what renders them is loaded by this call."""
    from privaudit.report.formats import FORMATS

    return tuple(form.file for form in FORMATS.values())
