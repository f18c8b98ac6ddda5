"""Plot of the most and the least distorted images next to each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from privaudit.report.plots.canvas import COLOURS, log_influence, shorten, without_ticks
from privaudit.tasks.figure_file import save_figure
from privaudit.tasks.geometry_maps import EXTREMES, GeometryMap

PANEL = 0.6
"""Width of an image, in inches."""
COLUMN_GAP, ROW_GAP, HALF_GAP = 0.05, 0.05, 0.25
"""Gaps between columns, between rows, and between the two halves, in inches."""
ROW_LABELS, COLOUR_BAR, TITLES, BOTTOM = 0.62, 0.55, 0.5, 0.08
"""Space for row labels (left), the colour bar (right), titles (top), and the bottom margin, in inches."""


def plot_extremes(geometry: GeometryMap, images: NDArray[np.uint8], path: Path) -> None:
    """Draw the most distorted images on the left and the least distorted images on the right.

    Rows are the image, its decoded latent, and its influence summed over channels, on one scale for all images.

    Args:
        geometry: Geometry of the images.
        images: Pixels of the first images of ``geometry.shown``, ``(m, height, width, 3)``; up to `EXTREMES` of either
            end.
        path: PNG file to write.
    """
    # Columns are positions in `geometry.shown`, from the most to the least distorted image. With an odd number of
    # images, the middle one belongs to the left half.
    order = np.argsort(geometry.rank[list(geometry.shown[: len(images)])])
    most_distorted = order[: min(EXTREMES, -(-len(order) // 2))]
    # Least distorted first, so that both halves start with their extreme.
    least_distorted = order[len(most_distorted) :][-EXTREMES:][::-1]
    height, width = geometry.info.image_size
    panel_height = PANEL * height / width
    half_gap = HALF_GAP if len(least_distorted) else 0
    figure_width = ROW_LABELS + len(order) * PANEL + (len(order) - 1) * COLUMN_GAP + half_gap + COLOUR_BAR
    figure_height = TITLES + 3 * panel_height + 2 * ROW_GAP + BOTTOM
    figure = Figure(figsize=(figure_width, figure_height), facecolor="white")
    sums = {
        position: log_influence(geometry.influence.values[geometry.shown[position]].sum(dim=0).numpy())
        for position in order
    }
    low, high = min(part.min() for part in sums.values()), max(part.max() for part in sums.values())
    for half, positions in enumerate((most_distorted, least_distorted)):
        start = ROW_LABELS + half * (len(most_distorted) * (PANEL + COLUMN_GAP) - COLUMN_GAP + HALF_GAP)
        for column, position in enumerate(positions):
            x, image = start + column * (PANEL + COLUMN_GAP), geometry.shown[position]
            for row, content in enumerate((images[position], geometry.decoded[position], sums[position])):
                y = BOTTOM + (2 - row) * (panel_height + ROW_GAP)
                axes = without_ticks(
                    figure.add_axes((
                        x / figure_width,
                        y / figure_height,
                        PANEL / figure_width,
                        panel_height / figure_height,
                    ))
                )
                drawn = axes.imshow(content, cmap=COLOURS, vmin=low, vmax=high, aspect="auto")
                if row == 0:
                    note = f"{geometry.distortion.values[image]:.1f}\n{shorten(geometry.labels[image], 10)}"
                    axes.set_title(note, fontsize=6.5, pad=2, parse_math=False)
                if column == 0 and half == 0:
                    axes.set_ylabel(("image", "decoded\nlatent", "influence")[row], fontsize=7)
        if len(positions):
            title = ("Most", "Least")[half] + " distorted" * (len(positions) > 1)  # two words are wider than one panel
            figure.text(start / figure_width, 1 - 0.06 / figure_height, title, fontsize=8, va="top")
    above = (3 * panel_height + 2 * ROW_GAP + BOTTOM + 0.03) / figure_height
    figure.text((ROW_LABELS - 0.06) / figure_width, above, "log √det G\nset", fontsize=6.5, va="bottom", ha="right")
    # `drawn` is an influence panel, the last row; all of them have the same scale.
    scale = figure.add_axes((
        1 - (COLOUR_BAR - 0.1) / figure_width,
        BOTTOM / figure_height,
        0.1 / figure_width,
        panel_height / figure_height,
    ))
    bar = figure.colorbar(drawn, cax=scale)
    bar.ax.set_title("log₁₀", fontsize=6.5, pad=3)
    bar.ax.tick_params(labelsize=6.5, width=0.5, length=2)
    bar.outline.set_linewidth(0.5)
    save_figure(figure, path)
