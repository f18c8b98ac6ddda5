"""Prints a comparison on the terminal: what got worse or better first, the numbers below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from privaudit.compare import ComparisonResult
from privaudit.report.numbers import COMPACT
from privaudit.report.redact import escaped
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
from privaudit.report.terminal.console import TABLE, rows, section, standard_output

MIN_WIDE = 124
"""Minimum columns for the intervals of both runs."""
STYLES = {"worse": "red", "better": "green", "unclear": "", "unmeasured": "dim"}


def print_comparison(result: ComparisonResult, console: Console | None = None, files: Sequence[Path] = ()) -> None:
    """Print a comparison."""
    out, shown = console or standard_output(), escaped(result)
    out.print(_headline(shown))
    for metric in metrics_of(shown.changes):
        out.print()
        out.print(_table(shown, metric, out.width))
    differs = rows([(Text(what), Text(text)) for what, text in what_differs(shown)], 9)
    notes = Group(*(Text(f"- {note}") for note in note_lines(shown)))
    for part in (section("What differs", differs), section("Keep in mind", notes), _about(shown, files)):
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
    """Lay out a line whose mark has a column of its own, so that further lines of the text are indented."""
    if not mark:
        return Text(text)
    grid = Table.grid(padding=0)
    grid.add_column(width=8)
    grid.add_column()
    grid.add_row(Text(mark, style=STYLES.get(mark, "")), Text(text))
    return grid


def _table(result: ComparisonResult, metric: str, width: int) -> Group:
    old, new, difference = (Column(title, no_wrap=True) for title in ("old", "new", "difference"))
    table = Table(Column("attack", overflow="fold"), "mask", old, new, difference, "p", "", **TABLE)
    before = ""
    for change in result.changes:
        if change.metric != metric:
            continue
        both = (change.old, change.new)
        table.add_row(
            Text(change.attack if change.attack != before else ""),
            change.mask,
            *(COMPACT.estimate(run) if width >= MIN_WIDE else COMPACT.number(run.value) for run in both),
            COMPACT.difference(change.difference),
            COMPACT.p_value(change.difference.p),
            Text(DIRECTIONS[change.direction]),
            style=STYLES[change.direction],
        )
        before = change.attack
    return section(table_title(result, metric), table)


def _about(result: ComparisonResult, files: Sequence[Path]) -> Group:
    lines = [
        (which, f"{run.target}, hash {run.hash[:12]}, {run.created}, {run.run}")
        for which, run in (("old", result.old), ("new", result.new))
    ]
    lines += [("how", pairing_text(result)), *(("file", str(file)) for file in files)]
    return section("What was compared", rows([(Text(name), Text(line)) for name, line in lines], 5))
