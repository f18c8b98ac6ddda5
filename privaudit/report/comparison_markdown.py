"""A comparison in GitHub-flavoured Markdown: for the page of a CI job or a pull request.

Like the summary of a result it names no folder of any disk, and every list has an end.
"""

from __future__ import annotations

from privaudit.compare import Change, ComparisonResult
from privaudit.report.formats.markdown import bullets, name, prose, table
from privaudit.report.numbers import COMPACT
from privaudit.report.redact import redact_comparison
from privaudit.report.sentences.comparison_text import (
    DIRECTIONS,
    exit_text,
    headline,
    lead_lines,
    metrics_of,
    note_lines,
    pairing_text,
    table_title,
    what_differs,
    worst_first,
)
from privaudit.report.sentences.fact_text import fact_text

ROWS, NOTES, GATES = 120, 30, 50
"""Lines of each list."""


def render_comparison(result: ComparisonResult) -> str:
    """Write a comparison."""
    result = redact_comparison(result)
    models = " → ".join(name(run.target) for run in (result.old, result.new))
    parts = [
        f"## privaudit compare: {models}: {prose(headline(result))}",
        bullets([f"{mark}: {text}" if mark else text for mark, text in lead_lines(result)], NOTES),
        _status(result),
        _gates(result),
        *(_changes(result, metric) for metric in metrics_of(result.changes)),
        _differs(result),
        "### Keep in mind\n\n" + bullets(note_lines(result), NOTES),
        _about(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _status(result: ComparisonResult) -> str:
    rows = [[which, run.level, run.status] for which, run in (("old", result.old), ("new", result.new))]
    return table(["run", "finding", "verdict"], rows, 2, 2) + "\n\n" + prose(exit_text(result))


def _gates(result: ComparisonResult) -> str:
    if not result.gates:
        return ""
    rows = [
        [name(gate.gate), gate.old or "not set", gate.new or "not set", prose(fact_text(gate.reason))]
        for gate in result.gates
    ]
    return "### Gates\n\n" + table(["gate", "old", "new", "why"], rows, GATES, len(rows))


def _changes(result: ComparisonResult, metric: str) -> str:
    changes = worst_first(result, metric)
    head = ["attack", "mask", "old", "new", f"difference [{COMPACT.percent(result.confidence)} interval]", "p", ""]
    return f"### {prose(table_title(result, metric))}\n\n" + table(head, map(_row, changes), ROWS, len(changes))


def _row(change: Change) -> list[str]:
    mark = DIRECTIONS[change.direction]
    return [
        name(change.attack),
        name(change.mask),
        COMPACT.estimate(change.old),
        COMPACT.estimate(change.new),
        COMPACT.difference(change.difference),
        COMPACT.p_value(change.difference.p),
        f"**{mark}**" if mark else "",
    ]


def _differs(result: ComparisonResult) -> str:
    lines = [f"{what}: {text}" if what else text for what, text in what_differs(result)]
    return "### What differs\n\n" + bullets(lines, NOTES)


def _about(result: ComparisonResult) -> str:
    lines = [
        f"{which}: {run.target}, hash {run.hash[:12]}, {run.created}"
        for which, run in (("old", result.old), ("new", result.new))
    ]
    return "### What was compared\n\n" + bullets([*lines, pairing_text(result)], NOTES)
