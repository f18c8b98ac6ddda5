"""Prints the summary of a result on the terminal: the finding, the numbers, the files, and the finding again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from privaudit.escape import escape_control
from privaudit.report.redact import escaped, with_numbered_groups
from privaudit.report.sentences.fact_text import sentence
from privaudit.report.sentences.finding_text import states_canaries
from privaudit.report.sentences.lines import NOTHING_KNOWN, gate_lines, opening_lines, remedy
from privaudit.report.sentences.model_text import header_lines, model_name
from privaudit.report.sentences.overall import headline, tone
from privaudit.report.sentences.verdict_text import gate_reason
from privaudit.report.terminal.attack_tables import (
    attack_section,
    gain_section,
    group_section,
    quartile_section,
    versus_section,
)
from privaudit.report.terminal.console import is_watched, standard_output
from privaudit.report.terminal.notes import (
    advice_section,
    canary_section,
    check_section,
    reach_section,
    run_section,
    suspect_section,
)
from privaudit.results.audit_result import AuditFailure, AuditResult

COLOURS = {
    "none": "green",
    "neutral": "blue",
    "low": "yellow",
    "medium": "dark_orange",
    "high": "red",
    "unclear": "magenta",
}
GATES = {"pass": "green", "fail": "red", "inconclusive": "magenta"}
MAX_WIDTH = 100
"""Maximum columns of the panel, since longer lines are hard to read."""


def headline_panel(result: AuditResult, width: int, code: int | None = None) -> Panel:
    """Lay out the finding and the gates.

    Returns:
        A panel. A gate that failed or is undecided gives its border the colour; otherwise the finding does, so that a
        gate that passes does not make a leak green.
    """
    verdict, colour = result.verdict, COLOURS[tone(result)]
    lines = [Text(headline(result), style=f"bold {colour}"), *(Text(line) for line in opening_lines(result))]
    # A finding of its own, which the colour of the other must not hide.
    styles = {line: COLOURS["low"] for line in header_lines(result.target.files)}
    for line in lines:
        line.stylize(styles.get(line.plain, ""))
    for gate in verdict.gates:
        outcome = (gate.status.upper(), f"bold {GATES[gate.status]}")
        lines.append(Text.assemble(f"gate {gate.gate}: ", outcome, f". {sentence(gate_reason(gate, result))}"))
    lines += [Text(line, style="dim") for line in gate_lines(result, code)]
    border = colour if not verdict.gates or verdict.status == "pass" else GATES[verdict.status]
    return _panel(lines, model_name(result.target), border, width)


def failure_panel(failure: AuditFailure, width: int) -> Panel:
    """Lay out why there is no finding, and what to do."""
    reasons = failure.verdict.reasons
    mark = "- " if len(reasons) > 1 else ""
    lines = [NOTHING_KNOWN, *(f"{mark}{reason}" for reason in reasons), remedy(failure)]
    texts = [Text("AUDIT FAILED", style="bold magenta"), *map(Text, lines)]
    return _panel(texts, PurePath(failure.target).name, "magenta", width)


def _panel(lines: list[Text], model: str, colour: str, width: int) -> Panel:
    title = Text(f"privaudit: {model}")
    return Panel(Group(*lines), title=title, border_style=colour, width=min(width, MAX_WIDTH))


def print_report(
    result: AuditResult,
    folder: Path,
    console: Console | None = None,
    files: Sequence[Path] | None = None,
    exit_code: int | None = None,
) -> None:
    """Print the summary of a result.

    Args:
        result: The result.
        folder: Run folder.
        console: Where to print; standard output by default.
        files: Files to list; the usual ones by default.
        exit_code: Exit code of the scan, if known.
    """
    out = console or standard_output()
    watched = is_watched(out)
    shown = escaped(result if watched else with_numbered_groups(result))
    known = shown.data.membership_known
    suspects = None if shown.suspects is None else suspect_section(shown.suspects, stated=known)
    sections = [
        headline_panel(shown, out.width, exit_code),
        None if known else suspects,  # first where their membership is the question, which the tables do not answer
        attack_section(shown, out.width),
        gain_section(shown, out.width),
        versus_section(shown, out.width),
        quartile_section(shown, out.width),
        group_section(shown, named=watched),
        suspects if known else None,
        None
        if shown.canaries is None
        else canary_section(shown.canaries, shown.checks, stated=not states_canaries(shown)),
        check_section(shown),
        advice_section(shown),
        reach_section(shown),
        run_section(shown),
    ]
    for section in filter(None, sections):
        out.print(section)
        out.print()
    listed = _usual_files(result, folder) if files is None else files
    print_files(out, listed)
    out.print()
    _print_ending(out, shown, listed, exit_code)


def _print_ending(out: Console, result: AuditResult, files: Sequence[Path], exit_code: int | None) -> None:
    """Print finding, gates, exit code and page once more, since the panel has scrolled away by then."""
    gates = f"; gates: {result.verdict.status.upper()}" if result.verdict.gates else ""
    code = "" if exit_code is None else f"; exit code {exit_code}"
    out.print(Text.assemble((headline(result), f"bold {COLOURS[tone(result)]}"), gates, code))
    for page in [path for path in files if path.suffix == ".html"]:
        out.print(Text(f"open {escape_control(str(page))}"), soft_wrap=True)


def print_failure(failure: AuditFailure, files: Sequence[Path] = (), console: Console | None = None) -> None:
    """Print the summary of an audit that ended with an error."""
    out = console or standard_output()
    out.print(failure_panel(escaped(failure), out.width))
    print_files(out, files)


def print_files(out: Console, files: Sequence[Path]) -> None:
    """Print one path per line and never wrap it, so that it can be copied from a log."""
    for place, path in enumerate(files):
        out.print(Text(f"{'files' if place == 0 else '':<8}{escape_control(str(path))}"), soft_wrap=True)


def _usual_files(result: AuditResult, folder: Path) -> list[Path]:
    names = ["report.json", "scores/scores.parquet", *(["suspects.csv"] if result.suspects is not None else [])]
    return [folder / name for name in names]
