"""What every report says in words: the headline, the sentence below it, its tone, and what to do about it."""

from __future__ import annotations

import math
import re
from typing import Literal

from privaudit.evaluation.verdict import AUROC_LEVELS, TESTED_MASKS, TPR_LEVELS
from privaudit.report.design_words import counted, words_of
from privaudit.report.needed import undecided
from privaudit.report.numbers import hundredths, plain_p
from privaudit.report.quoted import quoted
from privaudit.results.audit_result import AuditResult

Tone = Literal["none", "neutral", "low", "medium", "high", "unclear"]

MASKS = {"none": "no mask", "random": "random mask", "influence": "influence mask", "weighted": "weighted mask"}
TIGHT = 0.6
"""AUROC up to which an interval has to end before "no leak found" means more than "too few images to find one"."""
LEVELS = (
    f"high: at least {100 * TPR_LEVELS['high']:g} of 100 training images are recognised at 1 % false positives; "
    f"medium: at least {100 * TPR_LEVELS['medium']:g}; low: fewer, but more than guessing. Where there are too few "
    f"non-members for that rate, an AUROC of at least {AUROC_LEVELS['high']:g} is high and of "
    f"{AUROC_LEVELS['medium']:g} medium. “At least” is the lower confidence limit, corrected for the scores that were "
    "compared."
)
"""What the levels of a leak mean."""
_ANSWERS = {
    "low": "There is a weak trace of which images the model was trained on.",
    "medium": "Someone who has an image can sometimes tell whether the model was trained on it.",
    "high": "Someone who has an image can often tell whether the model was trained on it.",
    "unclear": "Whether images that the model was trained on can be recognised cannot be told from these images.",
}
_PASSED = "A pass means: more than this was not shown. It does not rule it out"
_TINY = re.compile(r"p (?:=|<) (\d[\d.]*(?:e[+-]?\d+)?)")


def headline(result: AuditResult) -> str:
    """Sum up a result in a few words, in capitals.

    Returns:
        Such as ``LEAK FOUND: HIGH``. Without a finding it depends on gates and power: what was not decided, or was
        tested by too few images, is not called free of leaks.
    """
    level, suspects = result.verdict.finding.level, not result.data.membership_known
    if level == "unclear":
        return "INCONCLUSIVE"
    if level != "none":
        return "EVIDENCE OF TRAINING ON SOME OF THE SUSPECTS" if suspects else f"LEAK FOUND: {level.upper()}"
    if result.verdict.status == "inconclusive":
        return "NOT DECIDED"
    if result.verdict.status == "fail":
        return "NOT RULED OUT" if _upper(result) else "A GATE FAILED"
    if suspects:
        flagged = _flagged(result)
        alone = f"NO EVIDENCE FROM THE SUSPECTS AS A SET, {flagged} FLAGGED SINGLY"
        return alone if flagged else "NO EVIDENCE OF TRAINING ON THE SUSPECTS"
    return "NO LEAK FOUND" if is_tight(result) else "NO LEAK FOUND BY A SMALL TEST"


def answer(result: AuditResult) -> str:
    """Say in one plain sentence or two what the headline means."""
    level, status = result.verdict.finding.level, result.verdict.status
    suspects = not result.data.membership_known
    if suspects and level == "unclear":
        return "Whether the model was trained on the suspects cannot be told from these images."
    if suspects and level != "none":
        return "There is evidence that the model was trained on some of the suspects."
    if level != "none":
        return _ANSWERS[level]
    found = "No evidence was found" if suspects else "No leak was found"
    if status == "inconclusive":
        gates = _these_gates(result, "inconclusive")
        return f"{found}, but {gates} could not be decided{' with so few images' if undecided(result) else ''}."
    if status == "fail":
        gates = _these_gates(result, "fail")
        if _upper(result):
            return f"{found}, but more than {gates} allows could not be ruled out."
        return f"{gates[0].upper()}{gates[1:]} failed, although no leak was found at the error of the finding."
    if suspects:
        return _about_no_evidence(result)
    upper = largest_auroc(result)
    confidence = f"{100.0 * float(result.config.get('confidence', 0.95)):g}\N{NO-BREAK SPACE}%"
    if is_tight(result):
        return (
            f"No attack told the training images from others; an AUROC above {upper:.2f} is ruled out for these "
            f"attacks ({confidence})."
        )
    first = "Leaks of any size would have gone unnoticed."
    if upper <= TIGHT:
        first = "There were too few non-members to see whether single images stand out."
    elif upper < 1.0:
        first = f"Leaks up to an AUROC of {upper:.2f} would have gone unnoticed ({confidence})."
    return " ".join(filter(None, [first, canary_reach(result)]))


