"""Plot of the distribution of the local distortion in each set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from privaudit.report.plots.canvas import shorten
from privaudit.tasks.figure_file import save_figure
from privaudit.tasks.geometry_maps import GeometryMap

MAX_POINTS = 60
"""Maximum number of images in a set for which each image is drawn as a point."""
MIN_IMAGES = 4
"""Minimum number of images for a density estimate; smaller sets are drawn as points alone."""


def plot_distortion(geometry: GeometryMap, path: Path) -> None:
    """Draw a violin of the distortion of each set, with its quartiles.

    Lines across all sets are the quartiles of all images together. Images whose distortion is not finite, because the
    decoder is not injective there, are counted in the label and not drawn.
    """
    values, labels = geometry.distortion.values.numpy(), np.array(geometry.labels)
    sets = [part.label for part in geometry.sets]
    figure = Figure(figsize=(1.2 + 1.3 * max(len(sets), 2), 3.4), layout="constrained", facecolor="white")
    axes = figure.subplots()
    names = []
    for position, label in enumerate(sets, start=1):
        in_set = values[labels == label]
        drawn = in_set[np.isfinite(in_set)]
        _violin(axes, position, drawn)
        missing = f"\n{len(in_set) - len(drawn)} not finite" if len(drawn) < len(in_set) else ""
        names.append(f"{shorten(label, 16)}\nn = {len(in_set)}{missing}")
    finite = values[np.isfinite(values)]
    if len(finite) >= MIN_IMAGES and len(sets) > 1:
        for fraction in (0.25, 0.5, 0.75):
            edge = float(np.quantile(finite, fraction))
            axes.axhline(edge, color="0.6", linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
            axes.annotate(
                f"{fraction:.0%} of all",
                (1.01, edge),
                xycoords=("axes fraction", "data"),
                fontsize=6.5,
                color="0.35",
                va="center",
            )
    axes.set_xticks(range(1, len(sets) + 1), names, fontsize=8, parse_math=False)
    axes.set_xlim(0.4, len(sets) + 0.6)
    axes.set_ylabel(axis_label(geometry), fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def axis_label(geometry: GeometryMap) -> str:
    """Axis label that names the distortion and the method that measured it."""
    name = geometry.options.distortion_spec.split(":")[0]
    return f"local distortion log √det G ({name})"


def _violin(axes: Axes, position: int, values: NDArray[np.float64]) -> None:
    """Draw one set at a position on the horizontal axis."""
    # Equal values have no density: their kernel would have a width of zero.
    if len(values) >= MIN_IMAGES and np.ptp(values) > 0:
        parts = axes.violinplot(values, positions=[position], widths=0.8, showextrema=False)
        for body in parts["bodies"]:  # type: ignore[attr-defined]
            body.set(facecolor="0.82", edgecolor="0.3", linewidth=0.7, alpha=1)
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
        axes.hlines([low, high], position - 0.17, position + 0.17, color="black", linewidth=0.8)
        axes.hlines(median, position - 0.25, position + 0.25, color="black", linewidth=2)
    if 0 < len(values) <= MAX_POINTS:
        # Points are jittered so that equal values do not hide each other; seeded, so that every run draws the same.
        jitter = np.random.default_rng(0).uniform(-0.08, 0.08, len(values)) if len(values) > 1 else 0
        axes.plot(position + jitter, values, linestyle="none", marker="o", markersize=2.5, color="C0", alpha=0.7)
