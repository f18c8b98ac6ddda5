"""The influence of every latent dimension of one image, beside the image, as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from privaudit.report.plots.canvas import COLOURS, DPI, log_influence, shorten, without_ticks
from privaudit.tasks.figure_file import save_figure

WIDTH = 7.0
"""Inches: the text width of a page."""
MARGIN, GAP, BAR = 0.12, 0.14, 0.8
"""Inches: around the page, between panels, and for a colour bar with its numbers."""
TITLE = 0.2
"""Inches above a panel for its title."""
HEAD, FOOT = 0.5, 0.3
"""Inches for the title of the page, and for the explanation of the stripes."""
FEW = 8
"""Up to this many channels stand in rows of 4, more in rows of 8."""
STRIPE = 7
"""Pixels from stripe to stripe."""


@dataclass(frozen=True)
class MapPage:
    """What is drawn of one image.

    Attributes:
        picture: ``(height, width, 3)``, uint8.
        decoded: ``(height, width, 3)``, uint8, D(z).
        influence: ``(channels, height, width)``, >= 0.
        kept: ``(channels, height, width)``, bool: what a mask keeps.
        name: Name of the image.
        note: Below the name.
    """

    picture: NDArray[np.uint8]
    decoded: NDArray[np.uint8]
    influence: NDArray[np.floating]
    kept: NDArray[np.bool_]
    name: str
    note: str


class InfluenceMap:
    """A page of panels that is laid out once and drawn for one image after the other.

    Above, the picture, what its latent decodes to, and log10 of the influence summed over channels; below, every
    channel on one scale. Stripes mark the dimensions that a mask drops.
    """

    def __init__(self, latent_shape: tuple[int, ...], image_size: tuple[int, int]) -> None:
        channels, rows, columns = latent_shape
        across = min(channels, 4 if channels <= FEW else 8)
        grid = WIDTH - 2 * MARGIN - BAR
        large = (grid - 2 * GAP) / 3
        small = (grid - (across - 1) * GAP) / across if across >= 3 else large
        large_height, small_height = large * image_size[0] / image_size[1], small * rows / columns
        lines = -(-channels // across)
        below = lines * (small_height + TITLE) + FOOT
        height = HEAD + TITLE + large_height + GAP + below
        self._figure = Figure(figsize=(WIDTH, height), facecolor="white")
        self._size = (round(small * DPI), round(small_height * DPI))

        def panel(left: float, bottom: float, wide: float, high: float) -> Axes:
            return self._figure.add_axes((left / WIDTH, bottom / height, wide / WIDTH, high / height))

        top = below + GAP
        upper = [panel(MARGIN + place * (large + GAP), top, large, large_height) for place in range(3)]
        lower = [
            panel(
                MARGIN + (number % across) * (small + GAP),
                below - TITLE - (number // across) * (small_height + TITLE) - small_height,
                small,
                small_height,
            )
            for number in range(channels)
        ]
        picture = np.zeros((*image_size, 3), np.uint8)
        field = np.zeros((rows, columns))
        self._picture, self._decoded = (without_ticks(axes).imshow(picture, aspect="auto") for axes in upper[:2])
        self._sum = without_ticks(upper[2]).imshow(field, cmap=COLOURS, interpolation="none", aspect="auto")
        self._channels = [
            without_ticks(axes).imshow(field, cmap=COLOURS, interpolation="none", aspect="auto") for axes in lower
        ]
        self._stripes = [_stripes_over(axes, field.shape) for axes in lower]
        for axes, title in zip(upper, ("picture", "decoded latent", "influence, all channels"), strict=True):
            axes.set_title(title, fontsize=8, pad=3)
        bar = WIDTH - MARGIN - BAR + 0.1
        self._bars = [
            self._bar(self._sum, panel(bar, top, 0.12, large_height)),
            self._bar(self._channels[0], panel(bar, FOOT, 0.12, below - FOOT - TITLE)),
        ]
        self._cut = self._bars[1].ax.axhline(0, color="white", linewidth=1.2)
        self._titles = [axes.set_title("", fontsize=8, pad=3) for axes in lower]
        self._title = "channel {}: {:.0%}" if across <= 4 else "{}: {:.0%}"
        start = MARGIN / WIDTH
        self._name = self._figure.text(start, 1 - 0.13 / height, "", fontsize=10, va="top", parse_math=False)
        self._note = self._figure.text(start, 1 - 0.33 / height, "", fontsize=8, va="top", parse_math=False)
        self._foot = self._figure.text(start, 0.1 / height, "", fontsize=7)

    def draw(self, page: MapPage, path: Path) -> None:
        """Draw one image."""
        self._picture.set_data(page.picture)
        self._decoded.set_data(page.decoded)
        _fill(self._sum, log_influence(page.influence.sum(axis=0)))
        logs = log_influence(page.influence)
        shares = page.influence.sum(axis=(1, 2)) / max(float(page.influence.sum()), np.finfo(np.float64).tiny)
        for number, (image, stripes) in enumerate(zip(self._channels, self._stripes, strict=True)):
            _fill(image, logs[number], logs)
            stripes.set_data(_striped(~page.kept[number], self._size))
            self._titles[number].set_text(self._title.format(number, shares[number]))
        dropped = 1 - page.kept.mean()
        self._cut.set_ydata([logs[page.kept].min()] * 2)
        self._cut.set_visible(bool(dropped > 0))
        self._foot.set_text(
            "Lower panels: each channel with its share of the influence."
            + (f" Striped, and below the line on the scale: the {dropped:.0%} that a mask drops." if dropped else "")
        )
        self._name.set_text(shorten(page.name, 80))
        self._note.set_text(shorten(page.note, 95))
        save_figure(self._figure, path)

    def _bar(self, image: AxesImage, axes: Axes) -> Colorbar:
        bar = self._figure.colorbar(image, cax=axes)
        bar.set_label("log₁₀ influence", fontsize=8)
        bar.ax.tick_params(labelsize=7, width=0.5, length=2)
        bar.outline.set_linewidth(0.5)
        return bar


def _fill(image: AxesImage, values: NDArray[np.float64], scale: NDArray[np.float64] | None = None) -> None:
    """Show values on the scale of all that share it."""
    shared = values if scale is None else scale
    low, high = float(shared.min()), float(shared.max())
    image.set_data(values)
    image.set_clim(low, high if high > low else low + 1)


def _stripes_over(axes: Axes, shape: tuple[int, ...]) -> AxesImage:
    extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
    return axes.imshow(np.zeros((1, 1, 4)), extent=extent, interpolation="nearest", aspect="auto")


def _striped(dropped: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.float64]:
    """Make diagonal white stripes over the dropped cells, ``(height, width, 4)`` in pixels of the page."""
    wide, high = size
    across, down = np.arange(wide), np.arange(high)
    inside = dropped[np.ix_(down * dropped.shape[0] // high, across * dropped.shape[1] // wide)]
    line = (down[:, None] + across[None, :]) % STRIPE == 0
    overlay = np.ones((high, wide, 4))
    overlay[..., 3] = 0.7 * (inside & line)
    return overlay
