"""Figures of a task as PNG files that are whole or absent."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from privaudit.report.plots.canvas import DPI
from privaudit.storage.files import write_bytes


def save_figure(figure: Figure, path: Path, dpi: int | None = None) -> None:
    """Draw a figure and write it as PNG; ``dpi`` defaults to `privaudit.report.plots.canvas.DPI`."""
    drawn = BytesIO()
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # of file names: a box is drawn
        figure.savefig(drawn, format="png", dpi=dpi or DPI)
    write_bytes(path, drawn.getvalue())
