"""Reports of an audit that ended with an error, so that a CI job finds a report in any case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

import privaudit
from privaudit.cli.output import reasons_of
from privaudit.errors import ConfigError, PrivauditError
from privaudit.escape import escape_control

if TYPE_CHECKING:
    from privaudit.report.formats import Format
    from privaudit.results.audit_result import AuditFailure


def failure_of(error: BaseException, target: str, config: Mapping[str, Any]) -> AuditFailure:
    """Make the report of an error.

    Args:
        error: The error.
        target: Model as it was requested.
        config: Options by their name in reports, as far as they could be read.

    Returns:
        The report.
    """
    from privaudit.results.audit_result import SCHEMA_VERSION, AuditFailure, FailedVerdict
    from privaudit.storage.exact_json import encode

    defect = not isinstance(error, (PrivauditError, OSError))
    reasons = reasons_of(error)
    if defect:  # the text of, say, a KeyError means little without its class
        reasons = tuple(f"{type(error).__name__}: {reason}" for reason in reasons)
    return AuditFailure(
        schema_version=SCHEMA_VERSION,
        privaudit_version=privaudit.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=target,
        config=encode(dict(config)),
        kind=type(error).__name__,
        defect=defect,
        verdict=FailedVerdict("error", reasons),
        private=error.private if isinstance(error, PrivauditError) else (),
    )


def write_failure(
    failure: AuditFailure, folder: Path, formats: Sequence[Format], inputs: Sequence[Path] = ()
) -> AuditFailure:
    """Write the reports of a failure; those of an earlier audit that finished are kept in ``previous/``.

    Never raises, which would hide the error that is being reported: a report that cannot be written is only named on
    standard error.

    Args:
        failure: The failure.
        folder: Run folder.
        formats: Formats to write in addition to JSON.
        inputs: Files and folders of the audit that must not be overwritten.

    Returns:
        The failure as it was written: where there is an earlier report, the last reason says where.
    """
    from privaudit.auditing.earlier_results import clear_results, earlier_report
    from privaudit.report.formats import FORMATS, write_reports
    from privaudit.results.audit_result import FailedVerdict
    from privaudit.storage.files import locked

    try:
        with locked(folder):
            clear_results(folder, inputs)
            if report := earlier_report(folder):
                notice = f"The report of the earlier audit is kept: {report.relative_to(folder).as_posix()}"
                failure = replace(failure, verdict=FailedVerdict("error", (*failure.verdict.reasons, notice)))
            for form in dict.fromkeys([FORMATS["json"], *formats]):
                write_reports(failure, folder, [form])
    except Exception as error:
        # If the folder cannot be made, that is the error being reported; naming it once is enough.
        if not isinstance(error, ConfigError) or folder.is_dir():
            typer.echo(f"not every report of this error could be written: {escape_control(str(error))}", err=True)
    return failure


def kept_note(folder: Path | None) -> str:
    """Say where the report of an earlier audit was kept; empty if there is none."""
    from privaudit.auditing.earlier_results import earlier_report

    report = None if folder is None else earlier_report(folder)
    return "" if report is None else f"the report of the earlier audit is kept: open {report}"
