"""The plots of the page, each with a caption that says how to read it."""

from __future__ import annotations

from typing import NamedTuple, cast

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from privaudit.report import plots
from privaudit.report.html import descriptions as say
from privaudit.report.html.scores import confidence_text, mask_text
from privaudit.report.html.svg import PALETTE, inline_svg
from privaudit.report.plots.score_plots import MAX_BANDS
from privaudit.report.quoted import Quoted, by_strength, quoted, quoted_first
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.names import attack_text
from privaudit.results.audit_result import AuditResult

WIDTH = 4.4
"""Inches: with text of ten points, labels can be read on a phone; a larger screen enlarges the plot."""
MAX_CURVES = 4
"""Maximum number of ROC curves in one plot."""


class PagePlot(NamedTuple):
    """A plot with its caption; the caption may be empty."""

    svg: Markup
    caption: str


def overview(result: AuditResult) -> PagePlot:
    """Draw every attack with its intervals."""
    panels = plots.canvases(2, WIDTH, 0.9 + 0.28 * len(result.attacks), PALETTE, sharey=True)
    plots.overview(result, axes=panels, palette=PALETTE)
    for panel in panels:
        panel.locator_params(axis="x", nbins=3)
    return page_plot(
        panels[0],
        "overview",
        "AUROC and TPR at 1 % FPR of every attack",
        say.describe_overview(result),
        f"Every attack without mask, with {confidence_text(result)} intervals. Dashed: guessing. A hollow point has no "
        "interval.",
    )


def roc(result: AuditResult, score: Quoted) -> PagePlot:
    """Draw the ROC curves of the strongest attacks, the quoted one first."""
    ranked = [report.name for report in quoted_first(result)]
    names, others = ranked[:MAX_CURVES], ranked[MAX_CURVES:]
    left_out = f" Not drawn here: {', '.join(map(attack_text, others))}." if others else ""
    axes = plots.roc(result, names, axes=plots.canvas(WIDTH, 4.2, PALETTE), palette=PALETTE)
    banded = "each attack" if 1 < len(names) <= MAX_BANDS else attack_text(score.report.name)
    return page_plot(
        axes,
        "roc",
        "ROC curves on logarithmic axes",
        say.describe_roc(result, score.report, "none"),
        f"ROC curves without mask, both axes logarithmic. Band: pointwise {confidence_text(result)} limits of "
        f"{banded}, where there are enough non-members. Points: at 1 % false positives. "
        f"{words_of(result.data).further_up}; the blind baseline should lie on the line of guessing.{left_out}",
    )


def distributions(result: AuditResult, score: Quoted) -> PagePlot:
    """Draw the distributions of the quoted score in both sets."""
    axes = plots.canvas(WIDTH, 3.2, PALETTE)
    report, mask, words = score.report, score.mask, words_of(result.data)
    plots.distributions(result, report.name, mask=mask, axes=axes, palette=PALETTE)
    return page_plot(
        axes,
        "distributions",
        f"Scores of both sets, {report.name}",
        say.describe_distributions(result, report, mask),
        f"How the scores of {attack_text(report.name)} ({mask_text(mask)}) are distributed among the {words.positives} "
        f"and the non-members. {words.apart}.",
    )


def masks(result: AuditResult) -> PagePlot | None:
    """Draw what each mask gains; None if no score has masks."""
    compared = [report for report in result.attacks if report.influence_vs_none or report.weighted_vs_none]
    if not compared:
        return None
    axes = plots.canvas(WIDTH, 1.3 + 0.5 * len(compared), PALETTE)
    plots.masks(result, axes=axes, palette=PALETTE).locator_params(axis="x", nbins=5)
    return page_plot(
        axes,
        "masks",
        "AUROC gained by each mask",
        say.describe_masks(result),
        f"What each mask adds to the AUROC without mask, on the same images, with {confidence_text(result)} intervals. "
        "Right of 0 is a gain. The random mask is the control: influence should do better than it.",
    )


def quartiles(result: AuditResult, score: Quoted) -> PagePlot | None:
    """Draw the AUROC by quarter of distortion; None without quarters."""
    if not score.report.distortion_quartiles:
        return None
    axes = plots.quartiles(result, score.report.name, axes=plots.canvas(WIDTH, 3.2, PALETTE), palette=PALETTE)
    return page_plot(
        axes,
        "quartiles-plot",
        f"AUROC by local distortion, {score.report.name}",
        say.describe_quartiles(score.report),
        f"AUROC of {attack_text(score.report.name)} without mask, with intervals, in each quarter of the images by "
        "local distortion of the decoder.",
    )


def levels(result: AuditResult, score: Quoted) -> PagePlot | None:
    """Draw the AUROC by noise level of the quoted attack, or of the strongest that has levels; None without any."""
    report = next((r for r in (score.report, *by_strength(result)) if r.levels), None)
    if report is None:
        return None
    axes = plots.levels(result, report.name, axes=plots.canvas(WIDTH, 3.4, PALETTE), palette=PALETTE)
    return page_plot(
        axes,
        "levels-plot",
        f"AUROC by noise level, {report.name}",
        say.describe_levels(report),
        f"AUROC of {attack_text(report.name)} at each noise level that was compared, by mask; band: interval without "
        "mask. The largest value does not estimate what an attacker reaches, because it was picked on these images.",
    )


def influence(result: AuditResult) -> PagePlot:
    """Draw where the decoder is sensitive."""
    panels = plots.canvases(2, WIDTH, 2.7, PALETTE)
    plots.influence(result, axes=panels, palette=PALETTE)
    exposed = words_of(result.data).exposed_by.format(attack=attack_text(result.influence.attack))
    return page_plot(
        panels[0],
        "influence-plot",
        "Mean influence by position in the latent",
        say.describe_influence(result),
        f"Where in the latent the decoder is most sensitive: mean over all compared images, and over the "
        f"{result.influence.images} {exposed}. Brighter is more. Both are means, which show no single image.",
    )


def further(result: AuditResult, score: Quoted) -> dict[str, tuple[PagePlot, ...]]:
    """Draw ROC curve and distributions, without mask, of every attack that the page does not quote, by name."""
    drawn: dict[str, tuple[PagePlot, ...]] = {}
    for number, report in enumerate(quoted_first(result)):
        if report.name == score.report.name:
            continue
        curve = plots.roc(result, [report.name], axes=plots.canvas(WIDTH, 3.8, PALETTE), palette=PALETTE)
        spread = plots.distributions(result, report.name, axes=plots.canvas(WIDTH, 3.2, PALETTE), palette=PALETTE)
        drawn[report.name] = (
            page_plot(curve, f"roc-{number}", f"ROC curve, {report.name}", say.describe_roc(result, report, "none")),
            page_plot(
                spread,
                f"distributions-{number}",
                f"Scores of both sets, {report.name}",
                say.describe_distributions(result, report, "none"),
            ),
        )
    return drawn


def shown(result: AuditResult) -> dict[str, PagePlot | None]:
    """Draw all plots but the `further` ones, by name."""
    score = quoted(result)
    return {
        "overview": overview(result),
        "roc": roc(result, score),
        "distributions": distributions(result, score),
        "masks": masks(result),
        "quartiles": quartiles(result, score),
        "levels": levels(result, score),
        "influence": influence(result),
    }


def page_plot(axes: Axes, name: str, title: str, description: str, caption: str = "") -> PagePlot:
    """Render axes as SVG for the page."""
    figure = cast("Figure", axes.get_figure(root=True))  # only axes that were removed have no figure
    return PagePlot(inline_svg(figure, f"plot-{name}", title, description), caption)
