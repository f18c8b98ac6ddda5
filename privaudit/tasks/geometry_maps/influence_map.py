"""Map of one image: the influence of every latent dimension, next to the image and its decoded latent."""

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
"""Width of the page, in inches: the text width of a paper."""
MARGIN, GAP, COLOUR_BAR = 0.12, 0.14, 0.8
"""Margin of the page, gap between panels, and space for a colour bar with its numbers, in inches."""
PANEL_TITLE = 0.2
"""Space for the title of a panel, in inches."""
HEADER, FOOTER = 0.5, 0.3
"""Space for the title of the page, and for the explanation of the stripes, in inches."""
MAX_LARGE_CHANNELS = 8
"""Maximum number of channels in rows of 4; more channels are in rows of 8."""
STRIPE = 7
"""Distance between stripes, in pixels."""


@dataclass(frozen=True)
class MapPage:
    """Content of the map of one image.

    Attributes:
        image: ``(height, width, 3)``, uint8.
        decoded: Decoded latent D(z), ``(height, width, 3)``, uint8.
        influence: Influence, ``(channels, height, width)``, >= 0.
        mask: Whether a mask keeps each dimension, ``(channels, height, width)``, bool.
        name: Name of the image.
        note: Line below the name.
    """

    image: NDArray[np.uint8]
    decoded: NDArray[np.uint8]
    influence: NDArray[np.floating]
    mask: NDArray[np.bool_]
    name: str
    note: str


class InfluenceMap:
    """A page of panels that is laid out once and drawn for one image after the other.

    The upper row shows the image, its decoded latent, and log10 of the influence summed over channels. Below are all
    channels on one scale, with stripes over the dimensions that a mask drops.
    """

    def __init__(self, latent_shape: tuple[int, ...], image_size: tuple[int, int]) -> None:
        channels, rows, columns = latent_shape
        # Lengths are in inches until `panel` divides them by the size of the figure.
        across = min(channels, 4 if channels <= MAX_LARGE_CHANNELS else 8)
        panels_width = WIDTH - 2 * MARGIN - COLOUR_BAR
        large = (panels_width - 2 * GAP) / 3
        # One or two channels would be larger than the image if they filled the row.
        small = (panels_width - (across - 1) * GAP) / across if across >= 3 else large
        large_height, small_height = large * image_size[0] / image_size[1], small * rows / columns
        lines = -(-channels // across)  # rounded up
        channels_top = lines * (small_height + PANEL_TITLE) + FOOTER
        height = HEADER + PANEL_TITLE + large_height + GAP + channels_top
        self._figure = Figure(figsize=(WIDTH, height), facecolor="white")
        self._panel_pixels = (round(small * DPI), round(small_height * DPI))

        def panel(x: float, y: float, panel_width: float, panel_height: float) -> Axes:
            return self._figure.add_axes((x / WIDTH, y / height, panel_width / WIDTH, panel_height / height))

        upper_bottom = channels_top + GAP
        upper = [panel(MARGIN + column * (large + GAP), upper_bottom, large, large_height) for column in range(3)]
        lower = [
            panel(
                MARGIN + (channel % across) * (small + GAP),
                channels_top - PANEL_TITLE - (channel // across) * (small_height + PANEL_TITLE) - small_height,
                small,
                small_height,
            )
            for channel in range(channels)
        ]
        # `draw` only replaces the data of these empty images, because laying out a page takes much longer.
        blank_image = np.zeros((*image_size, 3), np.uint8)
        blank_channel = np.zeros((rows, columns))
        self._image, self._decoded = (without_ticks(axes).imshow(blank_image, aspect="auto") for axes in upper[:2])
        self._sum = without_ticks(upper[2]).imshow(blank_channel, cmap=COLOURS, interpolation="none", aspect="auto")
        self._channels = [
            without_ticks(axes).imshow(blank_channel, cmap=COLOURS, interpolation="none", aspect="auto")
            for axes in lower
        ]
        self._stripes = [_stripes_over(axes, blank_channel.shape) for axes in lower]
        for axes, title in zip(upper, ("image", "decoded latent", "influence, all channels"), strict=True):
            axes.set_title(title, fontsize=8, pad=3)
        bar_x = WIDTH - MARGIN - COLOUR_BAR + 0.1
        self._bars = [
            self._bar(self._sum, panel(bar_x, upper_bottom, 0.12, large_height)),
            self._bar(self._channels[0], panel(bar_x, FOOTER, 0.12, channels_top - FOOTER - PANEL_TITLE)),
        ]
        self._cut = self._bars[1].ax.axhline(0, color="white", linewidth=1.2)
        self._titles = [axes.set_title("", fontsize=8, pad=3) for axes in lower]
        self._title = "channel {}: {:.0%}" if across <= 4 else "{}: {:.0%}"
        x = MARGIN / WIDTH
        self._name = self._figure.text(x, 1 - 0.13 / height, "", fontsize=10, va="top", parse_math=False)
        self._note = self._figure.text(x, 1 - 0.33 / height, "", fontsize=8, va="top", parse_math=False)
        self._footer = self._figure.text(x, 0.1 / height, "", fontsize=7)

    def draw(self, page: MapPage, path: Path) -> None:
        """Draw one image and write it as PNG."""
        self._image.set_data(page.image)
        self._decoded.set_data(page.decoded)
        _fill(self._sum, log_influence(page.influence.sum(axis=0)))
        logs = log_influence(page.influence)
        fractions = page.influence.sum(axis=(1, 2)) / max(float(page.influence.sum()), np.finfo(np.float64).tiny)
        for number, (channel, stripes) in enumerate(zip(self._channels, self._stripes, strict=True)):
            _fill(channel, logs[number], logs)
            stripes.set_data(_striped(~page.mask[number], self._panel_pixels))
            self._titles[number].set_text(self._title.format(number, fractions[number]))
        dropped = 1 - page.mask.mean()
        # A mask by influence keeps everything above its cut, so the smallest influence that it keeps marks the cut.
        self._cut.set_ydata([logs[page.mask].min()] * 2)
        self._cut.set_visible(bool(dropped > 0))
        self._footer.set_text(
            "Lower panels: each channel with its fraction of the influence."
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
    """Show values on the scale of ``scale``, the values of all panels that share it; by default on their own."""
    shared = values if scale is None else scale
    low, high = float(shared.min()), float(shared.max())
    image.set_data(values)
    image.set_clim(low, high if high > low else low + 1)  # a colour bar cannot have the length 0


def _stripes_over(axes: Axes, shape: tuple[int, ...]) -> AxesImage:
    # The extent of an image of this shape, so that the overlay covers the panel whatever its own resolution is.
    extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
    return axes.imshow(np.zeros((1, 1, 4)), extent=extent, interpolation="nearest", aspect="auto")


def _striped(dropped: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.float64]:
    """Make diagonal white stripes over dropped cells.

    Args:
        dropped: Whether each latent position is dropped, ``(rows, columns)``, bool.
        size: Width and height of the panel in pixels.

    Returns:
        RGBA overlay, ``(height, width, 4)``, in [0, 1].
    """
    width, height = size
    x, y = np.arange(width), np.arange(height)
    # Each pixel of the panel takes the value of the cell that it lies in.
    inside = dropped[np.ix_(y * dropped.shape[0] // height, x * dropped.shape[1] // width)]
    on_stripe = (y[:, None] + x[None, :]) % STRIPE == 0
    overlay = np.ones((height, width, 4))
    overlay[..., 3] = 0.7 * (inside & on_stripe)
    return overlay
