"""How the scores of both sets are spread: what an attack tells apart is where they do not overlap."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from privaudit.report.plots.canvas import canvas, dress, legend_above, literal
from privaudit.report.plots.choosing import attack_report, one_of
from privaudit.report.plots.palette import LIGHT, Palette
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.names import attack_text
from privaudit.results.audit_result import AuditResult


def distributions(
    result: AuditResult,
    attack: str | None = None,
    *,
    mask: str = "none",
    axes: Axes | None = None,
    palette: Palette = LIGHT,
) -> Axes:
    """Draw the density of each set over an attack's score.

    Returns:
        The axes; the few scores beyond them are counted in the outer bins.

    Raises:
        ResultError: There is no such attack or mask.
    """
    report = attack_report(result, attack)
    found = one_of(report.histograms, mask, f"a mask of {report.name}")
    axes = canvas(6.4, 3.4, palette) if axes is None else axes
    joined = _joined(len(found.members), min(sum(found.members), sum(found.nonmembers)))
    edges, lines, names = np.array(found.edges)[::joined], [], []
    sets = ((words_of(result.data).positives, found.members), ("non-members", found.nonmembers))
    for (name, counts), colour, dashes in zip(
        sets, (palette.members, palette.nonmembers), ((0, None), (0, (4, 2))), strict=True
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
    """How many neighbouring bins are drawn as one: of few images, as many as leave about two square roots of them."""
    most = max(2.0, 2.0 * math.sqrt(images))
    return next(
        number for number in range(1, bins + 1) if bins % number == 0 and (bins / number <= most or number == bins)
    )
