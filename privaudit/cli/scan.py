"""`privaudit scan`: audit a model folder with two image sets."""

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
from privaudit.cli.command import GIVEN, ConfiguredCommand
from privaudit.cli.failure import failure_of, write_failure
from privaudit.cli.given import Given, given, options_together
from privaudit.cli.output import to_reader
from privaudit.cli.progress import StageProgress
from privaudit.cli.signature import (
    FORMAT_NAMES,
    After,
    Config,
    ExitZero,
    Inconclusive,
    Quiet,
    checked,
    counted_as,
    takes,
)
from privaudit.errors import ConfigError

if TYPE_CHECKING:
    from privaudit.report.formats import Format
    from privaudit.results.audit_result import AuditFailure, AuditResult

SETS = ("members", "nonmembers", "suspects", "canaries")
SCORES = (Path("scores") / "scores.parquet", Path("suspects.csv"))
"""What a run folder holds in addition to reports that a user may want to open."""


class ScanCommand(ConfiguredCommand):
    """A call that is refused leaves the reports of an error, in place of those of an earlier run."""

    def refused(self, ctx: typer.Context, error: ConfigError) -> None:
        """Write them to the run folder, as far as it is known."""
        known: Given = ctx.meta[GIVEN]
        values = known.values
        if known.only_check or values["dry_run"]:
            return
        target = self.target_of(values)
        _report_failure(
            failure_of(error, target, known.recorded),
            _known_folder(values["out"], self.folder_of(values)),
            read_formats(values["format_"]),
            _sources(values),
            as_json=values["as_json"],
        )

    def target_of(self, values: Mapping[str, Any]) -> str:
        """The model, as far as it is known; what was taken for a flag is none."""
        target = str(values["target"])
        return "" if target.startswith("-") else target

    def folder_of(self, values: Mapping[str, Any]) -> Path | None:
        """The run folder where none is chosen."""
        target = self.target_of(values)
        return default_folder(target) if target else None


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
            help=f"Reports to write, with commas: {FORMAT_NAMES}. json always is.",
        ),
        After("out"),
    ] = "json,html",
    include_images: Annotated[
        bool,
        typer.Option(
            "--include-images",
            rich_help_panel=REPORTS,
            help="Show thumbnails of the most exposed images in the page; without it, no report holds an image.",
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", rich_help_panel=REPORTS, help="Print report.json to standard output, and nothing else there."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            rich_help_panel=RUNNING,
            help="Print what would be run, what is shared and how long it takes; then stop.",
        ),
        After("fresh"),
    ] = False,
    quiet: Annotated[Quiet, After("memory")] = False,
    config: Config = None,
    **options: Any,  # noqa: ANN401 - those of `AuditOptions`, as the command line has them
) -> None:
    """Audit a model: can its members be told from images that it never saw?"""
    del config  # ConfiguredCommand has read it
    from privaudit.evaluation.verdict import exit_code
    from privaudit.report.terminal.summary import print_report

    formats = read_formats(format_)
    try:
        with options_together():
            chosen = AuditOptions.parse(**options, config_file=next(iter(given().files), None))
    except ConfigError as error:
        if not (dry_run or given().only_check):
            target, out = options["target"], options["out"]
            failure, folder = failure_of(error, target, given().recorded), _known_folder(out, default_folder(target))
            _report_failure(failure, folder, formats, _sources(options), as_json=as_json)
        raise
    if dry_run:
        _show_plan(chosen, as_json=as_json, quiet=quiet)
        return
    done = _carry_out(chosen, formats, include_images=include_images, as_json=as_json, quiet=quiet)
    with to_reader():
        if as_json:
            sys.stdout.write(done.result.to_json())
        else:
            print_report(done.result, chosen.out, files=done.files)
    if done.broken is not None:
        raise done.broken
    verdict, counted = done.result.verdict, counted_as(inconclusive)
    raise typer.Exit(exit_code(verdict.status, gated=bool(verdict.gates), inconclusive=counted, exit_zero=exit_zero))


@dataclass(frozen=True)
class Done:
    """An audit that came to an end.

    Attributes:
        result: What it found.
        files: What was written.
        broken: Why a report is missing; the result stands.
    """

    result: AuditResult
    files: tuple[Path, ...]
    broken: Exception | None


def _carry_out(
    chosen: AuditOptions, formats: tuple[Format, ...], *, include_images: bool, as_json: bool, quiet: bool
) -> Done:
    """Audit and write the reports; those of a failure if it ends with an error."""
    from privaudit.auditing.run import run_audit
    from privaudit.report.formats import FORMATS, write_reports
    from privaudit.results.exemplars import load_exemplars
    from privaudit.storage.files import locked

    broken: Exception | None = None
    with locked(chosen.out), StageProgress(quiet=quiet) as progress:
        try:
            result = run_audit(chosen, progress)
        except Exception as error:
            failure = failure_of(error, chosen.target, chosen.texts())
            _report_failure(failure, chosen.out, formats, chosen.sources, as_json=as_json)
            raise
        exemplars = load_exemplars(chosen.out) if include_images else ()
        files = [chosen.out / FORMATS["json"].file]  # written by the audit
        rendered = [form for form in formats if form.name != "json"]
        for number, form in enumerate(rendered, start=1):
            try:
                files += write_reports(result, chosen.out, [form], exemplars)
            except Exception as error:  # of one report: the others, and the audit of hours, are worth showing
                broken = broken or error
            progress("reports", number, len(rendered))
    files += [chosen.out / path for path in SCORES if (chosen.out / path).is_file()]
    return Done(result, tuple(files), broken)


def _sources(options: Mapping[str, Any]) -> list[Path]:
    return [Path(options[name]) for name in SETS if options.get(name) is not None]


def _known_folder(out: Path | None, usual: Path | None) -> Path | None:
    """Where an error is reported: no one wants a folder for a command that was mistyped."""
    return usual if out is None and usual is not None and usual.is_dir() else out


def _report_failure(
    failure: AuditFailure,
    folder: Path | None,
    formats: Sequence[Format],
    sources: Sequence[Path],
    *,
    as_json: bool,
) -> None:
    if folder is not None:
        write_failure(failure, folder, formats, sources)
    if as_json:
        with to_reader():
            sys.stdout.write(failure.to_json())


def _show_plan(chosen: AuditOptions, *, as_json: bool, quiet: bool) -> None:
    """Print the plan of an audit and how long it will take here; nothing is written."""
    from privaudit.auditing.dry_run import plan_audit
    from privaudit.tasks.plan_summary import print_plan

    with StageProgress(quiet=quiet) as progress:
        forecast = plan_audit(chosen, progress)
    with to_reader():
        if as_json:
            sys.stdout.write(forecast.to_json())
        else:
            print_plan(forecast)
