"""Plots of a result: pure functions that take and return matplotlib axes, without the state of pyplot.

``result.plot`` has the same functions as methods (see `Plots`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes

from privaudit.report.plots.by_part import influence, levels, quartiles
from privaudit.report.plots.canvas import DARK, LIGHT, Palette, Panels, as_png, canvas, canvases
from privaudit.report.plots.forest import differences, masks, overview
from privaudit.report.plots.score_plots import distributions, roc
from privaudit.report.quoted import strongest
from privaudit.results.audit_result import AuditResult

__all__ = [
    "DARK",
    "LIGHT",
    "Palette",
    "Panels",
    "Plots",
    "as_png",
    "canvas",
    "canvases",
    "differences",
    "distributions",
    "influence",
    "levels",
    "masks",
    "overview",
    "quartiles",
    "roc",
    "strongest",
]


@dataclass(frozen=True)
class Plots:
    """The plots of one result; each draws on the matplotlib axes that it takes, or on new ones, and returns them.

    Attributes:
        result: Result of an audit.
    """

    result: AuditResult

    def overview(self, *, mask: str = "none", axes: Sequence[Axes] | None = None, palette: Palette = LIGHT) -> Panels:
        """AUROC and TPR at 1 % FPR of every attack (see `privaudit.report.plots.forest`)."""
        return overview(self.result, mask=mask, axes=axes, palette=palette)

    def roc(
        self,
        attacks: Sequence[str] | None = None,
        *,
        mask: str = "none",
        blind: bool = True,
        axes: Axes | None = None,
        palette: Palette = LIGHT,
    ) -> Axes:
        """ROC curves on logarithmic axes (see `privaudit.report.plots.score_plots`)."""
        return roc(self.result, attacks, mask=mask, blind=blind, axes=axes, palette=palette)

    def distributions(
        self, attack: str | None = None, *, mask: str = "none", axes: Axes | None = None, palette: Palette = LIGHT
    ) -> Axes:
        """Scores of both sets (see `privaudit.report.plots.score_plots`)."""
        return distributions(self.result, attack, mask=mask, axes=axes, palette=palette)

    def masks(
        self,
        attacks: Sequence[str] | None = None,
        *,
        metric: Literal["auroc", "tpr"] = "auroc",
        axes: Axes | None = None,
        palette: Palette = LIGHT,
    ) -> Axes:
        """What each mask gains (see `privaudit.report.plots.forest`)."""
        return masks(self.result, attacks, metric=metric, axes=axes, palette=palette)

    def quartiles(self, attack: str | None = None, *, axes: Axes | None = None, palette: Palette = LIGHT) -> Axes:
        """AUROC by local distortion (see `privaudit.report.plots.by_part`)."""
        return quartiles(self.result, attack, axes=axes, palette=palette)

    def levels(self, attack: str | None = None, *, axes: Axes | None = None, palette: Palette = LIGHT) -> Axes:
        """AUROC by noise level (see `privaudit.report.plots.by_part`)."""
        return levels(self.result, attack, axes=axes, palette=palette)

    def influence(self, *, axes: Sequence[Axes] | None = None, palette: Palette = LIGHT) -> Panels:
        """Mean influence maps (see `privaudit.report.plots.by_part`)."""
        return influence(self.result, axes=axes, palette=palette)
