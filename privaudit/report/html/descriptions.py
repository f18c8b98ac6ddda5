"""Descriptions of the plots in words and numbers, for readers who cannot see them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from privaudit.evaluation.curves import Histogram, RocCurve
from privaudit.evaluation.estimate import Difference
from privaudit.report.html.scores import mask_text
from privaudit.report.numbers import PAGE, listed
from privaudit.report.quoted import by_strength
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.names import QUARTILES, attack_text
from privaudit.results.audit_result import AttackReport, AuditResult

RATES = (0.001, 0.01, 0.1)
"""False-positive rates at which a curve is described."""


def describe_roc(result: AuditResult, report: AttackReport, mask: str) -> str:
    """Describe a ROC curve and that of the blind baseline."""
    verb, blind = words_of(result.data).recognises, result.blind
    baseline = "" if blind.curve is None else f" The blind baseline ({blind.strongest}) {verb} {_reached(blind.curve)}."
    return (
        f"{attack_text(report.name)}, {mask_text(mask)}, {verb} {_reached(report.curves[mask])}. The area under the "
        f"curve is {PAGE.estimate(report.masks[mask].auroc)}; guessing gives 0.5.{baseline}"
    )


def describe_distributions(result: AuditResult, report: AttackReport, mask: str) -> str:
    """Describe the distributions of the scores of both sets by their medians."""
    histogram = report.histograms[mask]
    first, second = (_median(histogram, counts) for counts in (histogram.members, histogram.nonmembers))
    return (
        f"Scores of {report.name}, {mask_text(mask)}, from {histogram.edges[0]:.3g} to {histogram.edges[-1]:.3g}. Half "
        f"of the {words_of(result.data).positives} score above about {first:.3g}, half of the non-members above about "
        f"{second:.3g}."
    )


def describe_overview(result: AuditResult) -> str:
    """List the attacks with their AUROC, the strongest first."""
    ranked = [report for report in by_strength(result) if not math.isnan(report.masks["none"].auroc.value)]
    if not ranked:
        return "No AUROC could be measured."
    parts = [f"{report.name} {PAGE.estimate(report.masks['none'].auroc)}" for report in ranked]
    return f"AUROC without mask, the largest first: {'; '.join(parts)}. The table has every number."


def masks_helped(result: AuditResult) -> str:
    """Name the attacks that masks help and those that they do not; empty if no gain could be measured."""
    gains = _gains(result)
    if not gains:
        return ""
    helped = list(dict.fromkeys(attack for gain, attack, _ in gains if gain.lo > 0.0))
    others = [attack for attack in dict.fromkeys(attack for _, attack, _ in gains) if attack not in helped]
    unlike = f", and not {listed(others, 'or')}" if helped and others else ""
    above, below = sum(gain.lo > 0.0 for gain, *_ in gains), sum(gain.hi < 0.0 for gain, *_ in gains)
    compared = f"of {len(gains)} comparisons, {above} have an interval above 0 and {below} below"
    return f"Here masks helped {listed(helped) or 'no attack'}{unlike}: {compared}."


def describe_masks(result: AuditResult) -> str:
    """Say whom masks help, and give the largest and the smallest gain."""
    gains = _gains(result)
    if not gains:
        return "No gain could be measured."
    extremes = (pick(gains, key=lambda gain: gain[0].value) for pick in (max, min))
    largest, smallest = (f"{PAGE.difference(gain)} of {attack} ({mask})" for gain, attack, mask in extremes)
    return f"{masks_helped(result)} The largest gain in AUROC is {largest}, the smallest {smallest}."


def _gains(result: AuditResult) -> list[tuple[Difference, str, str]]:
    return [
        (comparison.auroc_delta, attack_text(report.name), mask)
        for report in result.attacks
        for mask, comparison in (("influence", report.influence_vs_none), ("weighted", report.weighted_vs_none))
        if comparison is not None and not math.isnan(comparison.auroc_delta.value)
    ]


def describe_quartiles(report: AttackReport) -> str:
    """List the AUROC of each quarter by local distortion."""
    parts = [
        f"{name} {PAGE.estimate(stratum.auroc)}"
        for name, stratum in zip(QUARTILES, report.distortion_quartiles, strict=False)
    ]
    return f"AUROC of {report.name} without mask by quarter of local distortion: {'; '.join(parts)}."


def describe_levels(report: AttackReport) -> str:
    """Name the noise levels at which an attack does best and worst."""
    known = [level for level in report.levels if not math.isnan(level.auroc["none"].value)]
    if not known:
        return "No AUROC could be measured at any level."
    best, worst = (pick(known, key=lambda level: level.auroc["none"].value) for pick in (max, min))
    return (
        f"AUROC of {report.name} at {len(report.levels)} noise levels from {report.levels[0].level:g} to "
        f"{report.levels[-1].level:g}. Without mask it is largest at level {best.level:g}, "
        f"{PAGE.estimate(best.auroc['none'])}, and smallest at level {worst.level:g}, "
        f"{PAGE.estimate(worst.auroc['none'])}. The table has every number."
    )


def describe_influence(result: AuditResult) -> str:
    """Say where the decoder is most sensitive, for all images and for the most exposed."""
    everywhere, exposed = (_peak(values) for values in (result.influence.everywhere, result.influence.exposed))
    return (
        f"Mean influence by position, 1 on average. It is largest {everywhere} over all images and {exposed} over the "
        f"{words_of(result.data).exposed}."
    )


def _reached(curve: RocCurve) -> str:
    reached = []
    for rate in RATES:
        # The last point at or below the rate; the tolerance is for rates that are ratios of counts.
        tprs = [tpr for fpr, tpr in zip(curve.fpr, curve.tpr, strict=True) if 0.0 < fpr <= rate * (1.0 + 1e-9)]
        if tprs:
            reached.append(f"{PAGE.percent(tprs[-1])} at a false-positive rate of {PAGE.percent(rate)}")
    return ", ".join(reached) or "no image at the false-positive rates that are marked"


def _median(histogram: Histogram, counts: Sequence[int]) -> float:
    """Return the middle of the bin that holds the median."""
    half, total = sum(counts) / 2.0, 0
    for lower, upper, count in zip(histogram.edges, histogram.edges[1:], counts, strict=False):
        total += count
        if total >= half:
            return (lower + upper) / 2.0
    return math.nan


def _peak(values: Sequence[Sequence[float]]) -> str:
    value, row, column = max(
        (value, row, column) for row, line in enumerate(values) for column, value in enumerate(line)
    )
    high, wide = len(values), len(values[0])
    return f"in row {row + 1} of {high}, column {column + 1} of {wide} ({PAGE.number(value, 2)})"
