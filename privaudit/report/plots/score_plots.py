"""Plots of ROC curves and of the distributions of the scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from privaudit.evaluation.curves import RocCurve
from privaudit.report.numbers import COMPACT
from privaudit.report.plots.canvas import (
    DASHED,
    DASHES,
    DOTTED,
    LIGHT,
    Dash,
    Palette,
    canvas,
    dress,
    legend_above,
    literal,
    without_minor_ticks,
)
from privaudit.report.plots.choosing import MAX_LINES, attack_report, attack_reports, one_of
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.names import attack_text
from privaudit.results.audit_result import AuditResult

MARKED_FPR = 0.01
"""False-positive rate that is marked, and that the axes always include."""
MAX_BANDS = 2
"""Maximum number of curves that all have a band; with more curves, only the first one has a band."""


def roc(
    result: AuditResult,
    attacks: Sequence[str] | None = None,
    *,
    mask: str = "none",
    blind: bool = True,
    axes: Axes | None = None,
    palette: Palette = LIGHT,
) -> Axes:
    """Draw true- against false-positive rates on logarithmic axes.

    Bands are pointwise limits, which an audit computes without mask; they end where the non-members are too few. A line
    marks 1 % false positives, and a dot marks each curve there.

    Returns:
        The axes.

    Raises:
        ResultError: There is no such attack, or none has this mask.
    """
    reports = attack_reports(result, attacks, MAX_LINES)
    shown = [report for report in reports if mask in report.curves]
    if not shown:
        one_of({name: None for report in reports for name in report.curves}, mask, "a mask with a ROC curve")
    axes = canvas(6.4, 4.8, palette) if axes is None else axes
    lines, names = [], []
    for place, report in enumerate(shown):
        curve, colour = report.curves[mask], palette.attack(place)
        if place == 0 or len(shown) <= MAX_BANDS:
            _band(axes, curve, colour)
        lines += [_line(axes, curve, colour, DASHES[place % len(DASHES)], 3 - place / 100)]
        names += [f"{literal(attack_text(report.name))} ({COMPACT.number(report.masks[mask].auroc.value)})"]
    if blind and result.blind.curve is not None:
        lines += [_line(axes, result.blind.curve, palette.blind, DOTTED, 2)]
        names += [f"without the model ({COMPACT.number(result.blind.auroc.value)})"]
    # Logarithmic axes start at the smallest false-positive rate above 0, that of one non-member.
    start = min([MARKED_FPR, *(min(rate for rate in report.curves[mask].fpr if rate > 0) for report in shown)])
    lines += axes.plot([start, 1], [start, 1], color=palette.chance, linewidth=1, linestyle=DASHED, zorder=1)
    names += ["guessing (.500)"]
    axes.axvline(MARKED_FPR, color=palette.muted, linewidth=0.8, linestyle=DOTTED, zorder=1)
    axes.set(xscale="log", yscale="log", xlim=(start, 1), ylim=(start, 1.0))
    words = words_of(result.data)
    axes.set(xlabel=words.false_axis, ylabel=words.true_axis)
    without_minor_ticks(axes)
    powers = range(int(np.floor(np.log10(start))), 1)
    rates = [10.0**power for power in powers if 10.0**power >= start * 0.999]  # with a tolerance for rounding
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(rates, [f"{100 * rate:g} %" for rate in rates])
    dress(axes, palette, grid="both")
    legend_above(axes, lines, names, palette, 2, "attack (AUROC)")
    return axes


def _line(axes: Axes, curve: RocCurve, colour: str, dashes: Dash, depth: float) -> Line2D:
    fpr, tpr = np.array(curve.fpr), np.array(curve.tpr)
    drawn = (fpr > 0) & (tpr > 0)  # logarithms of the others are minus infinity
    (line,) = axes.plot(fpr[drawn], tpr[drawn], color=colour, linewidth=1.6, linestyle=dashes, zorder=depth)
    at = np.isclose(fpr, MARKED_FPR) & drawn
    axes.plot(fpr[at], tpr[at], color=colour, linestyle="none", marker="o", markersize=5, zorder=depth)
    return line


def _band(axes: Axes, curve: RocCurve, colour: str) -> None:
    fpr, low, high = (np.array(values, dtype=np.float64) for values in (curve.fpr, curve.lo, curve.hi))
    known: NDArray[np.bool_] = np.isfinite(low) & np.isfinite(high) & (fpr > 0)
    floor = np.maximum(low, np.finfo(np.float64).tiny)  # a limit of 0 has no logarithm
    axes.fill_between(fpr, floor, high, where=known.tolist(), color=colour, alpha=0.18, linewidth=0, zorder=1.5)


def distributions(
    result: AuditResult,
    attack: str | None = None,
    *,
    mask: str = "none",
    axes: Axes | None = None,
    palette: Palette = LIGHT,
) -> Axes:
    """Draw the density of an attack's score in each set.

    Returns:
        The axes; the outer bins include the few scores beyond them.

    Raises:
        ResultError: There is no such attack or mask.
    """
    report = attack_report(result, attack)
    histogram = one_of(report.histograms, mask, f"a mask of {report.name}")
    axes = canvas(6.4, 3.4, palette) if axes is None else axes
    joined = _joined(len(histogram.members), min(sum(histogram.members), sum(histogram.nonmembers)))
    edges, lines, names = np.array(histogram.edges)[::joined], [], []
    for name, counts, colour, dashes in (
        (words_of(result.data).positives, histogram.members, palette.members, (0, None)),
        ("non-members", histogram.nonmembers, palette.nonmembers, (0, (4, 2))),
    ):
        density = np.array(counts).reshape(-1, joined).sum(axis=1) / (max(1, sum(counts)) * np.diff(edges))
        axes.stairs(density, edges, color=colour, fill=True, alpha=0.2, linewidth=0)
        axes.stairs(density, edges, color=colour, linewidth=1.4, linestyle=dashes)
        lines.append(Line2D([], [], color=colour, linewidth=1.6, linestyle=dashes))  # type: ignore[arg-type]
        names.append(f"{sum(counts)} {name}")
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None), yticks=[], ylabel="density")
    axes.set_xlabel(f"score of {literal(attack_text(report.name))}, higher: more likely a member", parse_math=False)
    axes.ticklabel_format(axis="x", useMathText=False, scilimits=(-4, 5))
    dress(axes, palette)
    axes.xaxis.get_offset_text().set(color=palette.text, fontsize=9)
    legend_above(axes, lines, names, palette, 2)
    return axes


def _joined(bins: int, images: int) -> int:
    """Choose how many neighbouring bins are drawn as one; at most 2 sqrt(images) are drawn, since few are noisy."""
    limit = max(2.0, 2.0 * math.sqrt(images))
    divisors = (number for number in range(1, bins + 1) if bins % number == 0)
    return next(number for number in divisors if bins / number <= limit or number == bins)
