"""All metrics of all scores, with their limits.

| metric | limits |
|---|---|
| AUROC | DeLong's variance, on the logit scale (`privaudit.evaluation.delong`) |
| TPR at FPR | melded: the threshold's rank and the members above it both vary (`privaudit.evaluation.rate`) |
| advantage, attack success | bootstrap of the whole curve (`privaudit.evaluation.intervals.advantage_limit`) |
| epsilon | Clopper-Pearson at thresholds fixed on other folds (`privaudit.evaluation.epsilon_bound`) |
| difference of AUROCs | DeLong's covariance, paired |
| difference of TPRs | bootstrap, paired |

Where images come in units that were drawn together, variances and replicates are those of units, rates are limited by
the percentiles of these replicates, and counts are scaled down to effective sizes. Where a method does not hold, its
limits are NaN and the reason says so; `benchmarks/coverage.py` measures where that is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError
from privaudit.evaluation.bootstrap import Replicates, stratified_bootstrap
from privaudit.evaluation.clusters import effective_sizes, unit_codes
from privaudit.evaluation.delong import AurocCovariance, K, auroc_covariance, auroc_difference, why_special
from privaudit.evaluation.epsilon_bound import HeldOutCounts, bound_from_counts, held_out_counts
from privaudit.evaluation.estimate import Comparison, Difference, EpsilonBound, Estimate, Metrics
from privaudit.evaluation.facts import fact
from privaudit.evaluation.gates import Metric
from privaudit.evaluation.intervals import (
    Side,
    advantage_limit,
    auroc_limit,
    check_replicates,
    percentile_limit,
    rate_limit,
)
from privaudit.evaluation.rate import rate_at_point, tpr_limit, unresolved
from privaudit.evaluation.roc import RocCounts, checked, count, largest_gap, operating_point

Positive = Literal["member", "nonmember"]


@dataclass(frozen=True)
class Evaluation(Generic[K]):
    """What `evaluate` measured, and all that is needed to compare scores and to correct limits.

    Attributes:
        metrics: By name of the score.
        p_above_chance: One-sided p-value of "members do not score higher", by name: Mann-Whitney, or with units a t
            test of the AUROC; NaN for an empty class.
        areas: AUROCs of all scores and their covariance.
        curves: Counts behind each score's ROC curve.
        held_out: Outcomes behind the bound on epsilon.
        replicates: Replicates of all scores on the same resampled images; None if a set has fewer than 2 units.
        members: How many.
        nonmembers: How many.
        effective: Members and non-members that count as independent; the same where no unit holds several images.
        folds: How many.
        confidence: Confidence level of the intervals.
        factors: On the standard deviation of the AUROC of scores in which the other folds had a part, by name.
    """

    metrics: dict[K, Metrics]
    p_above_chance: dict[K, float]
    areas: AurocCovariance[K]
    curves: dict[K, RocCounts]
    held_out: dict[K, HeldOutCounts]
    replicates: Replicates[K] | None
    members: int
    nonmembers: int
    effective: tuple[float, float]
    folds: int
    confidence: float
    factors: Mapping[K, float] = field(default_factory=dict)

    @property
    def clustered(self) -> bool:
        """Whether some images were drawn together."""
        return self.effective != (self.members, self.nonmembers)


def evaluate(
    scores: Mapping[K, ArrayLike],
    is_member: ArrayLike,
    folds: ArrayLike,
    *,
    fprs: Sequence[float] = (0.01, 0.001),
    replicates: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    learned: Collection[K] = (),
    spreads: Mapping[K, float] | None = None,
    positive: Positive = "member",
    units: ArrayLike | None = None,
) -> Evaluation[K]:
    """Measure how well each score tells members from non-members.

    Args:
        scores: ``(n,)`` for each name, higher = member; infinities are legal.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `assign_folds`; used for the bound on epsilon.
        fprs: Targets for the true-positive rate.
        replicates: Replicates of the stratified bootstrap, at least 39 for a confidence of 0.95.
        confidence: Confidence level of the two-sided intervals and of the bound on epsilon.
        seed: Seed of the bootstrap.
        learned: Names of out-of-fold scores, whose tests and limits are more careful (see `inflated_alpha`).
        spreads: Factors in place of that of a learned score, by name: of scores of which one was chosen for each fold,
            `privaudit.evaluation.choice_inflation`.
        positive: The class that is looked for. With ``nonmember`` a rate is the share of non-members that are found
            when at most the share ``fpr`` of members is taken for non-members. That is no attack; it is only there to
            compare with published tables that count this class as positive. `Evaluation` then calls the positive class
            "members" throughout.
        units: ``(n,)``, labels of images that were drawn together, each unit within one fold: copies, frames of one
            film. An image by itself has a label of its own. By default all images are independent.

    Returns:
        The metrics; what could not be measured is NaN with a reason.

    Raises:
        ConfigError: ``positive`` is neither.
    """
    check_replicates(confidence, replicates)
    if positive not in get_args(Positive):
        raise ConfigError([f"expected positive to be one of {', '.join(get_args(Positive))}, got {positive!r}"])
    member = np.asarray(is_member, dtype=np.bool_)
    values = {name: checked(score, member)[0] for name, score in scores.items()}
    if positive == "nonmember":
        member, values = ~member, {name: -score for name, score in values.items()}
    codes = unit_codes(units, member.size)
    grouped = codes if codes.size and codes.max() + 1 < codes.size else None  # all single is the same as no units
    areas, used = auroc_covariance(values, member, grouped), np.unique(np.asarray(folds)).size
    found = Evaluation(
        metrics={},
        p_above_chance={},
        areas=areas,
        curves={name: count(score, member) for name, score in values.items()},
        held_out={name: held_out_counts(score, member, folds, units=grouped) for name, score in values.items()},
        replicates=stratified_bootstrap(values, member, fprs, replicates, seed, grouped) if areas.pairs > 1 else None,
        members=int(member.sum()),
        nonmembers=int((~member).sum()),
        effective=effective_sizes(codes, member),
        folds=used,
        confidence=confidence,
        factors={name: sd_inflation(used) for name in learned} | dict(spreads or {}),
    )
    return replace(
        found,
        metrics={name: _metrics(found, name, fprs) for name in values},
        p_above_chance={name: _p_above_chance(found, name, score, member) for name, score in values.items()},
    )


def inflated_alpha(alpha: float, folds: int) -> float:
    """Error probability at which a limit of an out-of-fold score has to be taken to have the error ``alpha``.

    The models of K folds share their training images, so that under the null their scores' AUROC spreads wider than
    that of independent scores, which neither a rank test nor a variance of the scores sees. The standard deviation is
    therefore multiplied by sqrt(1 + K / (K - 1)), 1.5 for five folds (Nadeau and Bengio 2003, "Inference for the
    generalization error"). That is careful: the more a score really separates, the less is missing
    (``benchmarks/out_of_fold_null.py``).

    Returns:
        Phi(factor * Phi^-1(alpha)).
    """
    return _times(alpha, sd_inflation(folds))


def _times(alpha: float, factor: float) -> float:
    from scipy.special import ndtr, ndtri  # keeps ``import privaudit`` fast

    return float(ndtr(ndtri(alpha) * factor))


def sd_inflation(folds: int) -> float:
    """Factor on the standard deviation of an out-of-fold score's AUROC (see `inflated_alpha`).

    Returns:
        sqrt(1 + K / (K - 1)).
    """
    return float(np.sqrt(1.0 + max(2, folds) / (max(2, folds) - 1.0)))


def _factor(evaluation: Evaluation[K], *names: K) -> float:
    return max(evaluation.factors.get(name, 1.0) for name in names)


def _of_rate(factor: float, fpr: float) -> float:
    """What is left of a factor on the AUROC's standard deviation for a rate at a false-positive rate f."""
    from scipy.special import ndtri

    # A rate has more noise of its own, beside which that of the models counts less. For normal scores under the null it
    # counts phi(z_f)^2 / (2 f (1 - f)) : 3 / (2 pi) times as much: .67 at f = .5, .36 at .1, .08 at .01.
    share = np.exp(-(ndtri(fpr) ** 2)) / (6.0 * fpr * (1.0 - fpr)) if 0.0 < fpr < 1.0 else 0.0
    return float(np.sqrt(1.0 + share * (factor**2 - 1.0)))


def compare(evaluation: Evaluation[K], name: K, baseline: K, fpr: float = 0.01) -> Comparison:
    """Compare two scores on the same images.

    The p-value of the rates comes from R replicates d of their difference: min(1, 2 min((1 + #{d <= 0}) / (R + 1),
    (1 + #{d >= 0}) / (R + 1))).

    Returns:
        Differences "name minus baseline" of AUROC and of TPR at the target.
    """
    factor = _factor(evaluation, name, baseline)
    area = auroc_difference(evaluation.areas, name, baseline, evaluation.confidence, factor)
    return Comparison(area, _rate_difference(evaluation, name, baseline, fpr))


def bound(
    evaluation: Evaluation[K], name: K, metric: Metric, fpr: float | None, alpha: float, side: Side = "lower"
) -> float:
    """One-sided confidence limit of one metric at any error probability.

    Returns:
        The limit, or NaN if it cannot be given: the metric is NaN or was not evaluated, all scores are equal, or
        ``alpha`` is beyond what the images (`privaudit.evaluation.rate.unresolved`) or the replicates resolve.
    """
    nan, curve, drawn = float("nan"), evaluation.curves[name], evaluation.replicates
    if drawn is None or curve.thresholds.size == 1:
        return nan
    factor = evaluation.factors.get(name, 1.0)
    if metric in ("auroc", "epsilon"):
        alpha = _times(alpha, factor)
    if metric == "auroc":
        areas = evaluation.areas
        return auroc_limit(areas.value(name), areas.sd(name), areas.pairs, alpha, side)
    if metric == "epsilon":
        return bound_from_counts(evaluation.held_out[name], 1.0 - alpha).value if side == "lower" else nan
    at = drawn.names.index(name)
    if metric == "advantage":
        value, pairs = largest_gap(curve), min(evaluation.effective)
        draws = np.clip(value + factor * (drawn.advantage[at] - value), 0.0, 1.0)
        return advantage_limit(value, draws, factor * drawn.excess[at], pairs, alpha, side)
    return nan if fpr is None or fpr not in drawn.fprs else rate_bound(evaluation, name, fpr, alpha, side, drawn)


def rate_bound(
    evaluation: Evaluation[K], name: K, fpr: float, alpha: float, side: Side, drawn: Replicates[K] | None
) -> float:
    """One-sided confidence limit of the true-positive rate at any false-positive rate.

    Args:
        evaluation: Holds the score.
        name: Name of the score.
        fpr: Target.
        alpha: Error probability.
        side: Which limit.
        drawn: Replicates at that target; needed only where some images were drawn together.

    Returns:
        The limit, or NaN if ``alpha`` is beyond what the images or the replicates resolve.
    """
    curve, factor = evaluation.curves[name], evaluation.factors.get(name, 1.0)
    if unresolved(fpr, evaluation.effective[1], alpha) or (evaluation.clustered and drawn is None):
        return float("nan")
    value = operating_point(curve, fpr).tpr
    if evaluation.clustered and drawn is not None:
        draws = (drawn.tpr_strict if side == "lower" else drawn.tpr)[drawn.names.index(name), drawn.fprs.index(fpr)]
        limit = rate_limit(value, draws, evaluation.effective[0], alpha, side)
    else:
        limit = tpr_limit(curve, fpr, alpha, side)
    return float(np.clip(value + _of_rate(factor, fpr) * (limit - value), 0.0, 1.0))


def _metrics(found: Evaluation[K], name: K, fprs: Sequence[float]) -> Metrics:
    confidence, curve = found.confidence, found.curves[name]
    alpha = (1.0 - confidence) / 2.0

    def limits(metric: Metric, fpr: float | None = None) -> tuple[float, float]:
        return bound(found, name, metric, fpr, alpha), bound(found, name, metric, fpr, alpha, "upper")

    area = found.areas.value(name)
    special = why_special(area, found.areas.sd(name), found.areas.pairs)
    why = None if found.replicates is not None and curve.thresholds.size > 1 else special
    gap = Estimate(largest_gap(curve), *limits("advantage"), why)
    success = Estimate((1.0 + gap.value) / 2.0, (1.0 + gap.lo) / 2.0, (1.0 + gap.hi) / 2.0, why)
    rates = {}
    for fpr in fprs:
        rate = rate_at_point(curve, fpr)
        low, high = limits("tpr", fpr)
        reason = why or (unresolved(fpr, found.effective[1], alpha) if np.isnan(low) else None)
        if not np.isnan(rate.value):
            rate = replace(rate, lo=low, hi=high, reason=reason or rate.reason)
        rates[f"{fpr:g}"] = rate
    epsilon = bound(found, name, "epsilon", None, 1.0 - confidence)
    return Metrics(
        auroc=Estimate(area, *limits("auroc"), special),
        tpr_at_fpr=rates,
        advantage=gap,
        attack_success=success,
        epsilon_lower=EpsilonBound(epsilon, confidence, found.held_out[name].reason or why),
    )


def _rate_difference(evaluation: Evaluation[K], name: K, baseline: K, fpr: float) -> Difference:
    nan, drawn = float("nan"), evaluation.replicates
    mine, other = (evaluation.metrics[each].tpr_at_fpr.get(f"{fpr:g}") for each in (name, baseline))
    if mine is None or other is None:
        return Difference(nan, nan, nan, nan, fact("rate_not_evaluated", fpr=fpr))
    value, alpha = mine.value - other.value, (1.0 - evaluation.confidence) / 2.0
    if drawn is None or np.isnan([value, mine.lo, other.lo]).any():
        return Difference(value, nan, nan, nan, mine.reason or other.reason)
    at = drawn.fprs.index(fpr)
    draws = drawn.tpr[drawn.names.index(name), at] - drawn.tpr[drawn.names.index(baseline), at]
    draws = value + _of_rate(_factor(evaluation, name, baseline), fpr) * (draws - value)
    p = min(1.0, 2.0 * min(1 + int((draws <= 0).sum()), 1 + int((draws >= 0).sum())) / (draws.size + 1))
    reason = None if np.ptp(draws) > 0 else fact("interval_without_width")
    low, high = (percentile_limit(draws, alpha, side) for side in ("lower", "upper"))
    return Difference(value, low, high, p, reason)


def _p_above_chance(found: Evaluation[K], name: K, scores: NDArray[np.float64], member: NDArray[np.bool_]) -> float:
    from scipy.special import stdtr  # slow to import
    from scipy.stats import mannwhitneyu, rankdata

    if member.all() or not member.any():
        return float("nan")
    if found.curves[name].thresholds.size == 1:
        return 1.0
    if not found.clustered:
        ranks = rankdata(scores)  # infinities become ranks like any other score
        p = float(mannwhitneyu(ranks[member], ranks[~member], alternative="greater").pvalue)
    else:
        value, sd, pairs = found.areas.value(name), found.areas.sd(name), found.areas.pairs
        if sd == 0.0:  # separated completely: each pair of units is ordered in the same way
            return 0.5**pairs if value == 1.0 else 1.0
        p = float(stdtr(pairs - 1, (0.5 - value) / sd))
    return _times(p, 1.0 / found.factors.get(name, 1.0)) if 0.0 < p < 1.0 else p
