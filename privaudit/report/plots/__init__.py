"""Plots of a result, one per file: pure functions, matplotlib axes in and out, no state of pyplot."""

from privaudit.report.plots.accessor import Plots
from privaudit.report.plots.by_part import influence, levels, quartiles
from privaudit.report.plots.canvas import Panels, as_png, canvas, canvases
from privaudit.report.plots.choosing import strongest
from privaudit.report.plots.distributions import distributions
from privaudit.report.plots.forest import masks, overview
from privaudit.report.plots.palette import DARK, LIGHT, Palette
from privaudit.report.plots.roc_plot import roc

__all__ = [
    "DARK",
    "LIGHT",
    "Palette",
    "Panels",
    "Plots",
    "as_png",
    "canvas",
    "canvases",
    "distributions",
    "influence",
    "levels",
    "masks",
    "overview",
    "quartiles",
    "roc",
    "strongest",
]
