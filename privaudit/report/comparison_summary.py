"""A comparison on the terminal: what got worse and what got better first, the numbers below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from privaudit.compare import ComparisonResult
from privaudit.escape import escape_control
from privaudit.evaluation.estimate import Estimate
from privaudit.report.comparison_words import (
    DIRECTIONS,
    asked_text,
    fallen,
    headline,
    lead,
    metrics_of,
    table_title,
)
from privaudit.report.console import TABLE, section, standard_output
from privaudit.report.numbers import difference_text, interval_text, number_text, p_text
from privaudit.storage.exact_json import decode, encode

WIDE = 124
"""Columns from which both runs' intervals fit."""
STYLES = {"worse": "red", "better": "green", "unclear": "", "unmeasured": "dim"}


def print_comparison(result: ComparisonResult, console: Console | None = None, files: Sequence[Path] = ()) -> None:
    """Print a comparison."""
    out, shown = console or standard_output(), _harmless(result)
    out.print(_headline(shown))
    for metric in metrics_of(shown.changes):
        out.print()
        out.print(_table(shown, metric, out.width))
    for part in (_settings(shown), _notes(shown), _about(shown, files)):
        out.print()
        out.print(part)


def _harmless(result: ComparisonResult) -> ComparisonResult:
    def clean(value: object) -> object:
        if isinstance(value, str):
            return escape_control(value)
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        return [clean(item) for item in value] if isinstance(value, list) else value

    return decode(ComparisonResult, clean(encode(result)))


def _headline(result: ComparisonResult) -> Panel:
    colour = "magenta" if result.verdict.status == "inconclusive" else "green" if fallen(result) else "cyan"
    if result.verdict.status == "fail":
        colour = "red"
    title = f"{Path(result.old.target).name} -> {Path(result.new.target).name}"
    lines: list[RenderableType] = [Text(headline(result), style=f"bold {colour}")]
    lines += [_hanging(line) for line in lead(result)]
    lines.append(_hanging(f"finding {_before_and_now(result.old.level, result.new.level)}"))
    lines.append(_hanging(f"verdict {_before_and_now(result.old.status, result.new.status)}"))
    for gate in result.gates:
        lines.append(_hanging(f"gate    {gate.gate}: {gate.old or 'not set'} -> {gate.new or 'not set'}"))
    lines.append(Text(asked_text(result), style="bold" if result.fail_on_regression else "dim"))
    return Panel(Group(*lines), title=Text(f"privaudit compare: {title}"), border_style=colour)


def _before_and_now(old: str, new: str) -> str:
    return f"{new}, as before" if old == new else f"{old} -> {new}"


def _hanging(line: str) -> RenderableType:
    """A line whose label stands apart from what may need several."""
    label = line[:8]
    if label.rstrip() not in ("worse", "better", "finding", "verdict", "gate"):
        return Text(line)
    grid = Table.grid(padding=0)
    grid.add_column(width=8)
    grid.add_column()
    grid.add_row(Text(label, style=STYLES.get(label.rstrip(), "")), Text(line[8:]))
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
        show = interval_text if wide else _value_text
        table.add_row(
            Text(change.attack if change.attack != before else ""),
            change.mask,
            show(change.old),
            show(change.new),
            difference_text(change.difference),
            p_text(change.difference.p),
            Text(DIRECTIONS[change.direction]),
            style=STYLES[change.direction],
        )
        before = change.attack
    return section(table_title(result, metric), table)


def _value_text(estimate: Estimate) -> str:
    return number_text(estimate.value)


def _settings(result: ComparisonResult) -> Group:
    lines = [f"allowed    {item.what}: {item.old} -> {item.new} (--allow {item.kind})" for item in result.allowed]
    lines += [f"left out   {item.attack}: {item.reason}" for item in result.not_compared]
    lines += [f"added      {', '.join(result.added)}"] if result.added else []
    lines += [f"removed    {', '.join(result.removed)}"] if result.removed else []
    lines += [
        f"check      {item.check}: {item.old or 'not made'} -> {item.new or 'not made'}. {item.detail}"
        for item in result.checks
    ]
    lines += [f"setting    {item.name}: {item.old} -> {item.new}" for item in result.settings]
    nothing = "nothing" if result.same_model else "nothing but the model"
    return section("What differs", Group(*map(Text, lines or [nothing])))


def _notes(result: ComparisonResult) -> Group:
    marks = (
        f"worse and better are corrected for {result.tests} tests together; p is of one difference by itself; the "
        "random mask is a control and not tested."
    )
    return section("Keep in mind", Group(*(Text(f"- {note}") for note in (*result.notes, marks))))


def _about(result: ComparisonResult, files: Sequence[Path]) -> Group:
    lines = [
        f"{which}   {run.target}, hash {run.hash[:12]}, {run.created}, {run.run}"
        for which, run in (("old", result.old), ("new", result.new))
    ]
    lines.append(f"how   {result.pairing.how}")
    if result.pairing.old_only or result.pairing.new_only:
        lines.append(
            f"      {result.pairing.old_only} images in the old run alone, {result.pairing.new_only} in the new"
        )
    lines += [f"file  {file}" for file in files]
    return section("What was compared", Group(*map(Text, lines)))
