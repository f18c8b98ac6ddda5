"""Design that compares included with excluded canaries, drawn at random (see `privaudit.evaluation.canary_audit`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from privaudit.auditing.assess.score_candidates import candidates
from privaudit.auditing.designs.design import Design, Judgement, Listed, Sources
from privaudit.auditing.options import AuditOptions
from privaudit.canaries import Canaries, read_canaries
from privaudit.data.listed import Listing
from privaudit.evaluation import Check, Conclusion, Finding, fact
from privaudit.evaluation.canary_audit import SIGNIFICANCE, CanaryReport, audit_canaries
from privaudit.evaluation.one_run import epsilon_one_run
from privaudit.results.data_report import DesignCode

if TYPE_CHECKING:
    from privaudit.auditing.assess.folds import Split
    from privaudit.auditing.audit_data import AuditData
    from privaudit.auditing.measurements import Measurements


@dataclass(frozen=True)
class CanariesDesign(Design):
    """Compares images that were drawn at random for training with those that were left out.

    Attributes:
        draw: Draw that decided which images are in which set.
    """

    code: ClassVar[DesignCode] = "canaries"
    options: ClassVar[tuple[str, ...]] = ("canaries",)
    positives: ClassVar[str] = "included canaries"
    tested: ClassVar[str | None] = "canaries"
    draw: Canaries

    @classmethod
    def list_sets(cls, options: AuditOptions) -> Sources:
        """List both sides of the draw.

        Returns:
            What will be read.

        Raises:
            DataError: The canaries differ from those that were sealed.
        """
        (source,) = options.sources
        draw = read_canaries(source)
        sides = {"included canaries": draw.included, "excluded canaries": draw.excluded}
        return Sources(
            cls(draw),
            tuple(Listed(name, source, Listing("canaries", tuple(entries))) for name, entries in sides.items()),
        )

    def judge(
        self, measured: Measurements, data: AuditData, split: Split, options: AuditOptions, checks: tuple[Check, ...]
    ) -> Judgement:
        """Audit one training run: the exact test decides, and gates on epsilon test its bound."""
        table, names = candidates(measured.tables, measured.references)
        report = audit_canaries(
            table,
            names,
            data.is_positive,
            [sample.id for sample in data.compared],
            confidence=options.confidence,
            seed=options.seed,
        )
        conclusion = Conclusion(
            partial(canary_finding, report=report, checks=checks),
            epsilon_at=_epsilon_bound(report, report.guesses, report.correct),
            epsilon_most=_epsilon_bound(report, report.audited, report.audited),
        )
        return Judgement(conclusion, checks=(draw_check(self.draw),), canaries=report)


def canary_finding(finding: Finding, report: CanaryReport, checks: Sequence[Check] = ()) -> Finding:
    """Return the finding of an audit of canaries, by the exact test, whose false-positive rate is known.

    Returns:
        The finding of the attacks if a check failed or the test could not be made. ``unclear`` if no outcome of the
        test could have been evidence. ``none`` without evidence. Otherwise the level that follows from the rates of the
        attacks, at least ``low``.
    """
    if np.isnan(report.p) or any(check.status == "fail" for check in checks):
        return finding
    # the smallest possible p-value, with all included canaries on top, is 1 / comb(audited, included)
    if math.comb(report.audited, report.included) * SIGNIFICANCE < 1.0:
        few = fact("perfect_canaries_unnoticed", audited=report.audited, included=report.included)
        return Finding("unclear", "canary_test", few)
    if report.p > SIGNIFICANCE:
        return Finding("none", "canary_test")
    return replace(finding, level=finding.level if finding.leaks else "low", basis="canary_test", reason=None)


def draw_check(draw: Canaries) -> Check:
    """State when and how the canaries were drawn, and the seal that identifies the draw."""
    sealed = fact("draw_sealed", canaries=len(draw), created=draw.created, seal=draw.seal)
    if draw.seeded:
        return Check("canaries", "warn", (sealed, fact("draw_from_seed")))
    return Check("canaries", "ok", (sealed, fact("seal_to_compare")))


def _epsilon_bound(report: CanaryReport, guesses: int, correct: int) -> Callable[[float], float]:
    """Lower bound on epsilon for so many guesses, as a function of the error probability; NaN if none was measured."""

    def bound(alpha: float) -> float:
        if np.isnan(report.epsilon_lower):
            return float("nan")
        return epsilon_one_run(report.audited, guesses, correct, 1.0 - alpha, report.delta)

    return bound
