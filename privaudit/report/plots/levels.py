"""At which noise levels per attack tells members apart."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from privaudit.errors import ResultError
from privaudit.report.plots.canvas import canvas, dress, legend_above
from privaudit.report.plots.choosing import attack_report
from privaudit.report.plots.palette import LIGHT, MASK_DASHES, MASK_MARKERS, Palette
from privaudit.results.audit_result import AuditResult


def levels(
    result: AuditResult, attack: str | None = None, *, axes: Axes | None = None, palette: Palette = LIGHT
) -> Axes:
    """Draw AUROC against noise level, a line per mask, more noise on the right.

    Returns:
        The axes. The band is the interval without a mask; a dotted line is the level that most folds chose.

    Raises:
        ResultError: There is no such attack, or its levels were not compared.
    """
    report = attack_report(result, attack)
    if attack is None and not report.levels:  # a learned score, mostly
        compared = [other for other in result.attacks if other.levels]
        report = max(compared, key=lambda other: other.masks["none"].auroc.value, default=report)
    if not report.levels:
        raise ResultError(f"expected an attack that was compared at noise levels, got {report.name}, which was not")
    axes = canvas(6.4, 3.8, palette) if axes is None else axes
    by_snr = all(level.log_snr is not None for level in report.levels)
    points = sorted(report.levels, key=lambda level: level.level)
    at = [level.level if level.log_snr is None or not by_snr else level.log_snr for level in points]
    axes.axhline(0.5, color=palette.chance, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    chosen = report.log_snr if by_snr else report.level
    if chosen is not None:
        axes.axvline(chosen, color=palette.muted, linewidth=1, linestyle=(0, (1, 2)), zorder=1)
    seen = list(dict.fromkeys(mask for level in points for mask in level.auroc))
    handles: list[Line2D] = []
    for depth, mask in enumerate(seen):
        found = [(x, level.auroc[mask]) for x, level in zip(at, points, strict=True) if mask in level.auroc]
        places, colour = [x for x, _ in found], palette.mask(mask)
        if mask == "none":
            ends = [e.lo for _, e in found], [e.hi for _, e in found]
            axes.fill_between(places, *ends, color=colour, alpha=0.14, linewidth=0, zorder=1.5)
        style = {"marker": MASK_MARKERS.get(mask, "o"), "markersize": 4, "linewidth": 1.5, "zorder": 3 - depth / 10}
        values = [estimate.value for _, estimate in found]
        handles += axes.plot(places, values, color=colour, linestyle=MASK_DASHES.get(mask, "-"), **style)  # type: ignore[arg-type]
    if by_snr:
        axes.invert_xaxis()
    axes.set(xlabel="log SNR, noise to the right" if by_snr else f"{report.axis}, noise to the right", ylabel="AUROC")
    dress(axes, palette, grid="y")
    names = ["no mask" if mask == "none" else mask for mask in seen]
    if chosen is not None:
        handles.append(Line2D([], [], color=palette.muted, linewidth=1, linestyle=(0, (1, 2))))
        names.append("what most folds chose")
    handles.append(Line2D([], [], color=palette.chance, linewidth=1, linestyle=(0, (4, 3))))
    legend_above(axes, handles, [*names, "guessing"], palette, 3)
    return axes
