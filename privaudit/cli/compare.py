"""`privaudit compare`: what changed from one run to another."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from privaudit.auditing.option_table import GATES, REPORTS
from privaudit.cli.command import ConfiguredCommand, key_of
from privaudit.cli.option_files import Settings
from privaudit.cli.option_state import DEFAULT, Origin, options_together
from privaudit.cli.output import tolerate_closed_stdout
from privaudit.cli.signature import Config, ExitZero, Inconclusive, Quiet, parse_inconclusive
from privaudit.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from privaudit.compare import ComparisonResult

FORMATS = {"json": "comparison.json", "md": "comparison.md", "html": "comparison.html"}


def _print_schema(wanted: bool) -> None:
    if wanted:
        from privaudit.compare.comparison_schema import shipped_comparison_schema

        with tolerate_closed_stdout():
            sys.stdout.write(shipped_comparison_schema())
        raise typer.Exit


class CompareCommand(ConfiguredCommand):
    """A command that reads --out and --format from flags only: in files and variables they are options of a scan."""

    not_from_files: ClassVar[frozenset[str]] = frozenset({"out", "format"})

    def _find(self, parameter: Any, flags: Mapping[str, Any], settings: Settings) -> tuple[Any, Origin]:  # noqa: ANN401
        if key_of(parameter) in self.not_from_files and flags.get(str(parameter.name)) is None:
            return None, DEFAULT
        return super()._find(parameter, flags, settings)


def compare(
    old: Annotated[Path, typer.Argument(help="Run folder of the earlier scan, or its report.json.")],
    new: Annotated[Path, typer.Argument(help="Run folder of the later scan, or its report.json.")],
    fail_on_regression: Annotated[
        bool,
        typer.Option(
            "--fail-on-regression",
            rich_help_panel=GATES,
            help="Exit 1 if AUROC or TPR at 1 % FPR rose beyond chance, or a gate that passed fails now.",
        ),
    ] = False,
    margin: Annotated[
        float,
        typer.Option(rich_help_panel=GATES, help="How much AUROC and TPR may rise before it is a regression."),
    ] = 0.0,
    confidence: Annotated[
        float,
        typer.Option(
            rich_help_panel=GATES, help="Confidence level of the intervals, and of all tests for a rise jointly."
        ),
    ] = 0.95,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=GATES,
            help="Differences to allow between the runs, repeatable or comma-separated: split, design, preset, seed, "
            "folds, latents, masks, reference, or all.",
        ),
    ] = None,
    inconclusive: Inconclusive = "error",
    exit_zero: ExitZero = False,
    out: Annotated[
        Path | None, typer.Option(rich_help_panel=REPORTS, help="Folder to write the comparison to.")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAMES",
            rich_help_panel=REPORTS,
            help="Formats to write to --out, comma-separated: json, md, html. All by default.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            rich_help_panel=REPORTS,
            help="Print comparison.json, and nothing else, to standard output.",
        ),
    ] = False,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema",
            rich_help_panel=REPORTS,
            is_eager=True,
            callback=_print_schema,
            help="Print the JSON Schema of comparison.json and nothing else; needs no runs.",
        ),
    ] = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Show what got worse and what got better from one scan to another, paired where both scored the same images."""
    # config was read by ConfiguredCommand, schema by its callback; a comparison is too short to show progress.
    del config, quiet, schema
    with options_together():
        from privaudit.compare import CompareOptions

        problems: list[str] = []
        chosen = None
        try:
            chosen = CompareOptions(
                fail_on_regression=fail_on_regression,
                margin=margin,
                confidence=confidence,
                allow=tuple(part.strip() for text in allow or () for part in text.split(",") if part.strip()),
            )
        except ConfigError as error:
            problems.extend(error.problems)
        names = [part.strip() for part in (formats or ",".join(FORMATS)).split(",") if part.strip()]
        problems += [
            f"expected --format to name {', '.join(FORMATS)}, got {part!r}{did_you_mean(part, FORMATS, cutoff=0.5)}"
            for part in names
            if part not in FORMATS
        ]
        if formats and out is None:
            problems.append("expected --out, the folder to write to, with --format, got none")
        if problems or chosen is None:
            raise ConfigError(problems)

    from privaudit.compare import run_comparison
    from privaudit.evaluation.verdict import exit_code
    from privaudit.report.terminal.comparison_summary import print_comparison
    from privaudit.storage.files import make_folder

    if out is not None:
        make_folder(out, list(FORMATS.values()), [old, new])
    result = run_comparison(old, new, chosen)
    written = [] if out is None else _write(result, out, names)
    with tolerate_closed_stdout():
        if as_json:
            sys.stdout.write(result.to_json())
        else:
            print_comparison(result, files=written)
    counted = parse_inconclusive(inconclusive)
    raise typer.Exit(
        exit_code(result.verdict.status, gated=result.fail_on_regression, inconclusive=counted, exit_zero=exit_zero)
    )


def _write(result: ComparisonResult, folder: Path, names: Sequence[str]) -> list[Path]:
    from privaudit.report.comparison_markdown import render_comparison
    from privaudit.storage.files import write_text

    renderers = {"json": result.to_json, "md": lambda: render_comparison(result), "html": result.to_html}
    written = {folder / FORMATS[name]: renderers[name] for name in names}
    for path, render in written.items():
        write_text(path, render())
    return list(written)
