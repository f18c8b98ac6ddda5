"""The most and the least distorted images beside each other, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from privaudit.report.plots.canvas import COLOURS, log_influence, shorten, without_ticks
from privaudit.tasks.figure_file import save_figure
from privaudit.tasks.geometry_maps import EXTREMES, GeometryMap

PANEL = 0.6
"""Inches of an image."""
GAP, BETWEEN, LEFT, BAR, HEAD, ROW_GAP = 0.05, 0.25, 0.62, 0.55, 0.5, 0.05
"""Inches: between images, between the two halves, for names of rows, for the colour bar, for titles, between rows."""


def plot_extremes(found: GeometryMap, pictures: NDArray[np.uint8], path: Path) -> None:
    """Draw the most distorted images on the left and the least distorted on the right.

    Each with its picture, its decoded latent, and its influence summed over channels on a scale that all share.

    Args:
        found: The geometry.
        pictures: ``(m, height, width, 3)``, the first of ``found.shown``, `EXTREMES` of either end or fewer.
        path: PNG file to write.
    """
    order = np.argsort(found.rank[list(found.shown[: len(pictures)])])
    most = order[: min(EXTREMES, -(-len(order) // 2))]
    least = order[len(most) :][-EXTREMES:][::-1]
    height, width = found.info.image_size
    high = PANEL * height / width
    inches = (
        LEFT + len(order) * PANEL + (len(order) - 1) * GAP + (BETWEEN if len(least) else 0) + BAR,
        HEAD + 3 * high + 2 * ROW_GAP + 0.08,
    )
    figure = Figure(figsize=inches, facecolor="white")
    sums = {place: log_influence(found.influence.values[found.shown[place]].sum(dim=0).numpy()) for place in order}
    low, top = min(part.min() for part in sums.values()), max(part.max() for part in sums.values())
    for half, places in enumerate((most, least)):
        start = LEFT + half * (len(most) * (PANEL + GAP) - GAP + BETWEEN)
        for column, place in enumerate(places):
            left, image = start + column * (PANEL + GAP), found.shown[place]
            for row, content in enumerate((pictures[place], found.decoded[place], sums[place])):
                bottom = 0.08 + (2 - row) * (high + ROW_GAP)
                axes = without_ticks(
                    figure.add_axes((left / inches[0], bottom / inches[1], PANEL / inches[0], high / inches[1]))
                )
                shown = axes.imshow(content, cmap=COLOURS, vmin=low, vmax=top, aspect="auto")
                if row == 0:
                    note = f"{found.distortion.values[image]:.1f}\n{shorten(found.labels[image], 10)}"
                    axes.set_title(note, fontsize=6.5, pad=2, parse_math=False)
                if column == 0 and half == 0:
                    axes.set_ylabel(("picture", "decoded\nlatent", "influence")[row], fontsize=7)
        if len(places):
            title = ("Most", "Least")[half] + " distorted" * (len(places) > 1)
            figure.text(start / inches[0], 1 - 0.06 / inches[1], title, fontsize=8, va="top")
    over = (3 * high + 2 * ROW_GAP + 0.08 + 0.03) / inches[1]
    figure.text((LEFT - 0.06) / inches[0], over, "log √det G\nset", fontsize=6.5, va="bottom", ha="right")
    scale = figure.add_axes((1 - (BAR - 0.1) / inches[0], 0.08 / inches[1], 0.1 / inches[0], high / inches[1]))
    bar = figure.colorbar(shown, cax=scale)
    bar.ax.set_title("log₁₀", fontsize=6.5, pad=3)
    bar.ax.tick_params(labelsize=6.5, width=0.5, length=2)
    bar.outline.set_linewidth(0.5)
    save_figure(figure, path)
