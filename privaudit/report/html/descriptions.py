"""What each plot shows, in words and numbers, for whoever cannot see it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from privaudit.evaluation.curves import Histogram, RocCurve
from privaudit.report.html.scores import QUARTILES, mask_text
from privaudit.report.numbers import PAGE
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.names import attack_text
from privaudit.results.audit_result import AttackReport, AuditResult

RATES = (0.001, 0.01, 0.1)


def describe_roc(result: AuditResult, report: AttackReport, mask: str) -> str:
    """Say what a ROC curve and the blind baseline reach."""
    curve = report.curves[mask]
    does = words_of(result.data).recognises
    reached = f"{attack_text(report.name)}, {mask_text(mask)}, {does} {_reached(curve)}."
    area = f" The area under the curve is {PAGE.estimate(report.masks[mask].auroc)}; guessing gives 0.5."
    blind = result.blind.curve
    beside = "" if blind is None else f" The blind baseline ({result.blind.strongest}) {does} {_reached(blind)}."
    return reached + area + beside


def describe_distributions(result: AuditResult, report: AttackReport, mask: str) -> str:
    """Say how far the scores of both sets lie apart."""
    histogram = report.histograms[mask]
    middle = [_median(histogram, counts) for counts in (histogram.members, histogram.nonmembers)]
    first = words_of(result.data).positives
    return (
        f"Scores of {report.name}, {mask_text(mask)}, from {histogram.edges[0]:.3g} to {histogram.edges[-1]:.3g}. Half "
        f"of the {first} score above about {middle[0]:.3g}, half of the non-members above about {middle[1]:.3g}."
    )


def describe_overview(result: AuditResult) -> str:
    """Say which attack is the strongest and which the weakest."""
    known = [report for report in result.attacks if not math.isnan(report.masks["none"].auroc.value)]
    if not known:
        return "No AUROC could be measured."
    ranked = sorted(known, key=lambda report: report.masks["none"].auroc.value, reverse=True)
    parts = [f"{report.name} {PAGE.estimate(report.masks['none'].auroc)}" for report in ranked]
    return f"AUROC without mask, the largest first: {'; '.join(parts)}. The table has every number."


def describe_masks(result: AuditResult) -> str:
    """Say how many masks gain and lose, and where most."""
    gains = [
        (comparison.auroc_delta, f"{report.name} under the {mask} mask")
        for report in result.attacks
        for mask, comparison in (("influence", report.influence_vs_none), ("weighted", report.weighted_vs_none))
        if comparison is not None and not math.isnan(comparison.auroc_delta.value)
    ]
    if not gains:
        return "No gain could be measured."
    above = sum(gain.lo > 0.0 for gain, _ in gains)
    below = sum(gain.hi < 0.0 for gain, _ in gains)
    most, least = max(gains, key=lambda g: g[0].value), min(gains, key=lambda g: g[0].value)
    return (
        f"Of {len(gains)} comparisons, {above} have an interval above 0 and {below} below. The largest gain is "
        f"{PAGE.estimate(most[0], signed=True)} of {most[1]}, the smallest {PAGE.estimate(least[0], signed=True)} of "
        f"{least[1]}. The table has every number."
    )


def describe_quartiles(report: AttackReport) -> str:
    """Say the AUROC of each quarter."""
    parts = [
        f"{name} {PAGE.estimate(stratum.auroc)}"
        for name, stratum in zip(QUARTILES, report.distortion_quartiles, strict=False)
    ]
    return f"AUROC of {report.name} without mask by quarter of local distortion: {'; '.join(parts)}."


def describe_levels(report: AttackReport) -> str:
    """Say where an attack does best and worst."""
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
    found = result.influence
    which = words_of(result.data).exposed
    places = [
        f"{_peak(values)} {whose}"
        for values, whose in ((found.everywhere, "over all images"), (found.exposed, f"over the {which}"))
    ]
    return f"Mean influence by position, 1 on average. It is largest {' and '.join(places)}."


def _reached(curve: RocCurve) -> str:
    reached = []
    for rate in RATES:
        at = [place for place, fpr in enumerate(curve.fpr) if 0.0 < fpr <= rate * (1.0 + 1e-9)]
        if at:
            reached.append(f"{PAGE.percent(curve.tpr[at[-1]])} at a false-positive rate of {PAGE.percent(rate)}")
    return ", ".join(reached) or "no one at the rates that are marked"


def _median(histogram: Histogram, counts: Sequence[int]) -> float:
    half, seen = sum(counts) / 2.0, 0
    for place, count in enumerate(counts):
        seen += count
        if seen >= half:
            return (histogram.edges[place] + histogram.edges[place + 1]) / 2.0
    return math.nan


def _peak(values: Sequence[Sequence[float]]) -> str:
    value, row, column = max(
        (value, row, column) for row, line in enumerate(values) for column, value in enumerate(line)
    )
    high, wide = len(values), len(values[0])
    return f"in row {row + 1} of {high}, column {column + 1} of {wide} ({PAGE.number(value, 2)})"
