"""The attacker behind the quoted number: what it knows, what it needs, and how often its accusations are right."""

from __future__ import annotations

import math

from privaudit.evaluation.estimate import Estimate, RateEstimate
from privaudit.evaluation.finding import TESTED_MASKS, TPR_LEVELS
from privaudit.report.numbers import of_hundred
from privaudit.report.quoted import Quoted, quoted
from privaudit.report.sentences.finding_text import largest_auroc
from privaudit.report.sentences.names import score_text
from privaudit.results.audit_result import AttackReport, AuditResult

NEEDS = (
    "What the attacker needs: the image, and the model's weights or access to its denoiser. Black-box access, to an "
    "interface that only returns images, was not tested."
)
NOT_TESTED = (
    "Not tested: whether the model outputs training images, what captions reveal, and any image outside the two sets."
)
TRAINED_FRACTION = 0.5
"""Example for a fraction of the non-members that was trained on without the auditor's knowledge."""
PRIORS = ((0.5, "half"), (0.001, "1 of 1000"))
"""Examples for the fraction of training images among those that an attacker checks."""
MARKED_FPR = 0.01
"""False-positive rate at which a report quotes the true-positive rate."""


def rests_on(result: AuditResult) -> str:
    """Say what a finding of no leak takes for granted, which no statistic of the scores can notice.

    If a fraction q of the non-members was trained on, an AUROC A is measured as .5 + (A - .5) (1 - q), so that an upper
    limit U allows for AUROCs up to .5 + (U - .5) / (1 - q).

    Returns:
        A sentence; empty unless no leak was found, for suspects, and for sets that were drawn at random.
    """
    if result.verdict.finding.level != "none" or not result.data.membership_known or result.data.drawn_at_random:
        return ""
    upper = 0.5 + (largest_auroc(result) - 0.5) / (1.0 - TRAINED_FRACTION)
    leak = "a leak of any size" if upper >= 1.0 else f"an AUROC of up to {upper:.2f}"
    return (
        "“No leak” rests on non-members that the model was not trained on: if half of them were in the training set, "
        f"{leak} could have gone unnoticed."
    )


def learns(report: AttackReport) -> bool:
    """Whether the score was fitted to known members, which an outsider does not have."""
    return report.kind == "learned" or any(choice.learner for choice in report.choices)


def worst_case(result: AuditResult) -> str:
    """Say what the quoted attacker knows in addition to the model, and what an attacker reaches without it.

    Returns:
        One or two sentences; empty if the quoted score was not fitted to known members, and for suspects, whose
        membership is unknown.
    """
    score = quoted(result)
    if not learns(score.report) or not result.data.membership_known:
        return ""
    worst = "This attacker already knows other training images and learns from them: the worst case."
    others = [report for report in result.attacks if not learns(report)]
    by_rate, by_area = _strongest(others, "rate"), _strongest(others, "area")
    if shows_rate(result, score) and by_rate is not None:
        return f"{worst} {_without(by_rate)} recognises {_of_100(_rate(by_rate), '')}."
    if by_area is None:
        return worst
    return f"{worst} {_without(by_area)} tells {_of_100(by_area.metrics.auroc, ' pairs apart')}."


def shows_rate(result: AuditResult, score: Quoted) -> bool:
    """Whether a report counts recognised images, and not pairs of images.

    Returns:
        False if the rate is unknown, if the finding rests on the AUROC, and if a leak was found although the interval
        of the rate includes what guessing reaches.
    """
    rate, finding = _rate(score), result.verdict.finding
    if rate is None or math.isnan(rate.value) or finding.metric == "auroc":
        return False
    # "Recognises 1 of 100, guessing would recognise 1" must not stand next to a leak that the AUROC shows.
    return not finding.leaks or rate.lo > MARKED_FPR


def right_of_100(recognised: float, accused: float, prior: float) -> float:
    """Count how many of 100 accusations are right (Bayes' theorem), from both rates and the prior, all in [0, 1]."""
    right, wrong = prior * recognised, (1.0 - prior) * accused
    return 100.0 * right / (right + wrong) if right + wrong > 0.0 else math.nan


def base_rate(result: AuditResult) -> str:
    """Say how sure a single accusation is.

    Returns:
        A sentence, from the rate of the quoted score. If no leak was found or the rate has no interval, it takes the
        rate from which a leak is called high.
    """
    rate = _rate(quoted(result))
    measured = measures_rate(result) and rate is not None
    recognised = rate.value if measured and rate is not None else TPR_LEVELS["high"]
    (_, often), (_, rarely) = PRIORS
    half, few = (of_hundred(right_of_100(recognised, MARKED_FPR, prior) / 100.0) for prior, _ in PRIORS)
    whose = "" if measured else f" of an attack that recognises {of_hundred(recognised)} of 100 training images"
    return (
        f"Of 100 accusations{whose}, {half} are right if {often} of the images that the attacker checks are training "
        f"images, but only {few} if {rarely} is."
    )


def measures_rate(result: AuditResult) -> bool:
    """Whether a leak was found whose rate of recognised images is above 0 and has an interval."""
    rate = _rate(quoted(result))
    return result.verdict.finding.leaks and rate is not None and rate.value > 0.0 and not math.isnan(rate.lo)


def _rate(score: Quoted) -> RateEstimate | None:
    return score.metrics.tpr_at_fpr.get("0.01")


def _strongest(reports: list[AttackReport], by: str) -> Quoted | None:
    # Custom masks and the random control do not take part in the finding, so no sentence quotes them either.
    scores = [Quoted(report, mask) for report in reports for mask in report.masks if mask in TESTED_MASKS]
    values = {}
    for index, score in enumerate(scores):
        estimate = _rate(score) if by == "rate" else score.metrics.auroc
        if estimate is not None and not math.isnan(estimate.value):
            values[index] = estimate.value
    return scores[max(values, key=values.__getitem__)] if values else None


def _without(score: Quoted) -> str:
    name = f"attack “{score_text(score.report.name, score.mask)}”"
    if score.report.choices:
        axis = "noise level" if score.report.axis == "level" else score.report.axis
        return f"An attacker who uses them only to choose the {axis} ({name})"
    return f"Without them, the {name}"


def _of_100(estimate: Estimate | RateEstimate | None, what: str) -> str:
    if estimate is None:
        return "n/a"
    limits = "" if math.isnan(estimate.lo) else f" ({of_hundred(estimate.lo)} to {of_hundred(estimate.hi)})"
    return f"{of_hundred(estimate.value)} of 100{what}{limits}"
