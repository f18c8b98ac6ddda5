"""Terminal summary of a sweep over checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from privaudit.auditing.checkpoint_sweep import CheckpointPoint, CheckpointSweepResult
from privaudit.evaluation.doubts import doubtful_checks
from privaudit.report.numbers import COMPACT
from privaudit.report.sentences.fact_text import facts_text
from privaudit.report.terminal.console import TABLE, standard_output

NOT_CORRECTED = (
    "The leak begins at the first checkpoint from which on every interval lies above .5. The intervals are those of "
    "single checkpoints; the largest of many looks larger than it is. privaudit scan judges one checkpoint."
)
"""Note below the tables."""


def print_checkpoints(sweep: CheckpointSweepResult, files: list[Path], console: Console | None = None) -> None:
    """Print where the leak of each attack begins and is largest, the AUROC of every checkpoint, notes and the files."""
    out = console or standard_output()
    out.print(_extremes(sweep))
    out.print()
    out.print(_all(sweep))
    out.print()
    for note in notes(sweep):
        out.print(Text(note))
    out.print(Text(NOT_CORRECTED, style="dim"))
    for item in sweep.refused:
        out.print(Text(f"not drawn: {item.name} {item.reason}", style="dim"), soft_wrap=True)
    out.print()
    for number, path in enumerate(files):
        out.print(Text(f"{'files' if number == 0 else '':<8}{path}"), soft_wrap=True)


def notes(sweep: CheckpointSweepResult) -> Iterator[str]:
    """Say what limits the reading of the curves.

    Args:
        sweep: The curves.

    Yields:
        Sentences.
    """
    for check in sweep.checks:
        if check.status == "fail":
            yield (
                "The model may be read otherwise than it was trained, so that no curve tells whether it leaks: check "
                f"{check.name} failed: {facts_text(check.facts)}."
            )
    for check in doubtful_checks(sweep.checks):
        yield f"A curve without a leak is no all-clear: check {check.name} warns: {facts_text(check.facts)}."
    first = [sweep.curve(attack)[0] for attack in sweep.attacks]
    early = [point.attack for point in first if point.checkpoint == "base" and point.leaks]
    if early:
        yield (
            f"The base already tells the sets apart ({', '.join(early)}): they differ by more than this training, or "
            "the base was trained on the members, too. Compare the curves with step 0 and not with .5."
        )
    others = sweep.output.averages
    if others:
        audited, other = ("averaged", "raw") if sweep.output.averaged else ("raw", "averaged")
        flag = "leave --ema out" if sweep.output.averaged else "pass --ema"
        yield (
            f"Audited were the {audited} weights; {other} ones are next to {len(others)} of them, as in {others[-1]}: "
            f"{flag} to audit those."
        )
        if sweep.curve(sweep.attacks[0])[-1].checkpoint == "final":
            yield "The final weights are those that the script saved, which may be averaged or raw."


def _extremes(sweep: CheckpointSweepResult) -> Table:
    count = len(sweep.output.checkpoints)
    table = Table(
        Column("attack", overflow="fold"),
        Column("leak begins", overflow="fold"),
        Column("largest", overflow="fold"),
        "AUROC there",
        Column("TPR@1%FPR", justify="right"),
        title=f"{count} checkpoints, {sweep.members} members and {sweep.nonmembers} non-members",
        **TABLE,
    )
    for attack in sweep.attacks:
        begin, largest = sweep.begin(attack), sweep.largest(attack)
        rate = "n/a" if math.isnan(largest.tpr_at_1pct) else f"{largest.tpr_at_1pct:.3f}"
        start = "not seen" if begin is None else _place(sweep, begin)
        table.add_row(attack, start, _place(sweep, largest), COMPACT.estimate(largest.auroc), rate)
    return table


def _place(sweep: CheckpointSweepResult, point: CheckpointPoint) -> str:
    return point.checkpoint if point.step is None else f"{sweep.output.unit} {point.step}"


def _all(sweep: CheckpointSweepResult) -> Table:
    """AUROC of every checkpoint, with one column per attack."""
    unit = Column(sweep.output.unit, justify="right")
    table = Table(unit, Column("checkpoint", overflow="fold"), *sweep.attacks, **TABLE)
    value = {(point.attack, point.checkpoint): f"{point.auroc.value:.3f}".lstrip("0") for point in sweep.points}
    for point in sweep.curve(sweep.attacks[0]):
        step = "" if point.step is None else str(point.step)
        # The base is the reference of the others and has no difference of its own.
        cells = (value.get((attack, point.checkpoint), "") for attack in sweep.attacks)
        table.add_row(step, point.checkpoint, *cells)
    return table
