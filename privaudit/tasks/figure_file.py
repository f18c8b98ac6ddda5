"""Saves the figures of a task as PNG files, each complete or absent."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from privaudit.report.plots.canvas import DPI
from privaudit.storage.files import write_bytes


def save_figure(figure: Figure, path: Path, dpi: int | None = None) -> None:
    """Render a figure and write it as PNG; ``dpi`` defaults to `privaudit.report.plots.canvas.DPI`."""
    buffer = BytesIO()
    FigureCanvasAgg(figure)  # not through pyplot, which selects a backend and keeps every figure alive
    with warnings.catch_warnings():
        # File names may hold any character; one that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="png", dpi=dpi or DPI)
    write_bytes(path, buffer.getvalue())
