"""The score that the test of the suspects rests on, among those that the page shows."""

from __future__ import annotations

from privaudit.evaluation.estimate import Estimate
from privaudit.results.audit_result import AuditResult


def tested_area(result: AuditResult) -> Estimate | None:
    """Find the AUROC of the candidate that was chosen, such as ``loss@100/none``.

    Returns:
        At the level that was chosen, over all images; None without suspects, and of a candidate that is a mean or whose
        levels were not compared.
    """
    report = result.suspects
    if report is None or result.data.membership_known:
        return None
    name, _, mask = report.chosen.rpartition("/")
    attack, at, level = name.rpartition("@")
    for candidate in result.attacks:
        if at and candidate.name == attack:
            found = [point for point in candidate.levels if f"{point.level:g}" == level and mask in point.auroc]
            return found[0].auroc[mask] if found else None
        if not at and candidate.name == name and mask in candidate.masks:
            return candidate.masks[mask].auroc
    return None
