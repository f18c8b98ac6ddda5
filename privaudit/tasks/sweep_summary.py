"""The summary of a sweep on the terminal."""

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


def print_sweep(found: SweepResult, files: list[Path], console: Console | None = None) -> None:
    """Print the best level of each attack under each mask, what was left out, and the files."""
    out = console or standard_output()
    out.print(_best(found))
    out.print()
    out.print(Text(OPTIMISTIC, style="dim"))
    for item in found.refused:
        out.print(Text(f"not swept: {item.name} {item.reason}", style="dim"), soft_wrap=True)
    out.print()
    for place, path in enumerate(files):
        out.print(Text(f"{'files' if place == 0 else '':<8}{path}"), soft_wrap=True)


def _best(found: SweepResult) -> Table:
    right = [Column(name, justify="right") for name in ("best level", "log SNR")]
    table = Table(
        Column("attack", overflow="fold"),
        "mask",
        *right,
        "AUROC there",
        Column("TPR@1%FPR", justify="right"),
        title=f"Best of {_counts(found)} levels, {found.members} members and {found.nonmembers} non-members",
        **TABLE,
    )
    for attack in found.attacks:
        for mask in MASKS:
            best = found.best(attack, mask)
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


def _counts(found: SweepResult) -> str:
    counts = sorted({len(found.curve(attack, MASKS[0])) for attack in found.attacks})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
