"""What each mask gains over no mask, on the same images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from privaudit.errors import ResultError
from privaudit.report.plots.canvas import canvas, dress, legend_above, literal, tick_names
from privaudit.report.plots.choosing import attack_reports, one_of
from privaudit.report.plots.palette import LIGHT, MASK_MARKERS, Palette
from privaudit.report.plots.rows import ROW, row
from privaudit.report.sentences.names import attack_text
from privaudit.results.audit_result import AuditResult

GAINS = {"auroc": "gain in AUROC over no mask", "tpr": "gain in TPR at 1 % FPR over no mask"}
APART = 0.25
"""Between the masks of an attack, in rows."""


def masks(
    result: AuditResult,
    attacks: Sequence[str] | None = None,
    *,
    metric: Literal["auroc", "tpr"] = "auroc",
    axes: Axes | None = None,
    palette: Palette = LIGHT,
) -> Axes:
    """Draw the paired gain of each mask with its interval, right of the line where the mask helps the attacker.

    Returns:
        The axes, the first attack on top.

    Raises:
        ResultError: There is no such attack, none has masks, or there is no such metric.
    """
    label = one_of(GAINS, metric, "a metric")
    found = [(report.name, report.gains) for report in attack_reports(result, attacks, ranked=True)]
    found = [(name, gains) for name, gains in found if gains]
    if not found:
        raise ResultError("expected an attack that was compared under masks, got none in this audit or selection")
    axes = canvas(6.4, 1.5 + 2 * ROW * len(found), palette) if axes is None else axes
    axes.axvline(0, color=palette.chance, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    seen = list(dict.fromkeys(mask for _, gains in found for mask in gains))
    for place, (_, gains) in enumerate(found):
        for mask, gain in gains.items():
            at = place + APART * (seen.index(mask) - (len(seen) - 1) / 2)
            delta = gain.auroc_delta if metric == "auroc" else gain.tpr_delta
            row(axes, at, delta, palette.mask(mask), palette, marker=MASK_MARKERS[mask])
    tick_names(axes, "y", range(len(found)), [literal(attack_text(name), 18) for name, _ in found])
    axes.set(ylim=(len(found) - 0.4, -0.6), xlabel=label)
    _symmetric(axes)
    dress(axes, palette, grid="x")
    axes.tick_params(axis="y", length=0)
    handles = [
        Line2D([], [], color=palette.mask(mask), linewidth=1.8, marker=MASK_MARKERS[mask], markersize=6)
        for mask in seen
    ]
    names = [f"{mask} mask" if mask != "weighted" else "weighted" for mask in seen]
    legend_above(axes, handles, names, palette, len(seen))
    return axes


def _symmetric(axes: Axes) -> None:
    """Reach as far to the right as to the left, so that a gain and a loss of one size look alike."""
    ends = [abs(end) for end in axes.get_xlim() if math.isfinite(end)]
    most = max([0.01, *ends])
    axes.set_xlim(-most, most)
