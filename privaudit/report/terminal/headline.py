"""The first thing on the terminal: what was found, what that means, and what became of the gates."""

from __future__ import annotations

from pathlib import PurePath

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from privaudit.report.sentences.fact_text import sentence
from privaudit.report.sentences.gate_text import gate_reason
from privaudit.report.sentences.lines import gate_lines, opening_lines
from privaudit.report.sentences.overall import headline, tone
from privaudit.report.sentences.problems import NOTHING_KNOWN, problems, remedy
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
"""Maximum columns of a text that is still easy to read."""


def headline_panel(result: AuditResult, width: int) -> Panel:
    """Lay out the finding and the gates.

    Returns:
        A panel; its border has the colour of a gate that failed or was not decided, else that of the finding: a gate
        that passes does not make a leak green.
    """
    verdict, colour = result.verdict, COLOURS[tone(result)]
    lines = [Text(headline(result), style=f"bold {colour}"), *(Text(line) for line in opening_lines(result))]
    for gate in verdict.gates:
        outcome = (gate.status.upper(), f"bold {GATES[gate.status]}")
        lines.append(Text.assemble(f"gate {gate.gate}: ", outcome, f". {sentence(gate_reason(gate, result))}"))
    lines += [Text(line, style="dim") for line in gate_lines(result)]
    border = colour if not verdict.gates or verdict.status == "pass" else GATES[verdict.status]
    return _panel(lines, result.target.id, border, width)


def failure_panel(failure: AuditFailure, width: int) -> Panel:
    """Lay out why there is no finding, and what to do."""
    reasons = problems(failure)
    mark = "- " if len(reasons) > 1 else ""
    lines = [
        NOTHING_KNOWN,
        *(f"{mark}{reason}" for reason in reasons),
        remedy(failure),
    ]
    texts = [Text("AUDIT FAILED", style="bold magenta"), *(Text(line) for line in lines if line)]
    return _panel(texts, failure.target, "magenta", width)


def _panel(lines: list[Text], target: str, colour: str, width: int) -> Panel:
    title = Text(f"privaudit: {PurePath(target).name}")
    return Panel(Group(*lines), title=title, border_style=colour, width=min(width, MAX_WIDTH))
