"""Whether an attack does better on images that the decoder distorts more."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from privaudit.errors import ResultError
from privaudit.report.plots.canvas import canvas, dress, legend_above, note, tick_names
from privaudit.report.plots.choosing import attack_report
from privaudit.report.plots.palette import LIGHT, Palette
from privaudit.report.sentences.design_words import words_of
from privaudit.results.audit_result import AuditResult

NAMES = ("lowest", "second", "third", "highest")


def quartiles(
    result: AuditResult, attack: str | None = None, *, axes: Axes | None = None, palette: Palette = LIGHT
) -> Axes:
    """Draw the AUROC without mask in each quarter of the images by local distortion.

    Returns:
        The axes; a dotted line is the AUROC over all images.

    Raises:
        ResultError: There is no such attack, or it has no quartiles.
    """
    report = attack_report(result, attack)
    strata = report.distortion_quartiles
    if not strata:
        raise ResultError(f"expected quartiles of distortion for {report.name}, got none in this audit")
    axes = canvas(6.4, 3.6, palette) if axes is None else axes
    axes.axhline(0.5, color=palette.chance, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    area = report.masks["none"].auroc.value
    if not math.isnan(area):
        axes.axhline(area, color=palette.none, linewidth=1, linestyle=(0, (1, 2)), zorder=1)
    for place, stratum in enumerate(strata):
        found = stratum.auroc
        if math.isnan(found.value):
            note(axes, "n/a", (place, 0.5), palette.muted)
            continue
        axes.plot([place, place], [found.lo, found.hi], color=palette.attack(0), linewidth=1.8, zorder=2)
        axes.plot([place, place], [found.lo, found.hi], color=palette.attack(0), linestyle="none", marker="_")
        axes.plot(place, found.value, color=palette.attack(0), marker="o", markersize=6, zorder=3)
    names = NAMES if len(strata) == len(NAMES) else tuple(str(number) for number in range(1, len(strata) + 1))
    sizes = [f"{name}\n{s.members} : {s.nonmembers}" for name, s in zip(names, strata, strict=True)]
    tick_names(axes, "x", range(len(strata)), sizes)
    axes.set(xlim=(-0.5, len(strata) - 0.5), ylabel="AUROC without mask")
    axes.set_xlabel(f"local distortion of the image, {words_of(result.data).positives} : non-members")
    dress(axes, palette, grid="y")
    lines = [Line2D([], [], color=palette.chance, linewidth=1, linestyle=(0, (4, 3)))]
    if not math.isnan(area):
        lines.append(Line2D([], [], color=palette.none, linewidth=1, linestyle=(0, (1, 2))))
    legend_above(axes, lines, ["guessing", "all images"][: len(lines)], palette, 2)
    return axes
