"""The checks of the page, each with what it would mean if it failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from privaudit.results.audit_result import AuditResult

WHY = {
    "blind baseline": "if the sets differ in something else, an attack may recognise that and not membership",
    "sample size": "rates at few false positives rest on the few highest of the non-members",
    "duplicates": "an attack that recognises the copy of a training image is right and counted as wrong",
    "file properties": "what was stored differently can be told apart without the model",
    "unreadable files": "images that were left out may be of one kind",
    "convergence": "where the inversion of the decoder is rough, so are influence maps and masks; attacks without mask "
    "at the encoder's latents are not touched",
    "non-finite values": "a score that is no number has no rank",
    "consistency": "an AUROC and a rate that no curve can have would be a defect of privaudit",
    "canaries": "the lot is a proof only if nobody could know or change it",
    "suspects": "an image of known membership is no suspect",
    "reference": "differences from a reference mean something only in the same latent space",
}
"""By the name of the check, or by what its name begins with."""


@dataclass(frozen=True)
class Checked:
    """A check as the page shows it.

    Attributes:
        name: Name of the check.
        status: What became of it.
        detail: What was found.
        why: Why it matters; empty of a check that is not known here.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    why: str


def checked(result: AuditResult) -> tuple[Checked, ...]:
    """List all checks, those that failed or warned first."""
    order = {"fail": 0, "warn": 1, "ok": 2}
    found = sorted(result.checks, key=lambda check: order[check.status])
    return tuple(Checked(check.name, check.status, check.detail, _why(check.name)) for check in found)


def _why(name: str) -> str:
    return next((why for start, why in WHY.items() if name == start or name.startswith(f"{start},")), "")
