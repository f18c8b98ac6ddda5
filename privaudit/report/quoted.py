"""What a report speaks of first: the quoted score, the strongest attacks, the most exposed groups."""

from __future__ import annotations

import math
from dataclasses import dataclass

from privaudit.evaluation.estimate import Estimate, GroupStratum, Metrics
from privaudit.results.audit_result import AttackReport, AuditResult


@dataclass(frozen=True)
class Quoted:
    """An attack under a mask.

    Attributes:
        report: Report of the attack.
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
    return Quoted(by_strength(result)[0], "none")


def strongest(result: AuditResult) -> str:
    """Name the attack that a reader wants to see first: that of the quoted score."""
    return quoted(result).report.name


def by_strength(result: AuditResult) -> list[AttackReport]:
    """Sort the attacks by AUROC without a mask, the largest first and those without one last."""
    return sorted(result.attacks, key=lambda report: _or_least(report.masks["none"].auroc.value), reverse=True)


def quoted_first(result: AuditResult) -> list[AttackReport]:
    """Sort the attacks as `by_strength` does, but for the `strongest`, which comes first."""
    best = strongest(result)
    return sorted(by_strength(result), key=lambda report: report.name != best)


def exposed_groups(report: AttackReport) -> list[GroupStratum]:
    """Sort the groups of an attack, the most exposed first."""
    return sorted(report.groups, key=lambda group: (-_or_least(group.auroc.value), group.name))


def _or_least(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def area_of_suspects(result: AuditResult) -> Estimate | None:
    """Look up the AUROC of the candidate that was chosen for the suspects.

    Returns:
        At the level that was chosen, over all images; None without suspects, and of a candidate that is a mean or whose
        levels were not compared.
    """
    report = result.suspects
    if report is None or result.data.membership_known:
        return None
    attack = next((attack for attack in result.attacks if attack.name == report.chosen.attack), None)
    if attack is None or report.chosen.mask is None:
        return None
    if report.chosen.at is None:
        metrics = attack.masks.get(report.chosen.mask)
        return None if metrics is None else metrics.auroc
    areas = [level.auroc for level in attack.levels if level.level == report.chosen.at]
    return areas[0].get(report.chosen.mask) if areas else None
