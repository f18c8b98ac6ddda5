"""A comparison in GitHub-flavoured Markdown, for the page of a CI job or a pull request.

As in the summary of a result, paths are redacted and every list has a maximum length.
"""

from __future__ import annotations

from functools import partial

from privaudit.compare import Change, ComparisonResult
from privaudit.report.formats import markdown
from privaudit.report.formats.markdown import name, prose
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

MAX_ROWS, MAX_NOTES, MAX_GATES = 120, 30, 50
"""Maximum number of lines of each list."""
bullets = partial(markdown.bullets, limit=MAX_NOTES, file="comparison.json")
table = partial(markdown.table, file="comparison.json")


def render_comparison(result: ComparisonResult) -> str:
    """Render a comparison."""
    result = redact_comparison(result)
    models = " → ".join(name(run.target) for run in (result.old, result.new))
    parts = [
        f"## privaudit compare: {models}: {prose(headline(result))}",
        bullets([f"{mark}: {text}" if mark else text for mark, text in lead_lines(result)]),
        _status(result),
        _gates(result),
        *(_changes(result, metric) for metric in metrics_of(result.changes)),
        "### What differs\n\n" + bullets([f"{what}: {text}" if what else text for what, text in what_differs(result)]),
        "### Keep in mind\n\n" + bullets(note_lines(result)),
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
    return "### Gates\n\n" + table(["gate", "old", "new", "why"], rows, MAX_GATES, len(rows))


def _changes(result: ComparisonResult, metric: str) -> str:
    changes = worst_first(result, metric)
    head = ["attack", "mask", "old", "new", f"difference [{COMPACT.percent(result.confidence)} interval]", "p", ""]
    return f"### {prose(table_title(result, metric))}\n\n" + table(head, map(_row, changes), MAX_ROWS, len(changes))


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


def _about(result: ComparisonResult) -> str:
    lines = [
        f"{which}: {run.target}, hash {run.hash[:12]}, {run.created}"
        for which, run in (("old", result.old), ("new", result.new))
    ]
    return "### What was compared\n\n" + bullets([*lines, pairing_text(result)])
