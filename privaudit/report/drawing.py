"""What the pictures of a report have in common: colours, logarithms, names that fit."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
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
