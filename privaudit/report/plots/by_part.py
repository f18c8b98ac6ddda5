"""Plots of the AUROC by quarter of distortion and by noise level, and of the mean influence maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from privaudit.errors import ResultError
from privaudit.report.plots.canvas import (
    DOTTED,
    LIGHT,
    MASK_DASHES,
    MASK_MARKERS,
    SIZE,
    SMALL,
    Palette,
    Panels,
    canvas,
    canvases,
    dress,
    guide,
    guide_key,
    legend_above,
    note,
    tick_names,
    without_ticks,
)
from privaudit.report.plots.choosing import attack_report
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.names import QUARTILES
from privaudit.results.audit_result import AuditResult


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
    guide(axes, "y", 0.5, palette.chance)
    lines, labels, overall = [guide_key(palette.chance)], ["guessing"], report.masks["none"].auroc.value
    if not math.isnan(overall):
        guide(axes, "y", overall, palette.none, DOTTED)
        lines, labels = [*lines, guide_key(palette.none, DOTTED)], [*labels, "all images"]
    for place, stratum in enumerate(strata):
        auroc = stratum.auroc
        if math.isnan(auroc.value):
            note(axes, "n/a", (place, 0.5), palette.muted)
            continue
        axes.plot([place, place], [auroc.lo, auroc.hi], color=palette.attack(0), linewidth=1.8, zorder=2)
        axes.plot([place, place], [auroc.lo, auroc.hi], color=palette.attack(0), linestyle="none", marker="_")
        axes.plot(place, auroc.value, color=palette.attack(0), marker="o", markersize=6, zorder=3)
    names = QUARTILES if len(strata) == len(QUARTILES) else tuple(str(number) for number in range(1, len(strata) + 1))
    sizes = [f"{name}\n{s.members} : {s.nonmembers}" for name, s in zip(names, strata, strict=True)]
    tick_names(axes, "x", range(len(strata)), sizes)
    axes.set(xlim=(-0.5, len(strata) - 0.5), ylabel="AUROC without mask")
    axes.set_xlabel(f"local distortion of the image, {words_of(result.data).positives} : non-members")
    dress(axes, palette, grid="y")
    legend_above(axes, lines, labels, palette, 2)
    return axes


def levels(
    result: AuditResult, attack: str | None = None, *, axes: Axes | None = None, palette: Palette = LIGHT
) -> Axes:
    """Draw the AUROC by noise level, one line per mask, with more noise on the right.

    Returns:
        The axes. The band is the interval without mask; a dotted line is the level that most folds chose.

    Raises:
        ResultError: There is no such attack, or its levels were not compared.
    """
    report = attack_report(result, attack)
    if attack is None and not report.levels:  # the strongest score is often a learned one, which has no level
        compared = [other for other in result.attacks if other.levels]
        report = max(compared, key=lambda other: other.masks["none"].auroc.value, default=report)
    if not report.levels:
        raise ResultError(f"expected an attack that was compared at noise levels, got {report.name}, which was not")
    axes = canvas(6.4, 3.8, palette) if axes is None else axes
    by_snr = all(level.log_snr is not None for level in report.levels)
    points = sorted(report.levels, key=lambda level: level.level)
    at = [level.level if level.log_snr is None or not by_snr else level.log_snr for level in points]
    guide(axes, "y", 0.5, palette.chance)
    chosen = report.log_snr if by_snr else report.level
    if chosen is not None:
        guide(axes, "x", chosen, palette.muted, DOTTED)
    masks = list(dict.fromkeys(mask for level in points for mask in level.auroc))
    handles: list[Line2D] = []
    for depth, mask in enumerate(masks):
        measured = [(x, level.auroc[mask]) for x, level in zip(at, points, strict=True) if mask in level.auroc]
        places, colour = [x for x, _ in measured], palette.mask(mask)
        if mask == "none":
            limits = [auroc.lo for _, auroc in measured], [auroc.hi for _, auroc in measured]
            axes.fill_between(places, *limits, color=colour, alpha=0.14, linewidth=0, zorder=1.5)
        style = {"marker": MASK_MARKERS.get(mask, "o"), "markersize": 4, "linewidth": 1.5, "zorder": 3 - depth / 10}
        values = [auroc.value for _, auroc in measured]
        handles += axes.plot(places, values, color=colour, linestyle=MASK_DASHES.get(mask, "-"), **style)  # type: ignore[arg-type]
    if by_snr:
        axes.invert_xaxis()
    axes.set(xlabel="log SNR, noise to the right" if by_snr else f"{report.axis}, noise to the right", ylabel="AUROC")
    dress(axes, palette, grid="y")
    names = ["no mask" if mask == "none" else mask for mask in masks]
    if chosen is not None:
        handles.append(guide_key(palette.muted, DOTTED))
        names.append("chosen by most folds")
    legend_above(axes, [*handles, guide_key(palette.chance)], [*names, "guessing"], palette, 3)
    return axes


def influence(result: AuditResult, *, axes: Sequence[Axes] | None = None, palette: Palette = LIGHT) -> Panels:
    """Draw the mean influence map of all images and of the most exposed members, on one scale.

    Returns:
        Both axes: all images, and those that the attack recognises most clearly.

    Raises:
        ResultError: ``axes`` are not two.
    """
    panels = canvases(2, 6.4, 3.3, palette) if axes is None else Panels(axes)
    if len(panels) != 2:
        raise ResultError(f"expected two axes, of all and of exposed images, got {len(panels)}")
    report = result.influence
    maps = [np.atleast_2d(np.array(values, dtype=np.float64)) for values in (report.everywhere, report.exposed)]
    low, top = min(values.min() for values in maps), max(values.max() for values in maps)
    which = "most exposed" if result.data.membership_known else "highest-scoring"
    titles = ("all images", f"the {report.images} {which}")
    for panel, values, title in zip(panels, maps, titles, strict=True):
        scale = {"vmin": low, "vmax": top if top > low else low + 1}  # of both maps; not empty if they are constant
        shown = without_ticks(panel).imshow(values, cmap=palette.colours, interpolation="none", **scale)
        dress(panel, palette).spines[:].set(visible=True, color=palette.muted, linewidth=0.8)
        panel.set_title(title, fontsize=SIZE, color=palette.text)
    figure = panels[0].figure
    bar = figure.colorbar(shown, ax=list(panels), shrink=0.8)
    bar.set_label("influence, mean 1", fontsize=SMALL, color=palette.text)
    bar.ax.set_facecolor(palette.background)
    bar.ax.tick_params(labelsize=SMALL, colors=palette.muted, labelcolor=palette.text)
    bar.outline.set(edgecolor=palette.muted, linewidth=0.8)
    return panels
