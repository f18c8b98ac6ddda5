"""AUROC against noise level, one panel per attack and one line per mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from privaudit.auditing.sweep import Point, SweepResult
from privaudit.model.schedule import Schedule
from privaudit.report.plots.canvas import shorten
from privaudit.tasks.figure_file import save_figure

LINES = {
    "none": {"color": "black", "linestyle": "-", "linewidth": 1.6},
    "influence": {"color": "C0", "linestyle": "-", "linewidth": 1.3},
    "weighted": {"color": "C1", "linestyle": (0, (5, 1.5)), "linewidth": 1.3},
    "random": {"color": "0.55", "linestyle": (0, (2, 2)), "linewidth": 1.1},
}
"""By mask, the upper ones above the lower ones; told apart without colours, too."""
ACROSS = 3
"""Panels in a row."""
APART = 0.11
"""Share of the axis that two levels written above it are apart at least."""


def plot_sweep(found: SweepResult, path: Path) -> None:
    """Draw every attack's AUROC against log SNR, cleaner levels on the left, with the levels above.

    The band is the interval without a mask; a dot marks the highest point of each line.
    """
    columns = min(ACROSS, len(found.attacks))
    rows = math.ceil(len(found.attacks) / columns)
    size = (1.0 + 3.3 * columns, 0.9 + 2.9 * rows)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flatten()
    for axes, attack in zip(panels, found.attacks, strict=False):
        _panel(axes, found, attack)
        axes.set_xlabel("log SNR, noise to the right", fontsize=8)
    for axes in panels[len(found.attacks) :]:
        axes.remove()
    for axes in panels[: len(found.attacks) : columns]:
        axes.set_ylabel("AUROC", fontsize=8)
    lines, names = panels[0].get_legend_handles_labels()
    wide = min(len(names), 1 + 2 * columns)
    figure.legend(lines, names, loc="outside lower center", ncols=wide, fontsize=8, frameon=False)
    name = shorten(Path(found.info.id).name, 40)
    title = f"{name}: {found.members} members, {found.nonmembers} non-members"
    figure.suptitle(title, fontsize=9, parse_math=False)
    save_figure(figure, path)


def _panel(axes: Axes, found: SweepResult, attack: str) -> None:
    axes.axhline(0.5, color="0.6", linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    for depth, (mask, style) in enumerate(LINES.items()):
        above = 3 - 0.1 * depth
        curve = [point for point in found.curve(attack, mask) if math.isfinite(point.log_snr)]
        at, values = [point.log_snr for point in curve], [point.auroc.value for point in curve]
        alone = "o" if len(curve) == 1 else None
        label = "no mask" if mask == "none" else mask
        axes.plot(at, values, label=label, marker=alone, markersize=3, zorder=above, **style)  # type: ignore[arg-type]
        best = found.best(attack, mask)
        if math.isfinite(best.log_snr):
            axes.plot(best.log_snr, best.auroc.value, marker="o", markersize=3.5, zorder=above, color=style["color"])
    curve = [point for point in found.curve(attack, "none") if math.isfinite(point.log_snr)]
    low, high = (np.array([getattr(point.auroc, end) for point in curve]) for end in ("lo", "hi"))
    label = f"{found.confidence:.0%} interval without mask"
    axes.fill_between(
        [point.log_snr for point in curve], low, high, color="black", alpha=0.12, linewidth=0, label=label
    )
    axes.invert_xaxis()
    axes.set_title(attack, fontsize=9, parse_math=False)
    axes.tick_params(labelsize=7.5)
    axes.spines["right"].set_visible(False)
    axes.grid(visible=True, axis="y", alpha=0.2)
    if curve:
        _write_levels(axes, curve, found.schedule)


def _write_levels(axes: Axes, curve: Sequence[Point], schedule: Schedule) -> None:
    """Put round levels on a second axis above."""
    left, right = axes.get_xlim()
    above = axes.twiny()
    above.set_xlim(left, right)
    levels = round_levels(schedule, curve[0].level, curve[-1].level, abs(left - right) * APART)
    above.set_xticks([schedule.log_snr(level) for level in levels], [str(level) for level in levels], fontsize=6.5)
    above.set_xlabel("level", fontsize=7, labelpad=2)
    above.tick_params(length=2, pad=1)
    above.spines["right"].set_visible(False)


def round_levels(schedule: Schedule, first: int, last: int, apart: float) -> list[int]:
    """Choose levels to write on an axis of log SNR: 0, then 1, 2 and 5 times powers of ten, as far as there is room."""
    known = [0, *(step * 10**power for power in range(7) for step in (1, 2, 5))]
    chosen: list[int] = []
    for level in sorted((level for level in known if first <= level <= last), reverse=True):
        at = schedule.log_snr(level)
        if math.isfinite(at) and (not chosen or at - schedule.log_snr(chosen[-1]) >= apart):
            chosen.append(level)
    return chosen[::-1] or [last]
