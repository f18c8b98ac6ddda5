"""The summary on the terminal: the finding first, the numbers below, files last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from privaudit.escape import escape_control
from privaudit.report.canary_section import canary_section
from privaudit.report.console import cleaned, is_watched, standard_output
from privaudit.report.group_section import group_section
from privaudit.report.redact import with_numbered_groups
from privaudit.report.suspect_section import suspects_section
from privaudit.report.terminal.attack_tables import attack_section, gain_section, quartile_section, versus_section
from privaudit.report.terminal.closing_notes import advice_section, check_section, reach_section, run_section
from privaudit.report.terminal.headline import failure_panel, headline_panel
from privaudit.results.audit_result import AuditFailure, AuditResult

__all__ = ["print_failure", "print_report"]


def print_report(
    result: AuditResult, folder: Path, console: Console | None = None, files: Sequence[Path] | None = None
) -> None:
    """Print the summary of a result."""
    out = console or standard_output()
    watched = is_watched(out)
    shown = cleaned(result if watched else with_numbered_groups(result))
    about = None if shown.suspects is None else suspects_section(shown.suspects, stated=shown.data.membership_known)
    first = not shown.data.membership_known  # their membership is the question, and the tables only describe them
    sections = [
        headline_panel(shown, out.width),
        about if first else None,
        attack_section(shown, out.width),
        gain_section(shown, out.width),
        versus_section(shown, out.width),
        quartile_section(shown, out.width),
        group_section(shown, named=watched),
        None if first else about,
        None if shown.canaries is None else canary_section(shown.canaries, stated=not _states_canaries(shown)),
        check_section(shown),
        advice_section(shown),
        reach_section(shown),
        run_section(shown),
    ]
    for section in filter(None, sections):
        out.print(section)
        out.print()
    _print_files(out, _usual_files(result, folder) if files is None else files)


def print_failure(failure: AuditFailure, files: Sequence[Path] = (), console: Console | None = None) -> None:
    """Print the summary of an audit that ended with an error."""
    out = console or standard_output()
    out.print(failure_panel(cleaned(failure), out.width))
    _print_files(out, files)


def _states_canaries(result: AuditResult) -> bool:
    return result.canaries is not None and result.canaries.statement in result.verdict.finding.statement


def _usual_files(result: AuditResult, folder: Path) -> list[Path]:
    names = ["report.json", "scores/scores.parquet", *(["suspects.csv"] if result.suspects is not None else [])]
    return [folder / name for name in names]


def _print_files(out: Console, files: Sequence[Path]) -> None:
    """One path a line and never broken, so that it can be copied from a log."""
    for place, path in enumerate(files):
        out.print(Text(f"{'files' if place == 0 else '':<8}{escape_control(str(path))}"), soft_wrap=True)
