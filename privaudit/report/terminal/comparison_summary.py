"""A comparison on the terminal: what got worse and what got better first, the numbers below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from privaudit.compare import ComparisonResult
from privaudit.evaluation.estimate import Estimate
from privaudit.report.numbers import COMPACT
from privaudit.report.sentences.comparison_text import (
    DIRECTIONS,
    exit_text,
    headline,
    lead_lines,
    metrics_of,
    note_lines,
    pairing_text,
    table_title,
    tone,
    what_differs,
)
from privaudit.report.terminal.console import TABLE, cleaned, rows, section, standard_output

WIDE = 124
"""Columns from which both runs' intervals fit."""
STYLES = {"worse": "red", "better": "green", "unclear": "", "unmeasured": "dim"}


def print_comparison(result: ComparisonResult, console: Console | None = None, files: Sequence[Path] = ()) -> None:
    """Print a comparison."""
    out, shown = console or standard_output(), cleaned(result)
    out.print(_headline(shown))
    for metric in metrics_of(shown.changes):
        out.print()
        out.print(_table(shown, metric, out.width))
    for part in (_settings(shown), _notes(shown), _about(shown, files)):
        out.print()
        out.print(part)


def _headline(result: ComparisonResult) -> Panel:
    colour = {"worse": "red", "better": "green", "inconclusive": "magenta", "neutral": "cyan"}[tone(result)]
    title = f"{Path(result.old.target).name} -> {Path(result.new.target).name}"
    lines: list[RenderableType] = [Text(headline(result), style=f"bold {colour}")]
    lines += [_marked(mark, text) for mark, text in lead_lines(result)]
    lines.append(_marked("finding", _before_and_now(result.old.level, result.new.level)))
    lines.append(_marked("verdict", _before_and_now(result.old.status, result.new.status)))
    for gate in result.gates:
        lines.append(_marked("gate", f"{gate.gate}: {gate.old or 'not set'} -> {gate.new or 'not set'}"))
    lines.append(Text(exit_text(result), style="bold" if result.fail_on_regression else "dim"))
    return Panel(Group(*lines), title=Text(f"privaudit compare: {title}"), border_style=colour)


def _before_and_now(old: str, new: str) -> str:
    return f"{new}, as before" if old == new else f"{old} -> {new}"


def _marked(mark: str, text: str) -> RenderableType:
    """A line whose mark stands apart from what may need several lines."""
    if not mark:
        return Text(text)
    grid = Table.grid(padding=0)
    grid.add_column(width=8)
    grid.add_column()
    grid.add_row(Text(mark, style=STYLES.get(mark, "")), Text(text))
    return grid


def _table(result: ComparisonResult, metric: str, width: int) -> Group:
    wide = width >= WIDE
    table = Table(
        Column("attack", overflow="fold"),
        "mask",
        Column("old", no_wrap=True),
        Column("new", no_wrap=True),
        Column("difference", no_wrap=True),
        "p",
        "",
        **TABLE,
    )
    before = ""
    for change in result.changes:
        if change.metric != metric:
            continue
        show = COMPACT.estimate if wide else _value_text
        table.add_row(
            Text(change.attack if change.attack != before else ""),
            change.mask,
            show(change.old),
            show(change.new),
            COMPACT.difference(change.difference),
            COMPACT.p_value(change.difference.p),
            Text(DIRECTIONS[change.direction]),
            style=STYLES[change.direction],
        )
        before = change.attack
    return section(table_title(result, metric), table)


def _value_text(estimate: Estimate) -> str:
    return COMPACT.number(estimate.value)


def _settings(result: ComparisonResult) -> Group:
    return section("What differs", rows([(Text(what), Text(text)) for what, text in what_differs(result)], 9))


def _notes(result: ComparisonResult) -> Group:
    return section("Keep in mind", Group(*(Text(f"- {note}") for note in note_lines(result))))


def _about(result: ComparisonResult, files: Sequence[Path]) -> Group:
    lines = [
        (which, f"{run.target}, hash {run.hash[:12]}, {run.created}, {run.run}")
        for which, run in (("old", result.old), ("new", result.new))
    ]
    lines += [("how", pairing_text(result)), *(("file", str(file)) for file in files)]
    return section("What was compared", rows([(Text(name), Text(line)) for name, line in lines], 5))
