"""Design that compares suspects with non-members, for evidence that some of the suspects were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from privaudit.auditing.designs.design import Design, Judgement
from privaudit.auditing.designs.suspect_judgement import (
    TABLE,
    judge_unknown_membership,
    qualified,
    require_nonmembers,
    suspect_table,
)
from privaudit.auditing.options import AuditOptions
from privaudit.evaluation import Check, Conclusion, Finding, fact
from privaudit.evaluation.finding import failed_checks
from privaudit.evaluation.suspects import SuspectReport
from privaudit.results.data_report import DesignCode

if TYPE_CHECKING:
    from privaudit.auditing.assess.folds import Split
    from privaudit.auditing.audit_data import AuditData
    from privaudit.auditing.measurements import Measurements


@dataclass(frozen=True)
class SuspectsDesign(Design):
    """Compares images of unknown membership with images known not to be in the training set."""

    code: ClassVar[DesignCode] = "suspects"
    options: ClassVar[tuple[str, ...]] = ("suspects", "nonmembers")
    positives: ClassVar[str] = "suspects"
    label: ClassVar[str] = "suspect"
    tested: ClassVar[str | None] = "suspects"

    def require_enough(self, data: AuditData, together: Sequence[str | None]) -> None:
        """Refuse too few non-members."""
        require_nonmembers(data, together)

    def judge(
        self, measured: Measurements, data: AuditData, split: Split, options: AuditOptions, checks: tuple[Check, ...]
    ) -> Judgement:
        """Decide by the test of the whole set whether there is evidence."""
        findings = judge_unknown_membership(measured, data, split, options)
        return Judgement(
            Conclusion(partial(suspect_finding, report=findings.report, checks=checks)),
            suspects=qualified(findings.report, checks),
            tables={TABLE: suspect_table(data, findings)},
        )


def suspect_finding(finding: Finding, report: SuspectReport, checks: Sequence[Check] = ()) -> Finding:
    """Return the finding of an audit of suspects.

    Returns:
        ``unclear`` if a check failed, or if no outcome of the test could have been evidence; ``none`` without evidence;
        otherwise the level that follows from the rates of the attacks, at least ``low``.
    """
    if failed_checks(checks):
        return Finding("unclear", "checks")
    # even a perfect separation could not have reached the level; the factor allows for rounding
    if report.smallest_set_p > report.alpha * (1.0 + 1e-9):
        return Finding("unclear", "set_test", fact("perfect_suspects_unnoticed", smallest_p=report.smallest_set_p))
    if report.set_p > report.alpha:
        return Finding("none", "set_test")
    return replace(finding, level=finding.level if finding.leaks else "low", basis="set_test", reason=None)
