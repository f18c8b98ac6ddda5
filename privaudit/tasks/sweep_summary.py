"""Terminal summary of a sweep."""

from __future__ import annotations

import math
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from privaudit.auditing.sweep import SweepResult
from privaudit.decoder_geometry import MASKS
from privaudit.report.numbers import COMPACT
from privaudit.report.terminal.console import TABLE, standard_output

OPTIMISTIC = (
    "The best of many levels, chosen on these images, looks better than it is: the interval is that of a level fixed "
    "beforehand. privaudit scan chooses the level by cross-fitting, on images other than those it scores."
)
"""Note below the table."""


def print_sweep(sweep: SweepResult, files: list[Path], console: Console | None = None) -> None:
    """Print the best level of each attack under each mask, the attacks that were not swept, and the files."""
    out = console or standard_output()
    out.print(_best(sweep))
    out.print()
    out.print(Text(OPTIMISTIC, style="dim"))
    for item in sweep.refused:
        out.print(Text(f"not swept: {item.name} {item.reason}", style="dim"), soft_wrap=True)
    out.print()
    for number, path in enumerate(files):
        out.print(Text(f"{'files' if number == 0 else '':<8}{path}"), soft_wrap=True)


def _best(sweep: SweepResult) -> Table:
    numbers = [Column(name, justify="right") for name in ("best level", "log SNR")]
    table = Table(
        Column("attack", overflow="fold"),
        "mask",
        *numbers,
        "AUROC there",
        Column("TPR@1%FPR", justify="right"),
        title=f"Best of {_level_counts(sweep)} levels, {sweep.members} members and {sweep.nonmembers} non-members",
        **TABLE,
    )
    for attack in sweep.attacks:
        for mask in MASKS:
            best = sweep.best(attack, mask)
            rate = "n/a" if math.isnan(best.tpr_at_1pct) else f"{best.tpr_at_1pct:.3f}"
            table.add_row(
                attack if mask == MASKS[0] else "",
                mask,
                str(best.level),
                f"{best.log_snr:.1f}",
                COMPACT.estimate(best.auroc),
                rate,
                style="dim" if mask == "random" else None,
            )
    return table


def _level_counts(sweep: SweepResult) -> str:
    """Number of levels per attack: one number, or the range if attacks have different numbers of levels."""
    counts = sorted({len(sweep.curve(attack, MASKS[0])) for attack in sweep.attacks})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
