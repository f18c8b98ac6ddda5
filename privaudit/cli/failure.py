"""Reports of an audit that ended with an error, so that a CI job finds a report in any case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
) -> tuple[Path, ...]:
    """Write the reports of a failure, replacing those of an earlier run.

    Never raises, which would hide the error that is being reported: a report that cannot be written is only named on
    standard error.

    Args:
        failure: The failure.
        folder: Run folder.
        formats: Formats to write in addition to JSON.
        inputs: Files and folders of the audit that must not be overwritten.

    Returns:
        Files that were written.
    """
    from privaudit.auditing.run import stale_results
    from privaudit.report.formats import FORMATS, write_reports
    from privaudit.storage.files import locked, make_folder

    written: list[Path] = []
    try:
        with locked(folder):
            make_folder(folder, stale_results(folder), inputs)
            for form in dict.fromkeys([FORMATS["json"], *formats]):
                written += write_reports(failure, folder, [form])
    except Exception as error:
        # If the folder cannot be made, that is the error being reported; naming it once is enough.
        if not isinstance(error, ConfigError) or folder.is_dir():
            typer.echo(f"not every report of this error could be written: {escape_control(str(error))}", err=True)
    return tuple(written)
