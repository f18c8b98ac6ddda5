"""The finding: how strong the evidence of leakage is, whether or not a gate was set.

Two tests per score, Bonferroni over all of them: the AUROC sees leakage that is spread over the images; the bound on
epsilon (at thresholds fixed on other folds, so that it is exact) sees leakage of a few images at a low false-positive
rate. The level of a leak is that of the largest lower limit of TPR at 1 % FPR, corrected for the same tests.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.evaluation.facts import Check, Fact, fact
from privaudit.evaluation.metrics import Evaluation, bound

Pair = tuple[str, str]
"""Attack and mask: what names a score."""

TESTED_MASKS = ("none", "influence", "weighted")
"""Masks that the verdict rests on. ``random`` is a control: it shows what dropping as many dimensions does."""

PERFECT: Pair = ("perfect scores", "none")
"""Names a score that is higher for every member than for any non-member (`perfect_scores`)."""

TPR_LEVELS = {"high": 0.20, "medium": 0.05}
"""Minimum lower limit of TPR at 1 % FPR. If half of all candidates are members, an image that is called a member
is one with probability TPR / (TPR + .01): 95 % at .20, 83 % at .05."""

AUROC_LEVELS = {"high": 0.85, "medium": 0.69}
"""The same for the AUROC, where there are too few non-members for 1 % FPR: the AUROC of the equal-variance
normal model that has these rates, Phi((z_.99 - z_(1 - TPR)) / sqrt 2)."""

Leak = Literal["low", "medium", "high"]
Basis = Literal["checks", "attacks", "set_test", "canary_test"]
"""What decided the level: a check that failed, the attacks, the test of suspects as a set, or that of the canaries."""


@dataclass(frozen=True)
class Finding:
    """How strong the evidence of leakage is.

    Attributes:
        level: ``unclear`` if a check failed or nothing could be measured.
        basis: What decided the level.
        reason: Why it is unclear; None otherwise, and where a check failed.
        attack: The attack that the finding quotes; None unless leakage was found.
        mask: Mask of that attack.
        metric: What the level rests on: ``tpr`` at 1 % FPR, or ``auroc`` where there are too few non-members for that.
        limit: Lower confidence limit of that metric, corrected for the scores that were compared; None
            without one.
        scores: Number of scores that were compared.
        p: P-value of "members do not score higher", corrected for all tests: of the quoted attack, and without
            evidence the smallest; None where the attacks were not tested.
    """

    level: Literal["none", "low", "medium", "high", "unclear"]
    basis: Basis = "attacks"
    reason: Fact | None = None
    attack: str | None = None
    mask: str | None = None
    metric: Literal["tpr", "auroc"] | None = None
    limit: float | None = None
    scores: int = 0
    p: float | None = None

    @property
    def leaks(self) -> bool:
        """Whether there is evidence of leakage."""
        return self.level in ("low", "medium", "high")


def failed_checks(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Select the checks that failed."""
    return tuple(check for check in checks if check.status == "fail")


def find_leakage(
    evaluation: Evaluation[Pair],
    scores: Collection[Pair],
    checks: Sequence[Check],
    perfect: Evaluation[Pair] | None,
) -> Finding:
    """Weigh the evidence that all attacks together give.

    Where even scores without an error would not show leakage, nothing is called free of it: the finding is unclear.

    Args:
        evaluation: Holds the scores.
        scores: The scores that are tested.
        checks: All that were made.
        perfect: Evaluation of `PERFECT` on the same images; None leaves that out.

    Returns:
        The finding, which takes all positives for members.
    """
    if failed_checks(checks):
        return Finding("unclear", "checks")
    p_values = {pair: evaluation.p_above_chance[pair] for pair in scores}
    p_values = {pair: p for pair, p in p_values.items() if not np.isnan(p)}
    if not p_values or evaluation.replicates is None:
        reasons = (evaluation.metrics[pair].auroc.reason for pair in scores)
        return Finding("unclear", reason=next(filter(None, reasons), fact("no_score_on_two_of_each")))
    alpha, tests = 1.0 - evaluation.confidence, 2 * len(p_values)
    error = alpha / tests
    significant = [pair for pair in p_values if _is_significant(evaluation, pair, error)]
    if not significant:
        if perfect is not None and not _is_significant(perfect, PERFECT, error):
            return Finding("unclear", reason=_too_few(evaluation, tests), scores=len(p_values))
        return Finding("none", scores=len(p_values), p=min(1.0, min(p_values.values()) * tests))
    return _leak(evaluation, significant, p_values, error, tests)


def _leak(
    evaluation: Evaluation[Pair], significant: Sequence[Pair], p_values: dict[Pair, float], error: float, tests: int
) -> Finding:
    rates = {pair: bound(evaluation, pair, "tpr", 0.01, error) for pair in significant}
    rates = {pair: rate for pair, rate in rates.items() if not np.isnan(rate)}
    areas = {pair: bound(evaluation, pair, "auroc", None, error) for pair in significant}
    bounds, levels = (rates, TPR_LEVELS) if rates else (areas, AUROC_LEVELS)
    # Rates may all have a limit of 0; then the AUROC tells which attack is the best.
    attack, mask = best = max(bounds, key=lambda pair: (bounds[pair], areas[pair]))
    level: Leak = "low"
    if bounds[best] >= levels["high"]:
        level = "high"
    elif bounds[best] >= levels["medium"]:
        level = "medium"
    return Finding(
        level,
        attack=attack,
        mask=mask,
        metric="tpr" if rates else "auroc",
        limit=None if np.isnan(bounds[best]) else bounds[best],
        scores=len(p_values),
        p=min(1.0, p_values[best] * tests),
    )


def perfect_scores(is_member: ArrayLike) -> NDArray[np.float64]:
    """Scores without an error, no two of them equal.

    Args:
        is_member: ``(n,)``.

    Returns:
        ``(n,)``.
    """
    member = np.asarray(is_member, dtype=np.bool_)
    return member + np.arange(member.size) / (member.size + 1.0)


def _is_significant(evaluation: Evaluation[Pair], pair: Pair, error: float) -> bool:
    return evaluation.p_above_chance[pair] <= error or bound(evaluation, pair, "epsilon", None, error) > 0.0


def _too_few(evaluation: Evaluation[Pair], tests: int) -> Fact:
    members, nonmembers = evaluation.effective
    return fact(
        "perfect_scores_unnoticed",
        members=evaluation.members,
        nonmembers=evaluation.nonmembers,
        effective_members=float(members),
        effective_nonmembers=float(nonmembers),
        tests=tests,
    )
