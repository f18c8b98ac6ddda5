"""The summary on the terminal: the finding first, the numbers below, files last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from privaudit.escape import escape_control
from privaudit.report.redact import with_numbered_groups
from privaudit.report.sentences.finding_text import states_canaries
from privaudit.report.terminal.attack_tables import (
    attack_section,
    gain_section,
    group_section,
    quartile_section,
    versus_section,
)
from privaudit.report.terminal.console import cleaned, is_watched, standard_output
from privaudit.report.terminal.headline import failure_panel, headline_panel
from privaudit.report.terminal.notes import (
    advice_section,
    canary_section,
    check_section,
    reach_section,
    run_section,
    suspect_section,
)
from privaudit.results.audit_result import AuditFailure, AuditResult


def print_report(
    result: AuditResult, folder: Path, console: Console | None = None, files: Sequence[Path] | None = None
) -> None:
    """Print the summary of a result."""
    out = console or standard_output()
    watched = is_watched(out)
    shown = cleaned(result if watched else with_numbered_groups(result))
    known = shown.data.membership_known
    suspects = None if shown.suspects is None else suspect_section(shown.suspects, stated=known)
    sections = [
        headline_panel(shown, out.width),
        None if known else suspects,  # their membership is the question, and the tables only describe them
        attack_section(shown, out.width),
        gain_section(shown, out.width),
        versus_section(shown, out.width),
        quartile_section(shown, out.width),
        group_section(shown, named=watched),
        suspects if known else None,
        None if shown.canaries is None else canary_section(shown.canaries, stated=not states_canaries(shown)),
        check_section(shown),
        advice_section(shown),
        reach_section(shown),
        run_section(shown),
    ]
    for section in filter(None, sections):
        out.print(section)
        out.print()
    print_files(out, _usual_files(result, folder) if files is None else files)


def print_failure(failure: AuditFailure, files: Sequence[Path] = (), console: Console | None = None) -> None:
    """Print the summary of an audit that ended with an error."""
    out = console or standard_output()
    out.print(failure_panel(cleaned(failure), out.width))
    print_files(out, files)


def print_files(out: Console, files: Sequence[Path]) -> None:
    """Print one path per line, never broken, so that it can be copied from a log."""
    for place, path in enumerate(files):
        out.print(Text(f"{'files' if place == 0 else '':<8}{escape_control(str(path))}"), soft_wrap=True)


def _usual_files(result: AuditResult, folder: Path) -> list[Path]:
    names = ["report.json", "scores/scores.parquet", *(["suspects.csv"] if result.suspects is not None else [])]
    return [folder / name for name in names]
