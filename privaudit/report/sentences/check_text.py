"""Checks in words: what each noticed, and what it would mean if it failed."""

from __future__ import annotations

from privaudit.evaluation.facts import Check
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.fact_text import facts_text
from privaudit.results.audit_result import AuditResult
from privaudit.results.data_report import DataReport

ABOUT_SUSPECTS = ("blind baseline, suspects", "file properties, suspects")
"""Checks that compare suspects with non-members next to known members."""
WHY = {
    "blind baseline": "if the sets differ in anything else, an attack may recognise that and not membership",
    "sample size": "rates at few false positives rest on the few non-members with the highest scores",
    "duplicates": "an attack that recognises a copy of a training image is right and counted as wrong",
    "file properties": "what was stored differently can be told apart without the model",
    "unreadable files": "images that were left out may be of one kind",
    "convergence": "where the inversion of the decoder is rough, influence maps and masks are rough, too; attacks "
    "without mask at the encoder's latents are not affected",
    "non-finite values": "a score that is not a number has no rank",
    "consistency": "an AUROC and a rate that no curve can have would be a defect of privaudit",
    "canaries": "the draw is a proof only if nobody could know or change it",
    "suspects": "an image of known membership is no suspect",
    "reference": "differences from a reference mean something only in the same latent space",
    ABOUT_SUSPECTS[0]: "if suspects and non-members differ in anything else, that may be what is recognised",
    ABOUT_SUSPECTS[1]: "what was stored differently can be told apart without the model",
}
"""Why each check matters, by name."""
ORDER = {"fail": 0, "warn": 1, "ok": 2}


def check_text(check: Check, data: DataReport) -> str:
    """Write what a check noticed: clauses with semicolons between them."""
    about_suspects = check.name in ABOUT_SUSPECTS or not data.membership_known
    return facts_text(check.facts, "suspects" if about_suspects else words_of(data).positives)


def ordered_checks(result: AuditResult) -> tuple[Check, ...]:
    """List all checks, those that failed or warned first."""
    return tuple(sorted(result.checks, key=lambda check: ORDER[check.status]))


def names_of(result: AuditResult, status: str) -> str:
    """Name the checks of a status, with commas between them; empty if there are none."""
    return ", ".join(check.name for check in result.checks if check.status == status)