def tone(result: AuditResult) -> Tone:
    """Give the tone of the headline, for its colour and its sign.

    Returns:
        ``none`` (green, a tick) only of a test that could have found a leak and whose gates were all decided;
        ``neutral`` (blue or grey, no tick) of one that found nothing and says little; ``unclear`` (violet, a question
        mark) of what was not decided; otherwise the level of the finding.
    """
    level, status = result.verdict.finding.level, result.verdict.status
    if level != "none":
        return level
    if status == "inconclusive":
        return "unclear"
    if status == "fail":
        return "neutral" if _upper(result) else "low"
    if not result.data.membership_known:
        return "low" if _flagged(result) else "neutral"
    return "none" if is_tight(result) else "neutral"


def statement(result: AuditResult) -> str:
    """Write the finding for readers, in the numbers and names that the rest of a report uses.

    Returns:
        ``verdict.finding.statement`` in whole images above ten, with the mask in words, tiny p-values as "below 0.001"
        and a full stop.
    """
    finding = result.verdict.finding
    text = finding.statement
    if finding.attack is not None and finding.mask is not None:
        score = quoted(result)
        text = text.replace(f" by {finding.attack}/{finding.mask}:", f" by {score_text(finding.attack, finding.mask)}:")
        rate = score.metrics.tpr_at_fpr.get("0.01")
        if rate is not None and not math.isnan(rate.value):
            text = text.replace(f"{100 * rate.value:.1f} of 100", f"{hundredths(rate.value)} of 100")
        if finding.limit is not None:
            text = text.replace(f"at least {100 * finding.limit:.1f},", f"at least {hundredths(finding.limit)},")
    text = _TINY.sub(lambda found: plain_p(float(found[1])) if float(found[1]) < 0.001 else found[0], text)
    return text.rstrip(".") + "."


def gate_note(result: AuditResult) -> str:
    """Say what a gate that passed means.

    Returns:
        A sentence or two; empty if no gate passed, or if passing meant that more was ruled out (``--gate-bound
        upper``).
    """
    passed = [gate.gate for gate in result.verdict.gates if gate.status == "pass"]
    if _upper(result) or not passed:
        return ""
    bounded = all(gate.lstrip().lower().startswith("epsilon") for gate in passed)
    rest = ", and no audit could: epsilon is bounded from below only." if bounded else " (--gate-bound upper does)."
    return " ".join(filter(None, [f"{_PASSED}{rest}", canary_reach(result)]))


def canary_reach(result: AuditResult) -> str:
    """Say what the audit of canaries could have shown at most; empty without one."""
    report = result.canaries
    if report is None or math.isnan(report.epsilon_most):
        return ""
    return f"Even a perfect attack could have shown an epsilon of only {report.epsilon_most:.1f} with these canaries."


def advice(result: AuditResult) -> tuple[str, ...]:
    """Say what a reader should do next, the most urgent first."""
    level, data, found = result.verdict.finding.level, result.data, []
    broken = [check.name for check in result.checks if check.status == "fail"]
    if broken:
        found.append(
            f"Fix what makes the images unfit for this question ({', '.join(broken)}) and scan again: both sets "
            "should be drawn from one source and prepared by one program."
        )
    else:
        if level in ("none", "unclear"):  # of a leak that was found, what to do about it comes first
            found += undecided(result)
        if level == "unclear" and not found:
            found.append(
                "Draw more canaries, and train and scan again: so few cannot tell."
                if data.drawn_at_random
                else "Add images to both sets, the smaller one first, and scan again: so few cannot tell."
            )
        elif not data.membership_known and level != "unclear":
            found += _about_suspects(level)
        elif level == "none":
            found += _about_nothing(result)
        elif level != "unclear":
            found += _about_leak(level)
        if level not in ("none", "unclear"):
            found += undecided(result)
    warned = [check.name for check in result.checks if check.status == "warn"]
    if warned:
        found.append(f"Read the checks that warn before you quote a number: {', '.join(warned)}.")
    if not result.verdict.gates and level != "unclear" and data.membership_known:
        gate = "tpr@1%fpr>0.05" if _has_rate(result) else "auroc>0.6"
        found.append(
            f"In a pipeline, set a gate, such as --fail-on '{gate}', so that it stops at more than you accept."
        )
    return tuple(found)


