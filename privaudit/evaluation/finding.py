"""The finding: strength of the evidence of leakage, whether or not a gate was set.

There are two tests per score, Bonferroni-corrected over all of them. The AUROC detects leakage shared by many images;
the bound on epsilon (exact, since its thresholds are fixed on other folds) detects leakage of a few images at a low
false-positive rate. The level of leakage follows from the largest lower limit of TPR at 1 % FPR, corrected for the same
tests.
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
"""Name of a score: attack and mask."""

TESTED_MASKS = ("none", "influence", "weighted")
"""Masks that the verdict rests on. ``random`` is a control, with as many dimensions dropped at random."""

PERFECT: Pair = ("perfect scores", "none")
"""Name of a score that is higher for every member than for any non-member (see `perfect_scores`)."""

TPR_LEVELS = {"high": 0.20, "medium": 0.05}
"""Minimum lower limit of TPR at 1 % FPR of each level. If half of the images that are attacked are members, an image
called a member is one with probability TPR / (TPR + .01): 95 % at .20, 83 % at .05."""

AUROC_LEVELS = {"high": 0.85, "medium": 0.69}
"""Minimum lower limit of the AUROC of each level, used where there are too few non-members for 1 % FPR: the AUROC of
the equal-variance normal model with the rates of `TPR_LEVELS`, Phi((z_.99 - z_(1 - TPR)) / sqrt 2)."""

Leak = Literal["low", "medium", "high"]
Basis = Literal["checks", "attacks", "set_test", "canary_test"]
"""What decided the level: a check that failed or warns of what can hide a leak, the attacks, the set test of suspects,
or the test of canaries."""


@dataclass(frozen=True)
class Finding:
    """Strength of the evidence of leakage.

    Attributes:
        level: Level of leakage; ``unclear`` if a check failed, nothing could be measured, there are too few images, or
            no leak was found but a check warns of something that can hide one.
        basis: What decided the level.
        reason: Why the level is unclear; None otherwise, and if a check failed.
        attack: Attack with the largest limit; None unless leakage was detected.
        mask: Mask of that attack.
        metric: Metric of the level: ``tpr`` at 1 % FPR, or ``auroc`` if there are too few non-members for that.
        limit: Lower confidence limit of that metric, corrected for all tests; None if there is none.
        scores: Number of scores that were tested.
        p: Corrected p-value of "members do not score higher": that of ``attack``, or the smallest one if no leakage was
            detected; None if the attacks were not tested.
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
    """Combine the evidence of all attacks.

    If there are so few images that even perfect scores would not be significant, the finding is unclear rather than
    "none".

    Args:
        evaluation: Evaluation of the scores.
        scores: Names of the scores to test.
        checks: Results of all checks.
        perfect: Evaluation of `PERFECT` on the same images; None skips this comparison.

    Returns:
        The finding, with all positives regarded as members.
    """
    if failed_checks(checks):
        return Finding("unclear", "checks")
    p_values = _p_values(evaluation, scores)
    if not p_values or evaluation.replicates is None:
        reasons = (evaluation.metrics[pair].auroc.reason for pair in scores)
        return Finding("unclear", reason=next(filter(None, reasons), fact("no_score_on_two_of_each")))
    alpha_per_test, tests = level_per_test(evaluation, scores), 2 * len(p_values)
    significant = significant_scores(evaluation, scores)
    if not significant:
        if perfect is not None and not _is_significant(perfect, PERFECT, alpha_per_test):
            return Finding("unclear", reason=_too_few(evaluation, tests), scores=len(p_values))
        return Finding("none", scores=len(p_values), p=min(1.0, min(p_values.values()) * tests))
    return _leak(evaluation, significant, p_values, alpha_per_test, tests)


def level_per_test(evaluation: Evaluation[Pair], scores: Collection[Pair]) -> float:
    """Error probability of each of the two tests of every score that could be tested (Bonferroni)."""
    return (1.0 - evaluation.confidence) / (2 * max(1, len(_p_values(evaluation, scores))))


def significant_scores(evaluation: Evaluation[Pair], scores: Collection[Pair]) -> tuple[Pair, ...]:
    """Select the scores that distinguish members by either test, corrected for all of them."""
    level = level_per_test(evaluation, scores)
    return tuple(pair for pair in _p_values(evaluation, scores) if _is_significant(evaluation, pair, level))


def _p_values(evaluation: Evaluation[Pair], scores: Collection[Pair]) -> dict[Pair, float]:
    """P-values of the scores that could be tested."""
    p_values = {pair: evaluation.p_above_chance[pair] for pair in scores}
    return {pair: p for pair, p in p_values.items() if not np.isnan(p)}


def _leak(
    evaluation: Evaluation[Pair],
    significant: Sequence[Pair],
    p_values: dict[Pair, float],
    alpha_per_test: float,
    tests: int,
) -> Finding:
    rates = {pair: bound(evaluation, pair, "tpr", 0.01, alpha_per_test) for pair in significant}
    rates = {pair: rate for pair, rate in rates.items() if not np.isnan(rate)}
    areas = {pair: bound(evaluation, pair, "auroc", None, alpha_per_test) for pair in significant}
    bounds, levels = (rates, TPR_LEVELS) if rates else (areas, AUROC_LEVELS)
    # All rates can have a limit of 0, in which case the AUROC decides which attack is best.
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
    """Make scores that separate members from non-members perfectly, all of them distinct.

    Args:
        is_member: ``(n,)``.

    Returns:
        ``(n,)``.
    """
    member = np.asarray(is_member, dtype=np.bool_)
    return member + np.arange(member.size) / (member.size + 1.0)


def _is_significant(evaluation: Evaluation[Pair], pair: Pair, alpha_per_test: float) -> bool:
    return (
        evaluation.p_above_chance[pair] <= alpha_per_test
        or bound(evaluation, pair, "epsilon", None, alpha_per_test) > 0.0
    )


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
