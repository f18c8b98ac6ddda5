"""The score that a report speaks of first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from privaudit.evaluation.estimate import Metrics
from privaudit.results.audit_result import AttackReport, AuditResult


@dataclass(frozen=True)
class Quoted:
    """An attack under a mask.

    Attributes:
        report: Of the attack.
        mask: Whose metrics are quoted.
    """

    report: AttackReport
    mask: str

    @property
    def metrics(self) -> Metrics:
        """What the score tells about membership."""
        return self.report.masks[self.mask]


def quoted(result: AuditResult) -> Quoted:
    """Choose the score that a report shows first.

    Returns:
        The one that the finding quotes; without a finding, the one of largest AUROC without mask.
    """
    finding = result.verdict.finding
    for report in result.attacks:
        if report.name == finding.attack and finding.mask is not None and finding.mask in report.masks:
            return Quoted(report, finding.mask)
    return Quoted(max(result.attacks, key=lambda report: _or_least(report.masks["none"].auroc.value)), "none")


def _or_least(value: float) -> float:
    return -math.inf if math.isnan(value) else value
