"""`privaudit scan`: audit a model with two sets of images."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privaudit.auditing.option_table import REPORTS, RUNNING, in_order_of_help
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.parsed_options import default_folder
from privaudit.cli.command import OPTION_STATE, ConfiguredCommand
from privaudit.cli.failure import failure_of, kept_note, write_failure
from privaudit.cli.option_state import OptionState, current_options, options_together
from privaudit.cli.output import print_notes, tolerate_closed_stdout
from privaudit.cli.progress import StageProgress
from privaudit.cli.signature import (
    FORMAT_NAMES,
    After,
    Config,
    ExitZero,
    Inconclusive,
    Quiet,
    checked,
    parse_inconclusive,
    takes,
)
from privaudit.errors import ConfigError

if TYPE_CHECKING:
    from privaudit.report.formats import Format
    from privaudit.results.audit_result import AuditFailure, AuditResult

SETS = ("members", "nonmembers", "suspects", "canaries")
SCORES = (Path("scores") / "scores.parquet", Path("suspects.csv"))
"""Files of a run folder that the summary lists in addition to the reports."""


class ScanCommand(ConfiguredCommand):
    """A command that writes the reports of an error if its options are refused."""

    def on_refused(self, ctx: typer.Context, error: ConfigError) -> None:
        """Write the reports of the error to the run folder, if that is known."""
        state: OptionState = ctx.meta[OPTION_STATE]
        values = state.values
        if state.only_check or values["dry_run"]:
            return
        _report_failure(
            error,
            failure_of(error, self.target_of(values), state.recorded),
            _known_folder(values["out"], self.folder_of(values)),
            read_formats(values["format_"]),
            _sources(values),
            as_json=values["as_json"],
        )

    def target_of(self, values: Mapping[str, Any]) -> str:
        """Target as it was requested; empty if it is unknown."""
        target = str(values["target"])
        return "" if target.startswith("-") else target  # a misspelt flag that was parsed as the argument

    def folder_of(self, values: Mapping[str, Any]) -> Path | None:
        """Run folder if --out is not set; None without a target."""
        return default_folder(values) if self.target_of(values) else None


def read_formats(names: str) -> tuple[Format, ...]:
    """Read ``--format`` (see `privaudit.report.formats.parse_formats`)."""
    from privaudit.report.formats import parse_formats

    return parse_formats(names)


@takes(AuditOptions, in_order_of_help(AuditOptions))
def scan(
    *,
    inconclusive: Annotated[Inconclusive, After("gate_bound")] = "error",
    exit_zero: ExitZero = False,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAMES",
            callback=checked(read_formats),
            rich_help_panel=REPORTS,
            help=f"Reports to write, comma-separated: {FORMAT_NAMES}. json is always written.",
        ),
        After("out"),
    ] = "json,html",
    include_images: Annotated[
        bool,
        typer.Option(
            "--include-images",
            rich_help_panel=REPORTS,
            help="Show thumbnails of the most exposed images in the page; without it, no report contains an image.",
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", rich_help_panel=REPORTS, help="Print report.json, and nothing else, to standard output."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            rich_help_panel=RUNNING,
            help="Print what would run, which passes are shared and how long it would take; then exit.",
        ),
        After("fresh"),
    ] = False,
    quiet: Annotated[Quiet, After("memory")] = False,
    config: Config = None,
    **options: Any,  # noqa: ANN401 - options of `AuditOptions`
) -> None:
    """Audit a model: can its members be told from images that it was not trained on?"""
    del config  # ConfiguredCommand has read it
    from privaudit.evaluation.verdict import exit_code
    from privaudit.report.terminal.summary import print_report

    formats = read_formats(format_)
    try:
        with options_together():
            chosen = AuditOptions.parse(**options, config_file=next(iter(current_options().files), None))
    except ConfigError as error:
        if not (dry_run or current_options().only_check):
            target, out = options["target"], options["out"]
            failure = failure_of(error, target, current_options().recorded)
            folder = _known_folder(out, default_folder(options))
            _report_failure(error, failure, folder, formats, _sources(options), as_json=as_json)
        raise
    if dry_run:
        _show_plan(chosen, as_json=as_json, quiet=quiet)
        return
    try:
        done = _carry_out(chosen, formats, include_images=include_images, as_json=as_json, quiet=quiet)
    except KeyboardInterrupt as stopped:
        if note := kept_note(chosen.out):
            stopped.add_note(note)
            print_notes(stopped)
        raise
    verdict, counted = done.result.verdict, parse_inconclusive(inconclusive)
    code = exit_code(verdict.status, gated=bool(verdict.gates), inconclusive=counted, exit_zero=exit_zero)
    with tolerate_closed_stdout():
        if as_json:
            sys.stdout.write(done.result.to_json())
        else:
            # A report that could not be written is an error, whatever was found: main exits with its code.
            print_report(done.result, chosen.out, files=done.files, exit_code=code if done.report_error is None else 2)
    if done.report_error is not None:
        raise done.report_error
    raise typer.Exit(code)


@dataclass(frozen=True)
class Done:
    """A completed audit.

    Attributes:
        result: Result of the audit.
        files: Files that were written.
        report_error: Error of the first report that could not be written; None if all were. The result is complete.
    """

    result: AuditResult
    files: tuple[Path, ...]
    report_error: Exception | None


def _carry_out(
    chosen: AuditOptions, formats: tuple[Format, ...], *, include_images: bool, as_json: bool, quiet: bool
) -> Done:
    """Run the audit and write its reports; if it raises, write the reports of the failure."""
    from privaudit.auditing.run import run_audit
    from privaudit.report.formats import FORMATS, write_reports
    from privaudit.results.exemplars import load_exemplars
    from privaudit.storage.files import locked

    report_error: Exception | None = None
    with locked(chosen.out), StageProgress(quiet=quiet) as progress:
        try:
            result = run_audit(chosen, progress)
        except Exception as error:
            failure = failure_of(error, chosen.target, chosen.texts())
            _report_failure(error, failure, chosen.out, formats, chosen.sources, as_json=as_json)
            raise
        exemplars = load_exemplars(chosen.out) if include_images else ()
        files = [chosen.out / FORMATS["json"].file]  # run_audit has written it
        rendered = [form for form in formats if form.name != "json"]
        for number, form in enumerate(rendered, start=1):
            try:
                files += write_reports(result, chosen.out, [form], exemplars)
            except Exception as error:  # one broken report must not cost the others, or the result of hours
                report_error = report_error or error
            progress("reports", number, len(rendered))
    files += [chosen.out / path for path in SCORES if (chosen.out / path).is_file()]
    return Done(result, tuple(files), report_error)


def _sources(options: Mapping[str, Any]) -> list[Path]:
    return [Path(options[name]) for name in SETS if options.get(name) is not None]


def _known_folder(out: Path | None, default: Path | None) -> Path | None:
    """Folder for the reports of refused options: --out, or the default if it exists; a typing error creates none."""
    return default if out is None and default is not None and default.is_dir() else out


def _report_failure(
    error: Exception,
    failure: AuditFailure,
    folder: Path | None,
    formats: Sequence[Format],
    sources: Sequence[Path],
    *,
    as_json: bool,
) -> None:
    """Write the reports of an error, and add a note to it that says where the report of an earlier audit is."""
    if folder is not None:
        failure = write_failure(failure, folder, formats, sources)
        if note := kept_note(folder):
            error.add_note(note)
    if as_json:
        with tolerate_closed_stdout():
            sys.stdout.write(failure.to_json())


def _show_plan(chosen: AuditOptions, *, as_json: bool, quiet: bool) -> None:
    """Print the plan of an audit and how long it will take on this machine; writes nothing."""
    from privaudit.auditing.dry_run import plan_audit
    from privaudit.tasks.plan_summary import print_plan

    with StageProgress(quiet=quiet) as progress:
        forecast = plan_audit(chosen, progress)
    with tolerate_closed_stdout():
        if as_json:
            sys.stdout.write(forecast.to_json())
        else:
            print_plan(forecast)
