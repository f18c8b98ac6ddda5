"""How distortion is spread over the images of each set, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from privaudit.report.plots.canvas import shorten
from privaudit.tasks.figure_file import save_figure
from privaudit.tasks.geometry_maps import GeometryMap

SINGLE = 60
"""Sets of up to this many images also show each of them."""
MIN_IMAGES = 4
"""Fewer images have points alone: a density of them would be made up."""


def plot_distortion(found: GeometryMap, path: Path) -> None:
    """Draw a violin of distortion for each set, with its quartiles.

    Lines across all sets are the edges of the quarters, over all images together. Images whose distortion is not
    finite (a decoder that is not injective there) are counted in the label and not drawn.
    """
    values, labels = found.distortion.values.numpy(), np.array(found.labels)
    sets = [part.label for part in found.sets]
    figure = Figure(figsize=(1.2 + 1.3 * max(len(sets), 2), 3.4), layout="constrained", facecolor="white")
    axes = figure.subplots()
    names = []
    for place, label in enumerate(sets, start=1):
        own = values[labels == label]
        known = own[np.isfinite(own)]
        _violin(axes, place, known)
        missing = f"\n{len(own) - len(known)} not finite" if len(known) < len(own) else ""
        names.append(f"{shorten(label, 16)}\nn = {len(own)}{missing}")
    finite = values[np.isfinite(values)]
    if len(finite) >= MIN_IMAGES and len(sets) > 1:
        for share in (0.25, 0.5, 0.75):
            edge = float(np.quantile(finite, share))
            axes.axhline(edge, color="0.6", linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
            axes.annotate(
                f"{share:.0%} of all",
                (1.01, edge),
                xycoords=("axes fraction", "data"),
                fontsize=6.5,
                color="0.35",
                va="center",
            )
    axes.set_xticks(range(1, len(sets) + 1), names, fontsize=8, parse_math=False)
    axes.set_xlim(0.4, len(sets) + 0.6)
    axes.set_ylabel(axis_label(found), fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def axis_label(found: GeometryMap) -> str:
    """Name what is on the axis of a distortion."""
    name = found.options.distortion_spec.split(":")[0]
    return f"local distortion log √det G ({name})"


def _violin(axes: Axes, place: int, values: NDArray[np.float64]) -> None:
    """Draw one set at a place of the axis."""
    if len(values) >= MIN_IMAGES and np.ptp(values) > 0:
        parts = axes.violinplot(values, positions=[place], widths=0.8, showextrema=False)
        for body in parts["bodies"]:  # type: ignore[attr-defined]
            body.set(facecolor="0.82", edgecolor="0.3", linewidth=0.7, alpha=1)
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        axes.hlines([low, high], place - 0.17, place + 0.17, color="black", linewidth=0.8)
        axes.hlines(middle, place - 0.25, place + 0.25, color="black", linewidth=2)
    if 0 < len(values) <= SINGLE:
        beside = np.random.default_rng(0).uniform(-0.08, 0.08, len(values)) if len(values) > 1 else 0
        axes.plot(place + beside, values, linestyle="none", marker="o", markersize=2.5, color="C0", alpha=0.7)
