"""The first thing on the terminal: what was found, what that means, and what became of the gates."""

from __future__ import annotations

from pathlib import PurePath

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from privaudit.report.found import found_lines, gate_lines
from privaudit.report.problems import problems, remedy
from privaudit.report.words import headline, tone
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
WIDEST = 100
"""Columns of a text that is still easy to read."""


def headline_panel(result: AuditResult, width: int) -> Panel:
    """Lay out the finding and the gates.

    Returns:
        A panel; its border has the colour of a gate that failed or was not decided, else that of the finding: a gate
        that passes does not make a leak green.
    """
    verdict, colour = result.verdict, COLOURS[tone(result)]
    lines = [Text(headline(result), style=f"bold {colour}"), *(Text(line) for line in found_lines(result))]
    for gate in verdict.gates:
        outcome = (gate.status.upper(), f"bold {GATES[gate.status]}")
        lines.append(Text.assemble(f"gate {gate.gate}: ", outcome, f". {gate.detail}"))
    lines += [Text(line, style="dim") for line in gate_lines(result)]
    border = colour if not verdict.gates or verdict.status == "pass" else GATES[verdict.status]
    return _panel(lines, result.target.id, border, width)


def failure_panel(failure: AuditFailure, width: int) -> Panel:
    """Lay out why there is no finding, and what to do."""
    reasons = problems(failure)
    mark = "- " if len(reasons) > 1 else ""
    lines = [
        "The audit ended with an error, so that nothing is known about the model.",
        *(f"{mark}{reason}" for reason in reasons),
        remedy(failure),
    ]
    texts = [Text("AUDIT FAILED", style="bold magenta"), *(Text(line) for line in lines if line)]
    return _panel(texts, failure.target, "magenta", width)


def _panel(lines: list[Text], target: str, colour: str, width: int) -> Panel:
    title = Text(f"privaudit: {PurePath(target).name}")
    return Panel(Group(*lines), title=title, border_style=colour, width=min(width, WIDEST))
