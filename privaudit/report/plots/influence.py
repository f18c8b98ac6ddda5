"""Where the decoder is sensitive, averaged over images, so that none of them is shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from privaudit.errors import ResultError
from privaudit.report.drawing import without_ticks
from privaudit.report.plots.canvas import SIZE, SMALL, Panels, canvases, dress
from privaudit.report.plots.palette import LIGHT, Palette
from privaudit.results.audit_result import AuditResult


def influence(result: AuditResult, *, axes: Sequence[Axes] | None = None, palette: Palette = LIGHT) -> Panels:
    """Draw the mean influence map of all images and of the most exposed members, on one scale.

    Returns:
        Both axes: all images, and those that the attack recognises most clearly.

    Raises:
        ResultError: Not two axes were given.
    """
    found = result.influence
    panels = canvases(2, 6.4, 3.3, palette) if axes is None else Panels(axes)
    if len(panels) != 2:
        raise ResultError(f"expected two axes, of all and of exposed images, got {len(panels)}")
    maps = [np.atleast_2d(np.array(values, dtype=np.float64)) for values in (found.everywhere, found.exposed)]
    low, top = min(values.min() for values in maps), max(values.max() for values in maps)
    which = "most exposed" if result.data.membership_known else "highest-scoring"
    titles = ("all images", f"the {found.images} {which}")
    for panel, values, title in zip(panels, maps, titles, strict=True):
        shown = without_ticks(panel).imshow(
            values, cmap=palette.colours, vmin=low, vmax=top if top > low else low + 1, interpolation="none"
        )
        dress(panel, palette).spines[:].set(visible=True, color=palette.muted, linewidth=0.8)
        panel.set_title(title, fontsize=SIZE, color=palette.text)
    figure = panels[0].figure
    bar = figure.colorbar(shown, ax=list(panels), shrink=0.8)
    bar.set_label("influence, mean 1", fontsize=SMALL, color=palette.text)
    bar.ax.set_facecolor(palette.background)
    bar.ax.tick_params(labelsize=SMALL, colors=palette.muted, labelcolor=palette.text)
    bar.outline.set(edgecolor=palette.muted, linewidth=0.8)
    return panels
