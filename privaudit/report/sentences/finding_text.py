"""The finding in words: the evidence and its numbers."""

from __future__ import annotations

import math

from privaudit.evaluation.estimate import Metrics
from privaudit.evaluation.finding import TESTED_MASKS, Finding, failed_checks
from privaudit.report.numbers import of_hundred, p_text
from privaudit.report.quoted import confidence_of, quoted
from privaudit.report.sentences.design_text import canary_statement, suspect_statement
from privaudit.report.sentences.fact_text import fact_text, sentence
from privaudit.report.sentences.names import score_text
from privaudit.report.sentences.verdict_text import check_text
from privaudit.results.audit_result import AuditResult


def statement(result: AuditResult) -> str:
    """Write the finding in whole sentences, with every number that it rests on."""
    finding = result.verdict.finding
    if finding.reason is not None and finding.reason.code == "text":
        return sentence(fact_text(finding.reason))  # as an earlier version of privaudit wrote it
    if finding.level == "unclear":
        question = "the model leaks" if result.data.membership_known else "the model was trained on the suspects"
        return f"Whether {question} cannot be told from these images: {_why_unclear(result)}."
    if finding.basis == "set_test" and result.suspects is not None:
        return suspect_statement(result.suspects)
    parts = []
    if finding.basis == "canary_test" and result.canaries is not None:
        parts.append(canary_statement(result.canaries))
    if finding.attack is not None:
        parts.append(_evidence(result, finding))
    return " ".join(parts or [_no_evidence(result, finding)])


def states_canaries(result: AuditResult) -> bool:
    """Whether the finding already says what the audit of canaries shows."""
    return result.verdict.finding.basis == "canary_test" and result.verdict.finding.level != "unclear"


def gives_limit(result: AuditResult) -> bool:
    """Whether the finding gives a rate with a lower limit that allows for the choice among the scores."""
    finding = result.verdict.finding
    return finding.metric == "tpr" and finding.limit is not None and finding.limit > 0.01


def largest_auroc(result: AuditResult) -> float:
    """Find the largest upper limit of the AUROC of a tested score, uncorrected; 1 if a score has no interval."""
    ends = [
        metrics.auroc.hi for report in result.attacks for mask, metrics in report.masks.items() if mask in TESTED_MASKS
    ]
    return max((1.0 if math.isnan(end) else end for end in ends), default=1.0)


def _why_unclear(result: AuditResult) -> str:
    reason = result.verdict.finding.reason
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


def _evidence(result: AuditResult, finding: Finding) -> str:
    score = quoted(result)
    # A score also counts if its bound on epsilon is above 0, for which a few images suffice; its p may then be large.
    shown = (
        "it recognises some members or non-members with certainty, although it does not rank them above chance overall"
    )
    if finding.p is not None and finding.p <= 1.0 - confidence_of(result):
        shown = f"it ranks members above non-members (corrected {p_text(finding.p)})"
    named = score_text(score.report.name, score.mask)
    return (
        f"{_in_images(score.metrics, result)}Evidence of leakage ({finding.level}) by {named}: {shown}; "
        f"{_in_numbers(score.metrics)}."
    )


def _in_images(metrics: Metrics, result: AuditResult) -> str:
    """Say what the rate means, counted in images; empty if it is not shown to be better than guessing."""
    rate, finding = metrics.tpr_at_fpr.get("0.01"), result.verdict.finding
    if rate is None or finding.limit is None or not gives_limit(result):
        return ""
    return (
        f"An attacker who wrongly accuses 1 of 100 non-members recognises {of_hundred(rate.value)} of 100 training "
        f"images (at least {of_hundred(finding.limit)}, corrected for the {finding.scores} scores that were "
        "compared); guessing would recognise 1. "
    )


def _in_numbers(metrics: Metrics) -> str:
    area, rate = metrics.auroc, metrics.tpr_at_fpr.get("0.01")
    text = f"AUROC {area.value:.3f} [{area.lo:.3f}, {area.hi:.3f}]"
    if rate is None or math.isnan(rate.value):
        return text
    if math.isnan(rate.lo):
        return f"{text}, TPR at 1 % FPR {rate.value:.3f} (too few non-members for an interval)"
    return f"{text}, TPR at 1 % FPR {rate.value:.3f} [{rate.lo:.3f}, {rate.hi:.3f}]"
