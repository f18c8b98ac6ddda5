"""What a report shows first: the quoted score, the strongest attacks, the most exposed groups."""

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
        mask: Mask whose metrics are quoted.
    """

    report: AttackReport
    mask: str

    @property
    def metrics(self) -> Metrics:
        """Metrics of the score."""
        return self.report.masks[self.mask]


def quoted(result: AuditResult) -> Quoted:
    """Choose the score that a report shows first: that of the finding, else the largest AUROC without mask."""
    finding = result.verdict.finding
    for report in result.attacks:
        if report.name == finding.attack and finding.mask is not None and finding.mask in report.masks:
            return Quoted(report, finding.mask)
    return Quoted(by_strength(result)[0], "none")


def confidence_of(result: AuditResult) -> float:
    """Look up the confidence of all intervals; the default of scans for a report that does not say."""
    return float(result.config.get("confidence", 0.95))


def strongest(result: AuditResult) -> str:
    """Name the attack of the quoted score."""
    return quoted(result).report.name


def by_strength(result: AuditResult) -> list[AttackReport]:
    """Sort the attacks by AUROC without mask, the largest first and those without an AUROC last."""
    return sorted(result.attacks, key=lambda report: _nan_last(report.masks["none"].auroc.value), reverse=True)


def quoted_first(result: AuditResult) -> list[AttackReport]:
    """Sort the attacks as `by_strength` does, but put the `strongest` first."""
    best = strongest(result)
    return sorted(by_strength(result), key=lambda report: report.name != best)  # a stable sort: the others stay


def exposed_groups(report: AttackReport) -> list[GroupStratum]:
    """Sort the groups of an attack, the most exposed first."""
    return sorted(report.groups, key=lambda group: (-_nan_last(group.auroc.value), group.name))


def _nan_last(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def area_of_suspects(result: AuditResult) -> Estimate | None:
    """Look up the AUROC of the candidate that was chosen for the suspects, over all images.

    Returns:
        AUROC at the chosen level. None without suspects, if the candidate is a mean of scores, and if its levels were
        not compared.
    """
    report = result.suspects
    if report is None or result.data.membership_known:
        return None
    attack = next((attack for attack in result.attacks if attack.name == report.chosen.attack), None)
    if attack is None or report.chosen.mask is None:
        return None
    if report.chosen.at is None:
        return attack.masks[report.chosen.mask].auroc if report.chosen.mask in attack.masks else None
    areas = [level.auroc for level in attack.levels if level.level == report.chosen.at]
    return areas[0].get(report.chosen.mask) if areas else None
