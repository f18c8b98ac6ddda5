"""Estimates with their intervals, one per row: what forest plots are made of."""

from __future__ import annotations

import math

from matplotlib.axes import Axes

from privaudit.evaluation.estimate import Difference, Estimate, RateEstimate
from privaudit.report.plots.canvas import note
from privaudit.report.plots.palette import Palette

ROW = 0.36
"""Inches that a row needs."""


def row(
    axes: Axes,
    place: float,
    found: Estimate | RateEstimate | Difference,
    colour: str,
    palette: Palette,
    *,
    marker: str = "o",
    missing_at: float = 0.0,
) -> None:
    """Draw one estimate; n/a where there is none."""
    if math.isnan(found.value):
        note(axes, "n/a", (missing_at, place), palette.muted, shift=(4, 0), align=("left", "center"))
        return
    known = not (math.isnan(found.lo) or math.isnan(found.hi))
    if known:
        axes.plot([found.lo, found.hi], [place, place], color=colour, linewidth=1.8, solid_capstyle="butt", zorder=2)
        axes.plot([found.lo, found.hi], [place, place], color=colour, linestyle="none", marker="|", markersize=6)
    filling = colour if known else palette.background
    axes.plot(found.value, place, color=colour, marker=marker, markersize=6, markerfacecolor=filling, zorder=3)
