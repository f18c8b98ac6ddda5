"""Plot of AUROC against noise level, with one panel per attack and one line per mask."""

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

STYLES = {
    "none": {"color": "black", "linestyle": "-", "linewidth": 1.6},
    "influence": {"color": "C0", "linestyle": "-", "linewidth": 1.3},
    "weighted": {"color": "C1", "linestyle": (0, (5, 1.5)), "linewidth": 1.3},
    "random": {"color": "0.55", "linestyle": (0, (2, 2)), "linewidth": 1.1},
}
"""Line style of each mask, from front to back; the styles differ without colours, too."""
MAX_COLUMNS = 3
"""Maximum number of panels per row."""
MIN_SPACING = 0.11
"""Minimum distance between two levels on the upper axis, as a fraction of its length."""


def plot_sweep(sweep: SweepResult, path: Path) -> None:
    """Draw the AUROC of every attack against log SNR, with the levels on a second axis above.

    Cleaner levels are on the left. The band is the confidence interval without a mask; a dot marks the highest point of
    each line.
    """
    columns = min(MAX_COLUMNS, len(sweep.attacks))
    rows = math.ceil(len(sweep.attacks) / columns)
    size = (1.0 + 3.3 * columns, 0.9 + 2.9 * rows)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flatten()
    for axes, attack in zip(panels, sweep.attacks, strict=False):
        _panel(axes, sweep, attack)
        axes.set_xlabel("log SNR, noise to the right", fontsize=8)
    for axes in panels[len(sweep.attacks) :]:
        axes.remove()
    for axes in panels[: len(sweep.attacks) : columns]:
        axes.set_ylabel("AUROC", fontsize=8)
    lines, names = panels[0].get_legend_handles_labels()
    legend_columns = min(len(names), 1 + 2 * columns)
    figure.legend(lines, names, loc="outside lower center", ncols=legend_columns, fontsize=8, frameon=False)
    name = shorten(Path(sweep.info.id).name, 40)
    title = f"{name}: {sweep.members} members, {sweep.nonmembers} non-members"
    figure.suptitle(title, fontsize=9, parse_math=False)
    save_figure(figure, path)


def _panel(axes: Axes, sweep: SweepResult, attack: str) -> None:
    axes.axhline(0.5, color="0.6", linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    for depth, (mask, style) in enumerate(STYLES.items()):
        order = 3 - 0.1 * depth  # the unmasked line is drawn over the others
        # Level 0 of a flow model has no noise: its log SNR is infinite and has no place on the axis.
        curve = [point for point in sweep.curve(attack, mask) if math.isfinite(point.log_snr)]
        log_snr, values = [point.log_snr for point in curve], [point.auroc.value for point in curve]
        marker = "o" if len(curve) == 1 else None  # a line of one point is invisible
        label = "no mask" if mask == "none" else mask
        axes.plot(
            log_snr,
            values,
            label=label,
            marker=marker,
            markersize=3,
            zorder=order,
            **style,  # type: ignore[arg-type]
        )
        best = sweep.best(attack, mask)
        if math.isfinite(best.log_snr):
            axes.plot(best.log_snr, best.auroc.value, marker="o", markersize=3.5, zorder=order, color=style["color"])
    curve = [point for point in sweep.curve(attack, "none") if math.isfinite(point.log_snr)]
    low, high = (np.array([getattr(point.auroc, end) for point in curve]) for end in ("lo", "hi"))
    label = f"{sweep.confidence:.0%} interval without mask"
    axes.fill_between(
        [point.log_snr for point in curve], low, high, color="black", alpha=0.12, linewidth=0, label=label
    )
    axes.invert_xaxis()
    axes.set_title(attack, fontsize=9, parse_math=False)
    axes.tick_params(labelsize=7.5)
    axes.spines["right"].set_visible(False)
    axes.grid(visible=True, axis="y", alpha=0.2)
    if curve:
        _write_levels(axes, curve, sweep.schedule)


def _write_levels(axes: Axes, curve: Sequence[Point], schedule: Schedule) -> None:
    """Write round levels on a second axis above."""
    start, end = axes.get_xlim()
    above = axes.twiny()
    above.set_xlim(start, end)
    levels = round_levels(schedule, curve[0].level, curve[-1].level, abs(start - end) * MIN_SPACING)
    above.set_xticks([schedule.log_snr(level) for level in levels], [str(level) for level in levels], fontsize=6.5)
    above.set_xlabel("level", fontsize=7, labelpad=2)
    above.tick_params(length=2, pad=1)
    above.spines["right"].set_visible(False)


def round_levels(schedule: Schedule, first: int, last: int, spacing: float) -> list[int]:
    """Choose round levels to write on an axis of log SNR, as many as there is room for.

    Args:
        schedule: Noise schedule.
        first: First level on the axis.
        last: Last level on the axis.
        spacing: Minimum distance between two chosen levels, in log SNR.

    Returns:
        Levels among 0 and 1, 2 and 5 times the powers of ten, ascending; the last level if none of these is in range.
    """
    candidates = [0, *(digit * 10**power for power in range(7) for digit in (1, 2, 5))]
    chosen: list[int] = []
    # From the noisiest level on, so that the largest round level always has its place.
    for level in sorted((level for level in candidates if first <= level <= last), reverse=True):
        log_snr = schedule.log_snr(level)
        if math.isfinite(log_snr) and (not chosen or log_snr - schedule.log_snr(chosen[-1]) >= spacing):
            chosen.append(level)
    return chosen[::-1] or [last]
