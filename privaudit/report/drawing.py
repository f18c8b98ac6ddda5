"""What the pictures of a report have in common: colours, logarithms, names that fit, files that are whole."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

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


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG under a temporary name and rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # of file names: a box is drawn
        figure.savefig(temporary, format="png", dpi=DPI)
    os.replace(temporary, path)
