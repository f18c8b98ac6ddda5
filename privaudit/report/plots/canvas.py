"""Figures without pyplot, which keeps every figure of a process, and axes that a notebook shows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import NullLocator

from privaudit.escape import escape_control
from privaudit.report.drawing import DPI, shorten
from privaudit.report.plots.palette import Palette

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
