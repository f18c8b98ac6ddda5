"""`privaudit report`: show a saved report again, in any format, without the model."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from privaudit.cli.output import tolerate_closed_stdout
from privaudit.cli.signature import FORMAT_NAMES
from privaudit.errors import ConfigError

if TYPE_CHECKING:
    from privaudit.report.formats import Format, Report

STDOUT = "-"


@dataclass(frozen=True)
class Request:
    """Options of one call, checked.

    Attributes:
        run: Run folder or report file.
        formats: Formats to write; if empty, the summary is printed.
        out: Folder to write to; None for standard output.
    """

    run: Path
    formats: tuple[Format, ...]
    out: Path | None

    @property
    def folder(self) -> Path:
        """Run folder, or the folder of the report file."""
        return self.run if self.run.is_dir() else self.run.parent


def report(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="A run folder, or a report.json.")] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help=f"Formats to write, comma-separated: {FORMAT_NAMES}. Without it, the summary is printed.",
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="Folder to write to, by default that of RUN; - for standard output.")
    ] = None,
    include_images: Annotated[
        bool,
        typer.Option("--include-images", help="Show the most exposed images in the page, which then contains them."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print report.json; short for --format json --out -.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of report.json and nothing else.")
    ] = False,
) -> None:
    """Show a saved report again, or write it in other formats; no model is needed.

    The exit code is 0 if that worked and 2 if not, whatever the audit found.

    For the summary page of a GitHub job: privaudit report RUN --format md --out - >> $GITHUB_STEP_SUMMARY
    """
    if schema:
        from privaudit.results.report_schema import shipped_schema

        with tolerate_closed_stdout():
            sys.stdout.write(shipped_schema())
        return
    request = _read_request(run, formats, out, include_images=include_images, as_json=as_json)

    from privaudit.report.formats import write_reports
    from privaudit.results.audit_result import AuditResult, load_report
    from privaudit.results.exemplars import load_exemplars

    loaded = load_report(request.run)
    exemplars = load_exemplars(request.folder) if include_images and isinstance(loaded, AuditResult) else ()
    with tolerate_closed_stdout():
        if not request.formats:
            _print(loaded, request)
        elif request.out is None:
            # As bytes, because a format may be binary and must not be re-encoded; text printed so far goes first.
            sys.stdout.flush()
            sys.stdout.buffer.write(request.formats[0].encoded(loaded, exemplars))
            sys.stdout.buffer.flush()
        else:
            for path in write_reports(loaded, request.out, request.formats, exemplars):
                typer.echo(path)


def _read_request(
    run: Path | None, names: list[str] | None, out: str | None, *, include_images: bool, as_json: bool
) -> Request:
    """Check the options together and raise all problems at once."""
    from privaudit.report.formats import FORMATS, parse_formats

    problems: list[str] = []
    formats: tuple[Format, ...] = ()
    if run is None:
        problems.append("expected RUN, a run folder or a report.json, got none")
    if as_json and (names or out is not None):
        problems.append("expected --json alone, which is short for --format json --out -")
    if as_json:
        names, out = ["json"], STDOUT
    if names:
        try:
            formats = parse_formats(names)
        except ConfigError as error:
            problems += error.problems
    elif out is not None:
        problems.append(f"expected --format with --out {out}, to name what to write: {', '.join(FORMATS)}")
    if out == STDOUT and len(formats) > 1:
        problems.append(f"expected one format for standard output, got {', '.join(form.name for form in formats)}")
    if include_images and not any(form.exemplars for form in formats):
        shows = ", ".join(form.name for form in FORMATS.values() if form.exemplars)
        problems.append(f"expected --include-images with a format that shows images, {shows}")
    if run is not None and run.is_file() and run.name != FORMATS["json"].file and formats and out is None:
        problems.append(
            f"expected --out with {run}: next to a copy of a report, the files would look like those of a run"
        )
    if problems or run is None:
        raise ConfigError(problems)
    folder = run if run.is_dir() else run.parent
    return Request(run, formats, None if out == STDOUT else Path(out) if out is not None else folder)


def _print(loaded: Report, request: Request) -> None:
    from privaudit.report.formats import FORMATS
    from privaudit.report.terminal.summary import print_failure, print_report
    from privaudit.results.audit_result import AuditFailure

    paths = [request.folder / form.file for form in FORMATS.values()]
    # Files next to a single report file may belong to another run.
    files = tuple(path for path in paths if path.is_file()) if request.run.is_dir() else ()
    if isinstance(loaded, AuditFailure):
        print_failure(loaded, files)
    else:
        print_report(loaded, request.folder, files=files)
