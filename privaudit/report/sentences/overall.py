"""The finding in brief: the headline, the sentence below it, and the tone."""

from __future__ import annotations

import math
from typing import Literal

from privaudit.evaluation.finding import AUROC_LEVELS, TPR_LEVELS
from privaudit.report.quoted import confidence_of
from privaudit.report.sentences.design_text import canary_reach, flagged_count
from privaudit.report.sentences.finding_text import largest_auroc
from privaudit.report.sentences.verdict_text import gates_are_upper, named_gates, undecidable_from, undecided
from privaudit.results.audit_result import AuditResult

Tone = Literal["none", "neutral", "low", "medium", "high", "unclear"]

MAX_TIGHT_AUROC = 0.6
"""Maximum upper limit of the AUROC with which "no leak found" means more than "too few images to find one"."""
LEVELS_BRIEF = (
    f"High: at least {100 * TPR_LEVELS['high']:g} of 100 training images are recognised at 1 % false positives. "
    f"Medium: at least {100 * TPR_LEVELS['medium']:g}. Low: fewer, but more than guessing."
)
"""Definition of the levels of a leak where its rate was measured."""
LEVELS = (
    f"{LEVELS_BRIEF} Where there are too few non-members for that rate, an AUROC of at least "
    f"{AUROC_LEVELS['high']:g} is high and of {AUROC_LEVELS['medium']:g} medium. “At least” is the lower confidence "
    "limit, corrected for the scores that were compared."
)
"""Definition of the levels of a leak."""
_TELLS = "Someone who has an image and the model's weights can {} tell whether the model was trained on it."
_ANSWERS = {
    "low": "There is a weak trace of which images the model was trained on.",
    "medium": _TELLS.format("sometimes"),
    "high": _TELLS.format("often"),
    "unclear": "Whether images that the model was trained on can be recognised cannot be told",
}


def headline(result: AuditResult) -> str:
    """Sum up a result in a few words, in capitals, such as ``LEAK FOUND: HIGH``.

    Returns:
        The headline. If no leak was found it depends on gates and power: an undecided gate, or a test with too few
        images, does not give ``NO LEAK FOUND``.
    """
    level, suspects = result.verdict.finding.level, not result.data.membership_known
    # The finding comes before the gates: a gate that passes must not hide a leak.
    if level == "unclear":
        return "INCONCLUSIVE"
    if level != "none":
        return "EVIDENCE OF TRAINING ON SOME OF THE SUSPECTS" if suspects else f"LEAK FOUND: {level.upper()}"
    if result.verdict.status == "inconclusive":
        return "NOT DECIDED"
    if result.verdict.status == "fail":
        return "NOT RULED OUT" if gates_are_upper(result) else "A GATE FAILED"
    if suspects:
        flagged = flagged_count(result.suspects)
        singly = f"NO EVIDENCE FROM THE SUSPECTS AS A SET, {flagged} FLAGGED SINGLY"
        return singly if flagged else "NO EVIDENCE OF TRAINING ON THE SUSPECTS"
    return "NO LEAK FOUND" if is_tight(result) else "NO LEAK FOUND BY A SMALL TEST"


def answer(result: AuditResult) -> str:
    """Say in one or two plain sentences what the headline means."""
    level, status = result.verdict.finding.level, result.verdict.status
    suspects = not result.data.membership_known
    if suspects and level == "unclear":
        return f"Whether the model was trained on the suspects cannot be told {undecidable_from(result)}."
    if suspects and level != "none":
        return "There is evidence that the model was trained on some of the suspects."
    if level != "none":
        return f"{_ANSWERS[level]} {undecidable_from(result)}." if level == "unclear" else _ANSWERS[level]
    nothing = "No evidence was found" if suspects else "No leak was found"
    if status == "inconclusive":
        few = " with so few images" if undecided(result) else ""
        return f"{nothing}, but {named_gates(result, 'inconclusive')} could not be decided{few}."
    if status == "fail":
        gates = named_gates(result, "fail")
        if gates_are_upper(result):
            return f"{nothing}, but more than {gates} allows could not be ruled out."
        # Possible because gates are corrected over their own tests and the finding over all scores.
        tests = "the two are corrected for different numbers of tests"
        return f"{gates[0].upper()}{gates[1:]} failed, although the finding shows no leak: {tests}."
    return _about_no_evidence(result) if suspects else _about_no_leak(result)


def tone(result: AuditResult) -> Tone:
    """Choose the tone of the headline, which gives its colour and its sign.

    Returns:
        ``none`` (green, a tick) only if the audit could have found a leak and every gate was decided; ``neutral`` (blue
        or grey, no tick) if it found nothing but says little; ``unclear`` (violet, a question mark) if it decided
        nothing; otherwise the level of the finding.
    """
    level, status = result.verdict.finding.level, result.verdict.status
    if level != "none":
        return level
    if status == "inconclusive":
        return "unclear"
    if status == "fail":
        return "neutral" if gates_are_upper(result) else "low"
    if not result.data.membership_known:
        return "low" if flagged_count(result.suspects) else "neutral"
    return "none" if is_tight(result) else "neutral"


def answers_with_reach(result: AuditResult) -> bool:
    """Whether `answer` says what the canaries could have shown at most."""
    no_leak = result.verdict.finding.level == "none" and result.verdict.status == "pass"
    return no_leak and result.data.membership_known and not is_tight(result) and bool(canary_reach(result))


def is_tight(result: AuditResult) -> bool:
    """Whether an AUROC above `MAX_TIGHT_AUROC` is ruled out and the rate of single images has an interval."""
    # Both are needed: an AUROC close to 0.5 can hide a few images that are recognised with certainty.
    return largest_auroc(result) <= MAX_TIGHT_AUROC and has_rate(result)


def has_rate(result: AuditResult) -> bool:
    """Whether TPR at 1 % FPR has an interval for any attack."""
    rates = [report.masks["none"].tpr_at_fpr.get("0.01") for report in result.attacks]
    return any(rate is not None and not math.isnan(rate.lo) for rate in rates)


def _about_no_leak(result: AuditResult) -> str:
    upper = largest_auroc(result)
    confidence = f"{100.0 * confidence_of(result):g}\N{NO-BREAK SPACE}%"
    if is_tight(result):
        return (
            f"No attack distinguishes the training images from others; an AUROC above {upper:.2f} is ruled out for "
            f"these attacks ({confidence} confidence)."
        )
    first = "A leak of any size could have gone unnoticed."
    if upper <= MAX_TIGHT_AUROC:
        first = "There were too few non-members to tell whether single images stand out."
    elif upper < 1.0:
        first = f"A leak with an AUROC of up to {upper:.2f} could have gone unnoticed ({confidence} confidence)."
    return f"{first} {canary_reach(result)}" if answers_with_reach(result) else first


def _about_no_evidence(result: AuditResult) -> str:
    flagged, count = flagged_count(result.suspects), result.data.positives
    if flagged:
        stand = "1 of them stands" if flagged == 1 else f"{flagged} of them stand"
        return f"The suspects as a set gave no evidence, but {stand} out."
    images = f"These {count} images" if count != 1 else "This image"
    missed = "a weak trace, or few trained images among many, would not show"
    if not is_tight(result):
        missed = "so few would show only a strong trace" if count != 1 else "a single image shows only a strong trace"
    return f"{images} gave no evidence. This does not clear the model: {missed}."
