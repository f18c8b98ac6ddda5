"""The plots of the page, each with a caption that says how to read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from privaudit.report import plots
from privaudit.report.html import descriptions as say
from privaudit.report.html.scores import confidence_text, mask_text
from privaudit.report.html.svg import PALETTE, inline_svg
from privaudit.report.plots.score_plots import BANDED
from privaudit.report.quoted import Quoted, by_strength, quoted, quoted_first
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.names import attack_text
from privaudit.results.audit_result import AttackReport, AuditResult

WIDTH = 4.4
"""Inches at ten points of text: as wide as a phone, so that labels can be read there; a screen shows it larger."""
CURVES = 4
"""ROC curves in one plot."""


@dataclass(frozen=True)
class Picture:
    """A plot.

    Attributes:
        svg: The plot itself.
        caption: Below it.
    """

    svg: Markup
    caption: str


@dataclass(frozen=True)
class Further:
    """The plots of an attack that the page does not speak of.

    Attributes:
        name: Name of the attack.
        pictures: Its plots.
    """

    name: str
    pictures: tuple[Picture, ...]


def overview(result: AuditResult) -> Picture:
    """Draw every attack with its intervals."""
    panels = plots.canvases(2, WIDTH, 0.9 + 0.28 * len(result.attacks), PALETTE, sharey=True)
    plots.overview(result, axes=panels, palette=PALETTE)
    for panel in panels:
        panel.locator_params(axis="x", nbins=3)
    return picture(
        panels[0],
        "overview",
        "AUROC and TPR at 1 % FPR of every attack",
        say.describe_overview(result),
        f"Every attack without mask, with {confidence_text(result)} intervals. Dashed: guessing. A hollow point has no "
        "interval.",
    )


def roc(result: AuditResult, score: Quoted) -> Picture:
    """Draw the ROC curves of the strongest attacks, the quoted one first."""
    names = [report.name for report in quoted_first(result)]
    axes = plots.roc(result, names[:CURVES], axes=plots.canvas(WIDTH, 4.2, PALETTE), palette=PALETTE)
    return picture(
        axes,
        "roc",
        "ROC curves on logarithmic axes",
        say.describe_roc(result, score.report, "none"),
        f"ROC curves without mask, both axes logarithmic. Band: pointwise {confidence_text(result)} limits of "
        f"{_banded(score.report, min(CURVES, len(names)))}, where the non-members resolve them. Points: at 1 % false "
        f"positives. {words_of(result.data).further_up}; the blind baseline should lie on the line of guessing.",
    )


def distributions(result: AuditResult, score: Quoted) -> Picture:
    """Draw how both sets are spread over the quoted score."""
    axes = plots.canvas(WIDTH, 3.2, PALETTE)
    report, mask, words = score.report, score.mask, words_of(result.data)
    plots.distributions(result, report.name, mask=mask, axes=axes, palette=PALETTE)
    return picture(
        axes,
        "distributions",
        f"Scores of both sets, {report.name}",
        say.describe_distributions(result, report, mask),
        f"How the {words.positives} and the non-members are spread over the score of {attack_text(report.name)} "
        f"({mask_text(mask)}). {words.apart}.",
    )


def masks(result: AuditResult) -> Picture | None:
    """Draw what each mask gains; None of an audit whose scores have no masks."""
    compared = [report for report in result.attacks if report.influence_vs_none or report.weighted_vs_none]
    if not compared:
        return None
    axes = plots.canvas(WIDTH, 1.3 + 0.5 * len(compared), PALETTE)
    plots.masks(result, axes=axes, palette=PALETTE).locator_params(axis="x", nbins=5)
    return picture(
        axes,
        "masks",
        "AUROC gained by each mask",
        say.describe_masks(result),
        f"What each mask adds to the AUROC without mask, on the same images, with {confidence_text(result)} intervals. "
        "Right of 0 is a gain. The random mask is the control: influence should do better than it.",
    )


def quartiles(result: AuditResult, score: Quoted) -> Picture | None:
    """Draw the AUROC by quarter of distortion; None without quarters."""
    if not score.report.distortion_quartiles:
        return None
    axes = plots.quartiles(result, score.report.name, axes=plots.canvas(WIDTH, 3.2, PALETTE), palette=PALETTE)
    return picture(
        axes,
        "quartiles-plot",
        f"AUROC by local distortion, {score.report.name}",
        say.describe_quartiles(score.report),
        f"AUROC of {attack_text(score.report.name)} without mask in each quarter of the images, by how much the "
        "decoder distorts them, with intervals.",
    )


def levels(result: AuditResult, score: Quoted) -> Picture | None:
    """Draw the AUROC by noise level, of the quoted attack or the strongest that has levels; None without any."""
    report = next((r for r in (score.report, *by_strength(result)) if r.levels), None)
    if report is None:
        return None
    axes = plots.levels(result, report.name, axes=plots.canvas(WIDTH, 3.4, PALETTE), palette=PALETTE)
    return picture(
        axes,
        "levels-plot",
        f"AUROC by noise level, {report.name}",
        say.describe_levels(report),
        f"AUROC of {attack_text(report.name)} at each noise level that was compared, by mask; band: interval "
        "without mask. The largest of them is no estimate of what an attacker reaches, because it was picked on these "
        "images.",
    )


def influence(result: AuditResult) -> Picture:
    """Draw where the decoder is sensitive."""
    panels = plots.canvases(2, WIDTH, 2.7, PALETTE)
    plots.influence(result, axes=panels, palette=PALETTE)
    exposed = words_of(result.data).exposed_by.format(attack=attack_text(result.influence.attack))
    return picture(
        panels[0],
        "influence-plot",
        "Mean influence by position in the latent",
        say.describe_influence(result),
        f"Where in the latent the decoder is most sensitive: mean over all compared images, and over the "
        f"{result.influence.images} {exposed}. Brighter is more. Both are means, which show no single image.",
    )


def further(result: AuditResult, score: Quoted) -> tuple[Further, ...]:
    """Draw ROC curve and distributions of the other attacks, without mask."""
    found = []
    for place, report in enumerate(quoted_first(result)):
        if report.name == score.report.name:
            continue
        curve = plots.roc(result, [report.name], axes=plots.canvas(WIDTH, 3.8, PALETTE), palette=PALETTE)
        spread = plots.distributions(result, report.name, axes=plots.canvas(WIDTH, 3.2, PALETTE), palette=PALETTE)
        pictures = (
            picture(curve, f"roc-{place}", f"ROC curve, {report.name}", say.describe_roc(result, report, "none")),
            picture(
                spread,
                f"distributions-{place}",
                f"Scores of both sets, {report.name}",
                say.describe_distributions(result, report, "none"),
            ),
        )
        found.append(Further(report.name, pictures))
    return tuple(found)


def shown(result: AuditResult) -> dict[str, Picture | None]:
    """Draw all plots but the further ones, by the section that they stand in."""
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


def _banded(report: AttackReport, drawn: int) -> str:
    return attack_text(report.name) if drawn > BANDED or drawn == 1 else "each attack"


def picture(axes: Axes, name: str, title: str, description: str, caption: str = "") -> Picture:
    """Write axes into the page."""
    figure = cast("Figure", axes.get_figure(root=True))  # of axes that were removed there would be none
    return Picture(inline_svg(figure, f"plot-{name}", title, description), caption)
