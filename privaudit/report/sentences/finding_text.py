"""The finding in words: the evidence and its numbers."""

from __future__ import annotations

import math

from privaudit.evaluation.doubts import doubtful_checks
from privaudit.evaluation.estimate import Metrics
from privaudit.evaluation.finding import AUROC_LEVELS, TESTED_MASKS, TPR_LEVELS, Finding, failed_checks
from privaudit.report.numbers import of_hundred, p_text
from privaudit.report.quoted import Quoted, confidence_of, quoted
from privaudit.report.sentences.design_text import canary_statement, suspect_statement
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.fact_text import fact_text, sentence
from privaudit.report.sentences.names import score_text
from privaudit.report.sentences.verdict_text import check_text, undecidable_from
from privaudit.results.audit_result import AuditResult

RECOGNISES = "Set so that 1 of 100 images not used in training is wrongly accused, the attack recognises"
"""Beginning of the sentence on the true-positive rate, up to the number."""


def statement(result: AuditResult) -> str:
    """Write the finding in whole sentences, with every number that it rests on."""
    finding = result.verdict.finding
    if finding.reason is not None and finding.reason.code == "text":
        return sentence(fact_text(finding.reason))  # as an earlier version of privaudit wrote it
    if finding.level == "unclear":
        question = "the model leaks" if result.data.membership_known else "the model was trained on the suspects"
        return f"Whether {question} cannot be told {undecidable_from(result)}: {_why_unclear(result)}."
    if finding.basis == "set_test" and result.suspects is not None:
        return suspect_statement(result.suspects)
    parts = []
    if finding.basis == "canary_test" and result.canaries is not None:
        parts.append(canary_statement(result.canaries, result.checks))
    if finding.attack is not None:
        parts.append(f"{_in_images(result, quoted(result))}{evidence(result)}")
    return " ".join(parts or [_no_evidence(result, finding)])


def brief_statement(result: AuditResult) -> str:
    """Write the finding next to the number that it rests on: what its level means; else as `statement` does."""
    finding = result.verdict.finding
    if not finding.leaks or finding.attack is None or finding.limit is None or not result.data.membership_known:
        return statement(result)
    of_rate = finding.metric == "tpr"
    levels, what = TPR_LEVELS, f"of 100 {words_of(result.data).lay_positives}"
    if not of_rate:
        levels, what = AUROC_LEVELS, "of 100 pairs, where there are too few non-members to count images"
    if finding.level in levels:
        needed, limit = f"{100 * levels[finding.level]:g}", of_hundred(finding.limit)
        meaning = f"at least {needed} {what}; here it is at least {limit}"
    else:
        meaning = f"more than guessing; {100 * levels['medium']:g} {what} are not shown"
    canaries = (
        canary_statement(result.canaries, result.checks)
        if states_canaries(result) and result.canaries is not None
        else ""
    )
    return f"{canaries} {finding.level.capitalize()} means {meaning}.".strip()


def states_canaries(result: AuditResult) -> bool:
    """Whether the finding already says what the audit of canaries shows."""
    return result.verdict.finding.basis == "canary_test" and result.verdict.finding.level != "unclear"


def gives_limit(result: AuditResult) -> bool:
    """Whether the finding gives a lower limit, better than guessing, that allows for the choice among the scores."""
    finding = result.verdict.finding
    return finding.limit is not None and finding.limit > (0.01 if finding.metric == "tpr" else 0.5)


def at_least(finding: Finding) -> str:
    """Write the lower limit of the finding in images or pairs of 100; the finding has one."""
    corrected = f", corrected for the {finding.scores} scores compared" if finding.scores > 1 else ""
    return f"at least {of_hundred(finding.limit or 0.0)}{corrected}"


def pairs_text(result: AuditResult, score: Quoted, limits: str) -> str:
    """Say what the AUROC means, in pairs out of a hundred, with its limits in words."""
    auroc = score.metrics.auroc
    if math.isnan(auroc.value):
        return f"Its AUROC could not be measured{'' if auroc.reason is None else f': {fact_text(auroc.reason)}'}."
    return (
        f"Of 100 pairs of one {words_of(result.data).lay_positive} and one other image, the attack tells "
        f"{of_hundred(auroc.value)} apart ({limits}); guessing would be right in 50."
    )


def largest_auroc(result: AuditResult) -> float:
    """Find the largest upper limit of the AUROC of a tested score, uncorrected; 1 if a score has no interval."""
    ends = [
        metrics.auroc.hi for report in result.attacks for mask, metrics in report.masks.items() if mask in TESTED_MASKS
    ]
    return max((1.0 if math.isnan(end) else end for end in ends), default=1.0)


def _why_unclear(result: AuditResult) -> str:
    reason = result.verdict.finding.reason
    if reason is not None and reason.code == "reading_in_doubt":
        doubts = "; ".join(check_text(check, result.data) for check in doubtful_checks(result.checks))
        return f"no attack shows it, but {fact_text(reason)}: {doubts}"
    if reason is not None:
        return fact_text(reason).rstrip(".")
    return "; ".join(
        f"check {check.name} failed: {check_text(check, result.data)}" for check in failed_checks(result.checks)
    )


def _no_evidence(result: AuditResult, finding: Finding) -> str:
    p = "" if finding.p is None else f" (corrected {p_text(finding.p)})"
    return (
        f"No evidence of leakage: no attack ranks members above non-members beyond chance{p}. This does not exclude "
        f"leakage: AUROCs up to {largest_auroc(result):.2f} are compatible with these images."
    )


def evidence(result: AuditResult) -> str:
    """Say by which attack a leak was found, how significant it is, and its metrics; empty without a leak."""
    score, finding = quoted(result), result.verdict.finding
    if not finding.leaks or finding.attack is None:
        return ""
    # A score also counts if its bound on epsilon is above 0, for which a few images suffice; its p may then be large.
    shown = (
        "it recognises some members or non-members with certainty, although it does not rank them above chance overall"
    )
    if finding.p is not None and finding.p <= 1.0 - confidence_of(result):
        shown = f"it ranks members above non-members (corrected {p_text(finding.p)})"
    named = score_text(score.report.name, score.mask)
    return f"Evidence of leakage ({finding.level}) by the attack “{named}”: {shown}. {_in_numbers(score.metrics)}."


def _in_images(result: AuditResult, score: Quoted) -> str:
    """Say what the rate or the AUROC means, counted in images or pairs; empty if neither is shown to beat guessing."""
    rate, finding = score.metrics.tpr_at_fpr.get("0.01"), result.verdict.finding
    if not gives_limit(result):
        return ""
    if finding.metric == "auroc":
        return f"{pairs_text(result, score, at_least(finding))} "
    if rate is None:
        return ""
    return (
        f"{RECOGNISES} {of_hundred(rate.value)} of 100 {words_of(result.data).lay_positives} ({at_least(finding)}); "
        "guessing would recognise 1. "
    )


def _in_numbers(metrics: Metrics) -> str:
    area, rate = metrics.auroc, metrics.tpr_at_fpr.get("0.01")
    text = f"AUROC {area.value:.3f} [{area.lo:.3f}, {area.hi:.3f}]"
    if rate is None or math.isnan(rate.value):
        return text
    if math.isnan(rate.lo):
        return f"{text}, TPR at 1 % FPR {rate.value:.3f} (too few non-members for an interval)"
    return f"{text}, TPR at 1 % FPR {rate.value:.3f} [{rate.lo:.3f}, {rate.hi:.3f}]"
