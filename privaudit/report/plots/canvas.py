"""Figures, axes and palettes, and what the plots of all commands share."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from privaudit.escape import escape_control

Dash = tuple[float, tuple[float, ...] | None]
"""Offset, and lengths of strokes and gaps in points; None is a solid line."""
DASHED: Dash = (0, (4, 3))
DOTTED: Dash = (0, (1, 2))

DASHES: tuple[Dash, ...] = ((0, None), (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)), (0, (1, 1.5)), (0, (10, 3)))
"""Dashes of attacks, in the order in which these are drawn."""
MASK_DASHES: dict[str, Dash] = {
    "none": (0, None),
    "influence": (0, (7, 1.5)),
    "weighted": (0, (3, 1.5)),
    "random": (0, (1, 1.5)),
}
MASK_MARKERS = {"none": "o", "random": "s", "influence": "D", "weighted": "^"}


@dataclass(frozen=True)
class Palette:
    """All colours of a plot, as matplotlib writes colours; ``"none"`` is transparent.

    Plots use no other colours and mix none; lighter shades are made by opacity. The HTML page can therefore draw a plot
    with sentinel colours and replace them in the file.

    Attributes:
        text: Labels, numbers, the frame.
        muted: Less important parts, such as tick marks.
        grid: Lines behind the data.
        background: Background of the figure.
        members: First of the two compared sets.
        nonmembers: Second of the two compared sets.
        chance: Performance of guessing.
        blind: Performance without the model.
        none: Scores without mask.
        random: Scores under the random mask.
        influence: Scores under the influence mask.
        weighted: Weighted scores.
        cycle: Attacks, in the order in which they are drawn.
        colours: Name of the colour map of influence maps.
    """

    text: str
    muted: str
    grid: str
    background: str
    members: str
    nonmembers: str
    chance: str
    blind: str
    none: str
    random: str
    influence: str
    weighted: str
    cycle: tuple[str, ...]
    colours: str = "viridis"

    def mask(self, name: str) -> str:
        """Return the colour of a mask; a custom mask has that of text."""
        known = {"none": self.none, "random": self.random, "influence": self.influence, "weighted": self.weighted}
        return known.get(name, self.text)

    def attack(self, place: int) -> str:
        """Return the colour of the attack that is drawn at a place, from 0."""
        return self.cycle[place % len(self.cycle)]


# After Okabe and Ito, "Color universal design" (2008), whose colours differ for every kind of colour vision. Those with
# less contrast than 3:1 are darker here on white and lighter on black.
LIGHT = Palette(
    text="#1c2128",
    muted="#5b6470",
    grid="#d5dae0",
    background="#ffffff",
    members="#c2410c",
    nonmembers="#0072b2",
    chance="#5b6470",
    blind="#7a5c00",
    none="#1c2128",
    random="#767f8a",
    influence="#0072b2",
    weighted="#c2410c",
    cycle=("#0072b2", "#c2410c", "#00795c", "#9b4f8a", "#7a5c00", "#1c2128"),
)
DARK = Palette(
    text="#e6edf3",
    muted="#9aa4b0",
    grid="#39424d",
    background="#0f1419",
    members="#ff9d5c",
    nonmembers="#56b4e9",
    chance="#9aa4b0",
    blind="#e5c14d",
    none="#e6edf3",
    random="#8b949e",
    influence="#56b4e9",
    weighted="#ff9d5c",
    cycle=("#56b4e9", "#ff9d5c", "#3fc79a", "#dc9bc9", "#e5c14d", "#e6edf3"),
)


SIZE = 10
"""Font size in points, with which a plot of 6.4 inches can still be read on a phone."""
SMALL = 9
"""Font size of legends and notes in points."""
MAX_NAME = 28
"""Maximum number of characters of a name."""


class Panel(Axes):
    """Axes that a notebook shows as an image of their figure, as it does for figures of pyplot."""

    def _repr_png_(self) -> bytes:
        return as_png(self.get_figure(root=True))


class Panels(tuple[Axes, ...]):
    """Several axes of one figure, which a notebook shows as an image of that figure."""

    __slots__ = ()

    def _repr_png_(self) -> bytes:
        return as_png(self[0].get_figure(root=True))


def as_png(figure: Figure | None) -> bytes:
    """Render a figure as the bytes of a PNG file; empty for None, the figure of axes that were removed."""
    drawn = BytesIO()
    if figure is not None:
        if not isinstance(figure.canvas, FigureCanvasAgg):
            FigureCanvasAgg(figure)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box is drawn
            figure.savefig(drawn, format="png", dpi=DPI / 2, facecolor=figure.get_facecolor())
    return drawn.getvalue()


def canvas(width: float, height: float, palette: Palette) -> Axes:
    """Make a new figure of ``width`` x ``height`` inches with one panel, and return its axes."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=palette.background)
    return figure.add_subplot(axes_class=Panel)


