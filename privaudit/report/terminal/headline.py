"""The first thing on the terminal: what was found, and what became of the gates."""

from __future__ import annotations

from pathlib import PurePath

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from privaudit.report.words import headline
from privaudit.result import AuditFailure, AuditResult

COLOURS = {"none": "green", "low": "yellow", "medium": "dark_orange", "high": "red", "unclear": "magenta"}
GATES = {"pass": "green", "fail": "red", "inconclusive": "magenta"}
WIDEST = 100
"""Columns of a text that is still easy to read."""


def headline_panel(result: AuditResult, width: int) -> Panel:
    """Lay out the finding and the gates.

    Args:
        result: Of an audit, `cleaned`.
        width: Columns of the terminal.

    Returns:
        A panel; its border has the colour of what decides the exit code.
    """
    finding, verdict = result.verdict.finding, result.verdict
    colour = COLOURS[finding.level]
    lines = [Text(headline(result), style=f"bold {colour}"), Text(finding.statement)]
    for gate in verdict.gates:
        outcome = (gate.status.upper(), f"bold {GATES[gate.status]}")
        lines.append(Text.assemble(f"gate {gate.gate}: ", outcome, f". {gate.detail}"))
    if not verdict.gates:
        lines.append(Text("No gate was set (--fail-on), so the exit code is 0.", style="dim"))
    return _panel(lines, result.target.id, GATES[verdict.status] if verdict.gates else colour, width)


def failure_panel(failure: AuditFailure, width: int) -> Panel:
    """Lay out why there is no finding.

    Args:
        failure: Of an audit, `cleaned`.
        width: Columns of the terminal.

    Returns:
        A panel.
    """
    whose = "This is a defect of privaudit: please report it." if failure.defect else ""
    lines = [
        "The audit ended with an error, so that nothing is known about the model.",
        *failure.verdict.reasons,
        whose,
    ]
    texts = [Text("AUDIT FAILED", style="bold red"), *(Text(line) for line in lines if line)]
    return _panel(texts, failure.target, "red", width)


def _panel(lines: list[Text], target: str, colour: str, width: int) -> Panel:
    title = Text(f"privaudit: {PurePath(target).name}")
    return Panel(Group(*lines), title=title, border_style=colour, width=min(width, WIDEST))
