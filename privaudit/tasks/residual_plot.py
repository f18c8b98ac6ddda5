"""The residual of every image against evaluations, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from privaudit.inversion import Inversion
from privaudit.tasks.figure_file import save_figure

EXACT = 1e-9
"""Drawn for a residual of 0, which has no logarithm."""
MOST_LINES = 200
"""Single images are drawn up to this many; the median and the band are of all."""


def plot_residuals(inversion: Inversion, title: str, path: Path, *, by_pixel: bool = False) -> None:
    """Draw residual against evaluations of E(D(z)) on a logarithmic axis.

    An image that has stopped keeps its last residual in the median and in the band.
    """
    history = inversion.residuals.double().numpy()
    label = "relative residual ‖E(D(z)) − E(x)‖ / ‖E(x)‖"
    tolerance = inversion.tolerance
    if by_pixel:
        history, label = inversion.pixel_residuals.double().numpy(), "relative pixel error ‖D(z) − x‖ / ‖x‖"
        tolerance = 0.0  # is one of the other residual
    history = np.where(np.isfinite(history), np.maximum(history, EXACT), np.nan)
    carried = history.copy()
    for column in range(1, carried.shape[1]):
        gap = np.isnan(carried[:, column])
        carried[gap, column] = carried[gap, column - 1]
    steps = np.arange(1, history.shape[1] + 1)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    single = "." if len(steps) == 1 else None
    axes.plot(steps, history[:MOST_LINES].T, color="tab:blue", alpha=0.15, linewidth=0.7, marker=single)
    low, middle, high = np.nanquantile(carried, [0.1, 0.5, 0.9], axis=0)
    axes.fill_between(steps, low, high, color="tab:blue", alpha=0.2, label="10 to 90 % of images")
    marker = "o" if len(steps) == 1 else None
    axes.plot(steps, middle, color="tab:blue", linewidth=2, marker=marker, label="median")
    if tolerance > 0:
        axes.axhline(tolerance, color="tab:red", linestyle="--", linewidth=1, label="tolerance")
    axes.set(xlim=(0.5, len(steps) + 0.5), yscale="log", xlabel="evaluations", ylabel=label, title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend(loc="upper right")
    save_figure(figure, path, dpi=120)
