"""Forest plots, one estimate with its interval per row: attacks, gains of masks, differences of two runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from privaudit.compare import Change
from privaudit.errors import ResultError
from privaudit.report.numbers import Interval
from privaudit.report.plots.canvas import (
    LIGHT,
    MASK_MARKERS,
    Palette,
    Panels,
    canvas,
    canvases,
    dress,
    guide,
    legend_above,
    literal,
    note,
    tick_names,
)
from privaudit.report.plots.choosing import attack_reports, one_of
from privaudit.report.quoted import quoted_first, strongest
from privaudit.report.sentences.names import attack_text, score_text
from privaudit.results.audit_result import AuditResult

ROW = 0.36
"""Height of a row in inches."""


def row(
    axes: Axes,
    place: float,
    estimate: Interval,
    colour: str,
    palette: Palette,
    *,
    marker: str = "o",
    missing_at: float = 0.0,
) -> None:
    """Draw one estimate, with a hollow marker if it has no interval; write n/a if it was not measured."""
    if math.isnan(estimate.value):
        note(axes, "n/a", (missing_at, place), palette.muted, shift=(4, 0), align=("left", "center"))
        return
    limits = [estimate.lo, estimate.hi]
    known = not any(map(math.isnan, limits))
    if known:
        axes.plot(limits, [place, place], color=colour, linewidth=1.8, solid_capstyle="butt", zorder=2)
        axes.plot(limits, [place, place], color=colour, linestyle="none", marker="|", markersize=6)
    filling = colour if known else palette.background
    axes.plot(estimate.value, place, color=colour, marker=marker, markersize=6, markerfacecolor=filling, zorder=3)


RATE = "0.01"
"""False-positive rate of the right panel, as a key of ``tpr_at_fpr``."""


def overview(
    result: AuditResult, *, mask: str = "none", axes: Sequence[Axes] | None = None, palette: Palette = LIGHT
) -> Panels:
    """Draw AUROC and TPR at 1 % FPR of every attack with intervals, and what guessing reaches.

    Returns:
        Both axes, the quoted attack on top and the others by AUROC without mask; the quoted one has a colour.

    Raises:
        ResultError: No attack has this mask, or ``axes`` are not two.
    """
    reports = [report for report in quoted_first(result) if mask in report.masks]
    if not reports:
        one_of({name: None for report in result.attacks for name in report.masks}, mask, "a mask of this audit")
    panels = canvases(2, 6.4, 0.9 + ROW * len(reports), palette, sharey=True) if axes is None else Panels(axes)
    if len(panels) != 2:
        raise ResultError(f"expected two axes, of AUROC and of TPR, got {len(panels)}")
    best = strongest(result)
    for panel, chance in zip(panels, (0.5, float(RATE)), strict=True):
        guide(panel, "x", chance, palette.chance)
    for place, report in enumerate(reports):
        metrics, colour = report.masks[mask], palette.attack(0) if report.name == best else palette.none
        row(panels[0], place, metrics.auroc, colour, palette, missing_at=0.5)
        row(panels[1], place, metrics.tpr_at_fpr[RATE], colour, palette)
    tick_names(panels[0], "y", range(len(reports)), [literal(attack_text(report.name), 18) for report in reports])
    lower = (report.masks[mask].auroc.lo for report in reports)
    start = min([0.5, *(limit for limit in lower if not math.isnan(limit))]) - 0.05
    panels[0].set(xlim=(start, 1.02), xlabel="AUROC")
    panels[1].set(xlim=(-0.02, 1.02), xlabel="TPR at 1 % FPR")
    for panel in panels:
        panel.set_ylim(len(reports) - 0.4, -0.6)
        dress(panel, palette, grid="x").tick_params(axis="y", length=0)
    panels[1].tick_params(axis="y", labelleft=False)
    return panels


GAINS = {"auroc": "gain in AUROC over no mask", "tpr": "gain in TPR at 1 % FPR over no mask"}
MASK_DISTANCE = 0.25
"""Distance between the masks of an attack, as a fraction of a row."""


def masks(
    result: AuditResult,
    attacks: Sequence[str] | None = None,
    *,
    metric: Literal["auroc", "tpr"] = "auroc",
    axes: Axes | None = None,
    palette: Palette = LIGHT,
) -> Axes:
    """Draw the paired gain of each mask with its interval; right of 0, the mask helps the attacker.

    Returns:
        The axes, the first attack on top.

    Raises:
        ResultError: There is no such attack, none has masks, or there is no such metric.
    """
    label = one_of(GAINS, metric, "a metric")
    rows = [(report.name, report.gains) for report in attack_reports(result, attacks) if report.gains]
    if not rows:
        raise ResultError("expected an attack that was compared under masks, got none in this audit or selection")
    axes = canvas(6.4, 1.5 + 2 * ROW * len(rows), palette) if axes is None else axes
    guide(axes, "x", 0, palette.chance)
    names = list(dict.fromkeys(mask for _, gains in rows for mask in gains))
    for place, (_, gains) in enumerate(rows):
        for mask, gain in gains.items():
            # Centred on the row, with the same place for a mask in every row, even where another mask is missing.
            at = place + MASK_DISTANCE * (names.index(mask) - (len(names) - 1) / 2)
            delta = gain.auroc_delta if metric == "auroc" else gain.tpr_delta
            row(axes, at, delta, palette.mask(mask), palette, marker=MASK_MARKERS[mask])
    tick_names(axes, "y", range(len(rows)), [literal(attack_text(name), 18) for name, _ in rows])
    # Symmetric about 0, so that a gain and a loss of the same size look alike.
    reach = max([0.01, *(abs(end) for end in axes.get_xlim() if math.isfinite(end))])
    axes.set(xlim=(-reach, reach), ylim=(len(rows) - 0.4, -0.6), xlabel=label)
    dress(axes, palette, grid="x")
    axes.tick_params(axis="y", length=0)
    handles = [
        Line2D([], [], color=palette.mask(mask), linewidth=1.8, marker=MASK_MARKERS[mask], markersize=6)
        for mask in names
    ]
    labels = [f"{mask} mask" if mask != "weighted" else "weighted" for mask in names]
    legend_above(axes, handles, labels, palette, len(names))
    return axes


DIRECTION_MARKERS = {"worse": ">", "better": "<"}


def differences(changes: Sequence[Change], *, axes: Axes | None = None, palette: Palette = LIGHT) -> Axes:
    """Draw differences of two runs with their intervals; right of 0, the new run is worse.

    Returns:
        The axes, the first difference on top; what is worse or better has a triangle and a colour.
    """
    axes = canvas(6.4, 0.9 + ROW * len(changes), palette) if axes is None else axes
    guide(axes, "x", 0, palette.chance)
    colours = {"worse": palette.attack(1), "better": palette.attack(2), "unmeasured": palette.random}
    for place, change in enumerate(changes):
        marker = DIRECTION_MARKERS.get(change.direction, "o")
        row(axes, place, change.difference, colours.get(change.direction, palette.none), palette, marker=marker)
    names = [score_text(literal(change.attack, 14), literal(change.mask, 14)) for change in changes]
    tick_names(axes, "y", range(len(changes)), names)
    axes.set_ylim(len(changes) - 0.4, -0.6)
    dress(axes, palette, grid="x").tick_params(axis="y", length=0)
    return axes
