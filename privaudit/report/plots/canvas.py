"""Figures and axes of plots, the colours of light and dark pages, and what the plots of all commands have in common."""

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
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from privaudit.escape import escape_control

Dash = tuple[float, tuple[float, ...] | None]
"""Offset and lengths of strokes and gaps in points; None draws through."""

DASHES: tuple[Dash, ...] = ((0, None), (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)), (0, (1, 1.5)), (0, (10, 3)))
"""Of attacks, in the order in which they are drawn."""
MASK_DASHES: dict[str, Dash] = {
    "none": (0, None),
    "influence": (0, (7, 1.5)),
    "weighted": (0, (3, 1.5)),
    "random": (0, (1, 1.5)),
}
MASK_MARKERS = {"none": "o", "random": "s", "influence": "D", "weighted": "^"}


@dataclass(frozen=True)
class Palette:
    """Every colour of a plot, as matplotlib writes colours; ``none`` paints nothing.

    A plot takes no other colour and mixes none: what is lighter has an opacity. A page can therefore draw a plot with
    colours of its own and exchange them in the file.

    Attributes:
        text: Labels, numbers, the frame.
        muted: What is less important, such as marks.
        grid: Lines behind the data.
        background: Background of the figure.
        members: The first of the two compared sets.
        nonmembers: The other one.
        chance: What guessing reaches.
        blind: What is reached without the model.
        none: Scores without a mask.
        random: Under the random mask.
        influence: Under the influence mask.
        weighted: Under the weights.
        cycle: Attacks, in the order in which they are drawn.
        colours: Colour map of maps.
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
        """Give the colour of a mask; of one that is not privaudit's own, that of text."""
        known = {"none": self.none, "random": self.random, "influence": self.influence, "weighted": self.weighted}
        return known.get(name, self.text)

    def attack(self, place: int) -> str:
        """Give the colour of the attack that is drawn at a place, from 0."""
        return self.cycle[place % len(self.cycle)]


# After Okabe and Ito, "Color universal design" (2008): apart for every kind of colour vision. Darker than theirs where
# they have less than 3:1 against white, or lighter where they have less against black.
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
"""Points of all text: a plot of 6.4 inches can still be read on a phone."""
SMALL = 9
LONGEST = 28
"""Letters of a name."""


class Panel(Axes):
    """Axes that are their figure's picture in a notebook, where only figures of pyplot would be shown."""

    def _repr_png_(self) -> bytes:
        return as_png(self.get_figure(root=True))


class Panels(tuple[Axes, ...]):
    """Several axes of one figure, its picture in a notebook."""

    __slots__ = ()

    def _repr_png_(self) -> bytes:
        return as_png(self[0].get_figure(root=True))


def as_png(figure: Figure | None) -> bytes:
    """Draw a figure.

    Returns:
        A PNG file; of axes that have been removed from their figure, nothing.
    """
    drawn = BytesIO()
    if figure is not None:
        if not isinstance(figure.canvas, FigureCanvasAgg):
            FigureCanvasAgg(figure)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # of names: a box is drawn
            figure.savefig(drawn, format="png", dpi=DPI / 2, facecolor=figure.get_facecolor())
    return drawn.getvalue()


def canvas(width: float, height: float, palette: Palette) -> Axes:
    """Make one panel.

    Returns:
        Axes of a new figure.
    """
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=palette.background)
    return figure.add_subplot(axes_class=Panel)


def canvases(count: int, width: float, height: float, palette: Palette, **shared: Any) -> Panels:  # noqa: ANN401
    """Make panels in a row.

    Returns:
        Axes of a new figure, from left to right.
    """
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=palette.background)
    row = figure.subplots(1, count, squeeze=False, subplot_kw={"axes_class": Panel}, **shared)
    return Panels(row[0])


def dress(axes: Axes, palette: Palette, *, grid: str | None = None) -> Axes:
    """Give axes the colours and sizes of a palette.

    Returns:
        The same.
    """
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
    """Remove the marks between powers of ten."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())


def literal(text: str, most: int = LONGEST) -> str:
    """Make a name of a user's fit to be drawn: short, and without what has no glyph.

    Returns:
        The name, to be drawn with ``parse_math=False``.
    """
    return shorten(escape_control(text), most)


def legend(
    axes: Axes,
    handles: Sequence[Any],
    names: Sequence[str],
    palette: Palette,
    **places: Any,  # noqa: ANN401 - matplotlib's own
) -> Legend:
    """Write what the lines are.

    Returns:
        The legend.
    """
    # Labels of numbers at first: matplotlib leaves out what starts with an underscore, and reads dollars as formulas.
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
    """Write what the lines are above the axes, where no data can be.

    Returns:
        The legend.
    """
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
    """Write a word beside something."""
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
    """Write names along an axis, as they are."""
    setter = axes.set_xticks if axis == "x" else axes.set_yticks
    setter(list(places), list(names), parse_math=False)


COLOURS = "viridis"
"""Brighter is more, in grey and for every kind of colour vision."""
DPI = 200
LEAST = 1e-8
"""Share of the largest influence at which logarithms end: less is drawn as this."""


def log_influence(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """log10 of influences; zeros become `LEAST` of the largest, or 0 where there is no influence at all."""
    most = float(values.max())
    return np.log10(np.maximum(values.astype(np.float64), most * LEAST)) if most > 0 else np.zeros(values.shape)


def shorten(text: str, most: int) -> str:
    """Cut the middle out of a text that is too long for its place."""
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def without_ticks(axes: Axes) -> Axes:
    """Leave of the axes only their frame."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_linewidth(0.5)
    return axes
