"""Every attack with its intervals, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from privaudit.errors import ResultError
from privaudit.report.plots.canvas import Panels, canvases, dress, literal, tick_names
from privaudit.report.plots.choosing import one_of, quoted_first, strongest
from privaudit.report.plots.palette import LIGHT, Palette
from privaudit.report.plots.rows import ROW, row
from privaudit.report.sentences.names import attack_text
from privaudit.results.audit_result import AuditResult

RATE = "0.01"
"""The false-positive rate of the right panel, as a key of ``tpr_at_fpr``."""


def overview(
    result: AuditResult, *, mask: str = "none", axes: Sequence[Axes] | None = None, palette: Palette = LIGHT
) -> Panels:
    """Draw AUROC and TPR at 1 % FPR of every attack, with intervals and what guessing reaches.

    Returns:
        Both axes, the quoted attack on top and the others by AUROC without mask; the quoted one has a colour.

    Raises:
        ResultError: No attack has this mask, or not two axes were given.
    """
    reports = [report for report in quoted_first(result) if mask in report.masks]
    if not reports:
        one_of({name: None for report in result.attacks for name in report.masks}, mask, "a mask of this audit")
    panels = canvases(2, 6.4, 0.9 + ROW * len(reports), palette, sharey=True) if axes is None else Panels(axes)
    if len(panels) != 2:
        raise ResultError(f"expected two axes, of AUROC and of TPR, got {len(panels)}")
    best = strongest(result)
    for panel, chance in zip(panels, (0.5, float(RATE)), strict=True):
        panel.axvline(chance, color=palette.chance, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for place, report in enumerate(reports):
        metrics, colour = report.masks[mask], palette.attack(0) if report.name == best else palette.none
        row(panels[0], place, metrics.auroc, colour, palette, missing_at=0.5)
        row(panels[1], place, metrics.tpr_at_fpr[RATE], colour, palette)
    tick_names(panels[0], "y", range(len(reports)), [literal(attack_text(report.name), 18) for report in reports])
    left = min([0.5, *(e for report in reports for e in (report.masks[mask].auroc.lo,) if e == e)])
    panels[0].set(xlim=(min(0.45, left - 0.05), 1.02), xlabel="AUROC")
    panels[1].set(xlim=(-0.02, 1.02), xlabel="TPR at 1 % FPR")
    for panel in panels:
        panel.set_ylim(len(reports) - 0.4, -0.6)
        dress(panel, palette, grid="x").tick_params(axis="y", length=0)
    panels[1].tick_params(axis="y", labelleft=False)
    return panels