def scale_text(result: AuditResult) -> str:
    """Count attacks and scores: ``5 attacks, 17 scores an image: 13 count, the 4 random masks are controls``."""
    masks = [mask for report in result.attacks for mask in report.masks]
    controls = sum(mask not in TESTED_MASKS for mask in masks)
    attacks = f"{len(result.attacks)} attack{'s' if len(result.attacks) != 1 else ''}"
    scores = f"{len(masks)} score{'s' if len(masks) != 1 else ''} an image"
    if not controls:
        return f"{attacks}, {scores}"
    random = f"the {controls} random masks are controls" if controls > 1 else "the random mask is a control"
    return f"{attacks}, {scores}: {len(masks) - controls} count, {random}"


def attack_text(name: str) -> str:
    """What an attack is called where its name could be taken for a number: ``epsilon (attack)``."""
    return "epsilon (attack)" if name == "epsilon" else name


def score_text(attack: str, mask: str) -> str:
    """Name a score, such as ``sima, weighted mask``."""
    return f"{attack_text(attack)}, {MASKS.get(mask, mask)}"


def is_tight(result: AuditResult) -> bool:
    """Whether a leak of more than `TIGHT` would have been seen, both on average and among single images."""
    return largest_auroc(result) <= TIGHT and _has_rate(result)


def largest_auroc(result: AuditResult) -> float:
    """The largest AUROC that the intervals of the tested scores still hold, uncorrected; 1 if one has none."""
    ends = [
        metrics.auroc.hi for report in result.attacks for mask, metrics in report.masks.items() if mask in TESTED_MASKS
    ]
    return max((1.0 if math.isnan(end) else end for end in ends), default=1.0)


def _has_rate(result: AuditResult) -> bool:
    rates = [report.masks["none"].tpr_at_fpr.get("0.01") for report in result.attacks]
    return any(rate is not None and not math.isnan(rate.lo) for rate in rates)


def _upper(result: AuditResult) -> bool:
    return result.config.get("gate_bound") == "upper"


def _flagged(result: AuditResult) -> int:
    return max(result.suspects.flagged.values(), default=0) if result.suspects is not None else 0


def _these_gates(result: AuditResult, status: str) -> str:
    names = [gate.gate for gate in result.verdict.gates if gate.status == status]
    return f"the gate {names[0]}" if len(names) == 1 else f"{len(names)} gates" if names else "the question"


def _about_no_evidence(result: AuditResult) -> str:
    flagged, count = _flagged(result), result.data.positives
    if flagged:
        stand = "1 of them stands" if flagged == 1 else f"{flagged} of them stand"
        return f"The suspects as a set gave no evidence, but {stand} out."
    those = f"These {count} images" if count != 1 else "This image"
    missed = "a weak trace, or few trained images among many, would not show"
    if not is_tight(result):
        missed = "so few would show only a strong trace" if count != 1 else "one shows only a strong trace"
    return f"{those} gave no evidence. That does not clear the model: {missed}."


def _about_suspects(level: str) -> list[str]:
    if level == "none":
        return ["Absence of evidence is not proof of absence. With more suspects, even a weaker trace would show."]
    return [
        "Treat this as evidence about the set and not as proof about one image, and have somebody repeat it with other "
        "non-members of the same source before you act on it."
    ]


def _about_nothing(result: AuditResult) -> list[str]:
    data = result.data
    if result.verdict.status == "inconclusive":
        return []
    if result.verdict.status == "fail":
        return ["Add images to both sets, so that less remains possible, or say why the gate may be wider."]
    if not is_tight(result):
        return [
            f"{words_of(data).more} before you rely on this: {counted(data)} and {data.nonmembers} non-members show "
            "only strong leaks."
        ]
    return [
        "Keep the report with the model. It speaks of these attacks and images; audit again after further training and "
        "with more images where a smaller leak would matter."
    ]


def _about_leak(level: str) -> list[str]:
    urgent = {
        "high": "Do not publish the model, its weights or access to its denoiser if it must stay secret whether an "
        "image or a person was in the training set.",
        "medium": "Assume that part of the training images can be recognised by whoever can query the denoiser.",
        "low": "Some trace of the training images is there. Whether it matters depends on how sensitive they are.",
    }
    return [
        urgent[level],
        "To leak less: stop training earlier, train on more and deduplicated images, or train with differential "
        "privacy; then scan again with the same images and compare the two runs.",
    ]
