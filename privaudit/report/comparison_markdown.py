"""A comparison in GitHub-flavoured Markdown: for the page of a CI job or a pull request.

Like the summary of a result it names no folder of anybody's disk, and every list has an end.
"""

from __future__ import annotations

from privaudit.compare import Change, ComparisonResult
from privaudit.report.comparison_words import (
    DIRECTIONS,
    asked_text,
    headline,
    lead,
    metrics_of,
    table_title,
)
from privaudit.report.markdown_text import bullets, name, prose, table
from privaudit.report.numbers import difference_text, interval_text, p_text, percent
from privaudit.report.redact import base_name

ROWS, NOTES, GATES = 120, 30, 50
"""Lines of each list."""


def render_comparison(result: ComparisonResult) -> str:
    """Write a comparison."""
    models = " → ".join(name(base_name(run.target)) for run in (result.old, result.new))
    parts = [
        f"## privaudit compare: {models}: {prose(headline(result))}",
        bullets(lead(result), NOTES),
        _status(result),
        _gates(result),
        *(_changes(result, metric) for metric in metrics_of(result.changes)),
        _differs(result),
        "### Keep in mind\n\n" + bullets(result.notes, NOTES) if result.notes else "",
        _about(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _status(result: ComparisonResult) -> str:
    rows = [[which, run.level, run.status] for which, run in (("old", result.old), ("new", result.new))]
    return table(["run", "finding", "verdict"], rows, 2, 2) + "\n\n" + prose(asked_text(result))


def _gates(result: ComparisonResult) -> str:
    if not result.gates:
        return ""
    rows = [
        [name(gate.gate), gate.old or "not set", gate.new or "not set", prose(gate.detail)] for gate in result.gates
    ]
    return "### Gates\n\n" + table(["gate", "old", "new", "why"], rows, GATES, len(rows))


def _changes(result: ComparisonResult, metric: str) -> str:
    order = {"worse": 0, "better": 1, "unclear": 2, "unmeasured": 3}
    changes = sorted((c for c in result.changes if c.metric == metric), key=lambda c: order[c.direction])
    head = ["attack", "mask", "old", "new", f"difference [{percent(result.confidence)} interval]", "p", ""]
    return f"### {prose(table_title(result, metric))}\n\n" + table(head, map(_row, changes), ROWS, len(changes))


def _row(change: Change) -> list[str]:
    mark = DIRECTIONS[change.direction]
    return [
        name(change.attack),
        name(change.mask),
        interval_text(change.old),
        interval_text(change.new),
        difference_text(change.difference),
        p_text(change.difference.p),
        f"**{mark}**" if mark else "",
    ]


def _differs(result: ComparisonResult) -> str:
    lines = [
        f"{item.what}: {_redacted(item.kind, item.old)} → {_redacted(item.kind, item.new)} (allowed: {item.kind})"
        for item in result.allowed
    ]
    lines += [f"{item.attack} is left out: {item.reason}" for item in result.not_compared]
    lines += [f"new attacks: {', '.join(result.added)}"] if result.added else []
    lines += [f"attacks that are not run any more: {', '.join(result.removed)}"] if result.removed else []
    lines += [
        f"check {item.check}: {item.old or 'not made'} → {item.new or 'not made'}. {item.detail}"
        for item in result.checks
    ]
    lines += [f"{item.name}: {item.old} → {item.new}" for item in result.settings]
    return "### What differs\n\n" + bullets(lines, NOTES) if lines else ""


def _redacted(kind: str, value: str) -> str:
    """A reference model may be a folder of somebody's disk."""
    return base_name(value) if kind == "reference" else value


def _about(result: ComparisonResult) -> str:
    lines = [
        f"{which}: {base_name(run.target)}, hash {run.hash[:12]}, {run.created}"
        for which, run in (("old", result.old), ("new", result.new))
    ]
    corrected = (
        f"worse and better are corrected for {result.tests} tests together; p is of one difference by itself; the "
        "random mask is a control and not tested"
    )
    return "### What was compared\n\n" + bullets([*lines, result.pairing.how, corrected], NOTES)