def canvases(count: int, width: float, height: float, palette: Palette, **shared: Any) -> Panels:  # noqa: ANN401
    """Make a new figure with panels in a row, and return their axes from left to right."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=palette.background)
    row = figure.subplots(1, count, squeeze=False, subplot_kw={"axes_class": Panel}, **shared)
    return Panels(row[0])


def dress(axes: Axes, palette: Palette, *, grid: str | None = None) -> Axes:
    """Give axes the colours of a palette and the common sizes, with grid lines along ``grid``, and return them."""
    axes.set_facecolor(palette.background)
    axes.tick_params(which="both", colors=palette.muted, labelcolor=palette.text, labelsize=SIZE, width=0.8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=palette.text, fontsize=SIZE)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=palette.muted, linewidth=0.8)
    axes.grid(visible=False, which="both")
    if grid is not None:
        axes.grid(visible=True, which="major", axis=grid, color=palette.grid, linewidth=0.8)  # type: ignore[arg-type]
        axes.set_axisbelow(True)
    return axes


def without_minor_ticks(axes: Axes) -> None:
    """Remove the ticks between powers of ten."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())


def guide(axes: Axes, axis: Literal["x", "y"], value: float, colour: str, dashes: Dash = DASHED) -> None:
    """Draw a thin line behind the data at a value of an axis."""
    draw = axes.axvline if axis == "x" else axes.axhline
    draw(value, color=colour, linewidth=1, linestyle=dashes, zorder=1)


def guide_key(colour: str, dashes: Dash = DASHED) -> Line2D:
    """Return the line of a `guide` for a legend."""
    return Line2D([], [], color=colour, linewidth=1, linestyle=dashes)  # type: ignore[arg-type]


def literal(text: str, limit: int = MAX_NAME) -> str:
    """Shorten a name that users chose and escape control characters; draw it with ``parse_math=False``."""
    return shorten(escape_control(text), limit)


def legend(
    axes: Axes,
    handles: Sequence[Any],
    names: Sequence[str],
    palette: Palette,
    **places: Any,  # noqa: ANN401 - matplotlib's own
) -> Legend:
    """Add a legend and return it."""
    # Numbers as labels at first: matplotlib omits labels that start with an underscore and reads dollars as formulas.
    numbers = [str(number) for number, _ in enumerate(handles)]
    made = axes.legend(
        handles, numbers, fontsize=SMALL, frameon=True, framealpha=0.8, facecolor=palette.background, **places
    )
    made.get_frame().set_edgecolor("none")
    for text, name in zip(made.get_texts(), names, strict=True):
        text.set(text=name, parse_math=False, color=palette.text)
    return made


def legend_above(
    axes: Axes, handles: Sequence[Any], names: Sequence[str], palette: Palette, columns: int, title: str | None = None
) -> Legend:
    """Add a legend above the axes, where it hides no data, and return it."""
    places = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": columns, "title": title}
    made = legend(axes, handles, names, palette, columnspacing=1.2, **places)
    made.get_title().set(color=palette.text, fontsize=SMALL)
    return made


Coordinates = Literal["data", "axes fraction"]


def note(
    axes: Axes,
    text: str,
    place: tuple[float, float],
    colour: str,
    *,
    within: tuple[Coordinates, Coordinates] = ("data", "data"),
    shift: tuple[float, float] = (0, 3),
    align: tuple[str, str] = ("center", "baseline"),
) -> None:
    """Write a word next to a point, moved by ``shift`` points."""
    axes.annotate(
        text,
        place,
        xycoords=within,
        xytext=shift,
        textcoords="offset points",
        ha=align[0],
        va=align[1],
        color=colour,
        fontsize=SMALL,
    )


def tick_names(axes: Axes, axis: str, places: Sequence[float], names: Sequence[str]) -> None:
    """Write names along an axis literally, without formulas."""
    setter = axes.set_xticks if axis == "x" else axes.set_yticks
    setter(list(places), list(names), parse_math=False)


COLOURS = "viridis"
"""Colour map in which brighter is more, also in grey and for every kind of colour vision."""
DPI = 200
MIN_INFLUENCE = 1e-8
"""Smallest influence that is told from 0, as a fraction of the largest."""


def log_influence(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute log10 of influences, of at least `MIN_INFLUENCE` of the largest; zeros if all influences are 0."""
    top = float(values.max())
    return np.log10(np.maximum(values.astype(np.float64), top * MIN_INFLUENCE)) if top > 0 else np.zeros(values.shape)


def shorten(text: str, limit: int) -> str:
    """Cut the middle out of a text with more than ``limit`` characters."""
    if len(text) <= limit:
        return text
    end = (limit - 1) // 2
    return f"{text[: limit - 1 - end]}…{text[len(text) - end :]}"


def without_ticks(axes: Axes) -> Axes:
    """Remove the ticks of axes and leave the frame."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_linewidth(0.5)
    return axes
