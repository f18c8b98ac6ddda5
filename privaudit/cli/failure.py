"""Reports of an audit that ended with an error, so that a machine finds a report whatever happened."""

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
    """Describe an error as a report does.

    Returns:
        The report.
    """
    from privaudit.results.audit_result import SCHEMA_VERSION, AuditFailure, FailedVerdict
    from privaudit.storage.exact_json import encode

    defect = not isinstance(error, (PrivauditError, OSError))
    reasons = reasons_of(error)
    return AuditFailure(
        schema_version=SCHEMA_VERSION,
        privaudit_version=privaudit.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=target,
        config=encode(dict(config)),
        kind=type(error).__name__,
        defect=defect,
        verdict=FailedVerdict("error", tuple(f"{type(error).__name__}: {r}" for r in reasons) if defect else reasons),
        private=error.private if isinstance(error, PrivauditError) else (),
    )


def write_failure(
    failure: AuditFailure, folder: Path, formats: Sequence[Format], inputs: Sequence[Path] = ()
) -> tuple[Path, ...]:
    """Write the reports of a failure in place of those of an earlier run.

    Nothing that happens here hides the error that is being reported: what cannot be written is named, and that is all.

    Returns:
        The files.
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
        if not isinstance(error, ConfigError) or folder.is_dir():  # else the error itself says so already
            typer.echo(f"not every report of this error could be written: {escape_control(str(error))}", err=True)
    return tuple(written)
