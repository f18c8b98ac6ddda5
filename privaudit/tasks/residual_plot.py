"""Plot of the residual of every image against the number of evaluations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from privaudit.inversion import Inversion
from privaudit.tasks.figure_file import save_figure

MIN_DRAWN = 1e-9
"""Value at which smaller residuals are drawn, because 0 has no logarithm."""
MAX_LINES = 200
"""Maximum number of images with a line of their own; the median and the band are computed over all images."""


def plot_residuals(inversion: Inversion, title: str, path: Path, *, by_pixel: bool = False) -> None:
    """Draw residuals against evaluations of E(D(z)) on a logarithmic axis.

    An image that has stopped enters the median and the band with its last residual.

    Args:
        inversion: Inversion with the residual history.
        title: Title of the plot.
        path: PNG file to write.
        by_pixel: Whether to draw the pixel error instead of the latent residual, which gradient solvers do not record.
    """
    history = inversion.residuals.double().numpy()
    label = "relative residual ‖E(D(z)) − E(x)‖ / ‖E(x)‖"
    tolerance = inversion.tolerance
    if by_pixel:
        history, label = inversion.pixel_residuals.double().numpy(), "relative pixel error ‖D(z) − x‖ / ‖x‖"
        tolerance = 0.0  # the tolerance applies to the latent residual
    history = np.where(np.isfinite(history), np.maximum(history, MIN_DRAWN), np.nan)
    # Without the last value of stopped images, the quantiles would rise as soon as the best images have converged.
    carried = history.copy()
    for column in range(1, carried.shape[1]):
        gap = np.isnan(carried[:, column])
        carried[gap, column] = carried[gap, column - 1]
    steps = np.arange(1, history.shape[1] + 1)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    line_marker, median_marker = (".", "o") if len(steps) == 1 else (None, None)  # a line of one point is invisible
    axes.plot(steps, history[:MAX_LINES].T, color="tab:blue", alpha=0.15, linewidth=0.7, marker=line_marker)
    low, median, high = np.nanquantile(carried, [0.1, 0.5, 0.9], axis=0)
    axes.fill_between(steps, low, high, color="tab:blue", alpha=0.2, label="10 to 90 % of images")
    axes.plot(steps, median, color="tab:blue", linewidth=2, marker=median_marker, label="median")
    if tolerance > 0:
        axes.axhline(tolerance, color="tab:red", linestyle="--", linewidth=1, label="tolerance")
    axes.set(xlim=(0.5, len(steps) + 0.5), yscale="log", xlabel="evaluations", ylabel=label, title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend(loc="upper right")
    save_figure(figure, path, dpi=120)
