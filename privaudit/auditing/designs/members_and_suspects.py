"""Design that compares known members with non-members, and judges suspects by the attack that finds the members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from privaudit.auditing.designs.design import Judgement
from privaudit.auditing.designs.members import MembersDesign
from privaudit.auditing.designs.suspect_checks import known_check, suspect_checks
from privaudit.auditing.designs.suspect_judgement import (
    TABLE,
    judge_unknown_membership,
    qualified,
    require_nonmembers,
    suspect_table,
)
from privaudit.auditing.options import AuditOptions
from privaudit.errors import DataError
from privaudit.evaluation import Check
from privaudit.evaluation.direction import DIRECTION
from privaudit.evaluation.reading_checks import READING_CHECKS

if TYPE_CHECKING:
    from privaudit.auditing.assess.folds import Split
    from privaudit.auditing.audit_data import AuditData
    from privaudit.auditing.measurements import Measurements


@dataclass(frozen=True)
class MembersAndSuspectsDesign(MembersDesign):
    """Compares members with non-members, without the suspects, and tests the suspects separately."""

    options: ClassVar[tuple[str, ...]] = ("members", "nonmembers", "suspects")
    tested: ClassVar[str | None] = "suspects"

    def require_enough(self, data: AuditData, together: Sequence[str | None]) -> None:
        """Refuse too few non-members, or a single known member."""
        require_nonmembers(data, together)
        if len(data.positives) < 2:
            raise DataError(
                "expected at least 2 known members in addition to the suspects, got 1; add images, or leave --members "
                "out"
            )

    def judge(
        self, measured: Measurements, data: AuditData, split: Split, options: AuditOptions, checks: tuple[Check, ...]
    ) -> Judgement:
        """Judge the suspects; the comparison of members with non-members is not affected."""
        findings = judge_unknown_membership(measured, data, split, options)
        compared = suspect_checks(measured, data, split, options)
        # a model that is read wrongly, or was trained on the non-members, says nothing about the suspects either
        misread = (check for check in checks if check.name in (*READING_CHECKS, DIRECTION))
        # these checks are about the suspects alone, so they must not fail the audit of the members
        warned = (replace(check, status="ok" if check.status == "ok" else "warn") for check in compared)
        return Judgement(
            checks=(*warned, *known_check(data)),
            suspects=qualified(findings.report, (*compared, *misread)),
            tables={TABLE: suspect_table(data, findings)},
        )
