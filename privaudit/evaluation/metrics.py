"""All metrics of all scores, with their confidence limits.

| metric | limits |
|---|---|
| AUROC | DeLong's variance, on the logit scale (`privaudit.evaluation.delong`) |
| TPR at FPR | melded confidence distributions, for an estimated threshold (`privaudit.evaluation.rate`) |
| advantage, attack success | bootstrap of the whole curve (`privaudit.evaluation.intervals.advantage_limit`) |
| epsilon | Clopper-Pearson at thresholds fixed on other folds (`privaudit.evaluation.epsilon_bound`) |
| difference of AUROCs | DeLong's covariance, paired |
| difference of TPRs | bootstrap, paired |

With units of dependent images, variances and bootstrap are those of units, limits of rates are percentiles of the
bootstrap, and counts are scaled down to effective sizes. Where a method is not valid, its limits are NaN with a reason;
``benchmarks/coverage.py`` measures where that is.
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
    """Result of `evaluate`: metrics, and the data needed to compare scores and to compute other limits.

    Attributes:
        metrics: Metrics by name of the score.
        p_above_chance: One-sided p-value of "members do not score higher", by name of the score: Mann-Whitney test, or
            t-test of the AUROC for clustered images; NaN if a class is empty.
        areas: AUROCs of all scores and their covariance.
        curves: Counts behind the ROC curve, by name of the score.
        held_out: Counts behind the bound on epsilon, by name of the score.
        replicates: Bootstrap replicates of all scores; None if a set has fewer than 2 units.
        members: Number of members.
        nonmembers: Number of non-members.
        effective: Effective numbers of members and non-members; equal to the numbers if all images are independent.
        folds: Number of folds.
        confidence: Confidence level of the intervals.
        inflation: Factor on the standard deviation of the AUROC, by name of the score; 1 for scores without an entry.
            Greater than 1 for scores that were fitted or chosen on the other folds.
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
    inflation: Mapping[K, float] = field(default_factory=dict)

    @property
    def clustered(self) -> bool:
        """Whether some images are dependent."""
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
    inflation: Mapping[K, float] | None = None,
    positive: Positive = "member",
    units: ArrayLike | None = None,
) -> Evaluation[K]:
    """Measure how well each score separates members from non-members.

    Args:
        scores: ``(n,)`` for each name, higher = more likely a member; infinities are allowed.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `assign_folds`; used for the bound on epsilon.
        fprs: Target false-positive rates of the true-positive rates.
        replicates: Number of bootstrap replicates, at least 39 for a confidence of 0.95.
        confidence: Confidence level of the two-sided intervals and of the bound on epsilon.
        seed: Seed of the bootstrap.
        learned: Names of scores by models that were fitted on the other folds; the variance of their AUROC is inflated
            (see `inflated_alpha`).
        inflation: Factors on the standard deviation of the AUROC by name of the score, which replace that of a learned
            score; from `privaudit.evaluation.choice_inflation` for a score chosen for each fold.
        positive: Positive class. ``nonmember`` is not an attack; it serves to compare with published tables in which
            non-members are the positive class. A rate is then the fraction of non-members detected while at most the
            fraction ``fpr`` of members is called non-members, and "members" in `Evaluation` means the positive class.
        units: ``(n,)``, unit labels of dependent images such as copies or frames of one film, each unit within one
            fold. Independent images have distinct labels. By default all images are independent.

    Returns:
        The metrics; NaN with a reason where they could not be measured.

    Raises:
        ConfigError: ``positive`` is unknown, or there are too few replicates for the confidence.
    """
    check_replicates(confidence, replicates)
    if positive not in get_args(Positive):
        raise ConfigError([f"expected positive to be one of {', '.join(get_args(Positive))}, got {positive!r}"])
    member = np.asarray(is_member, dtype=np.bool_)
    values = {name: checked(score, member)[0] for name, score in scores.items()}
    if positive == "nonmember":
        member, values = ~member, {name: -score for name, score in values.items()}
    codes = unit_codes(units, member.size)
    # None selects the methods for independent images, also if every unit is a single image.
    clustered = codes if codes.size and codes.max() + 1 < codes.size else None
    areas, fold_count = auroc_covariance(values, member, clustered), np.unique(np.asarray(folds)).size
    drawn = stratified_bootstrap(values, member, fprs, replicates, seed, clustered) if areas.pairs > 1 else None
    evaluation = Evaluation(
        metrics={},
        p_above_chance={},
        areas=areas,
        curves={name: count(score, member) for name, score in values.items()},
        held_out={name: held_out_counts(score, member, folds, units=clustered) for name, score in values.items()},
        replicates=drawn,
        members=int(member.sum()),
        nonmembers=int((~member).sum()),
        effective=effective_sizes(codes, member),
        folds=fold_count,
        confidence=confidence,
        inflation={name: sd_inflation(fold_count) for name in learned} | dict(inflation or {}),
    )
    return replace(
        evaluation,
        metrics={name: _metrics(evaluation, name, fprs) for name in values},
        p_above_chance={name: _p_above_chance(evaluation, name, score, member) for name, score in values.items()},
    )


def inflated_alpha(alpha: float, folds: int) -> float:
    """Nominal error probability of a limit for an out-of-fold score, such that its actual one is ``alpha``.

    The models of K folds share training images. Under the null, the AUROC of their scores therefore has a larger
    variance than that of independent scores, which neither a rank test nor DeLong's variance accounts for. The standard
    deviation is multiplied by sqrt(1 + K / (K - 1)), 1.5 for five folds (Nadeau and Bengio 2003, "Inference for the
    generalization error"). This is conservative: the better a score separates, the smaller is the inflation
    (``benchmarks/out_of_fold_null.py``).

    Returns:
        Phi(factor * Phi^-1(alpha)).
    """
    return _scale_quantile(alpha, sd_inflation(folds))


def _scale_quantile(alpha: float, factor: float) -> float:
    """The probability whose normal quantile is ``factor`` times that of ``alpha``: a limit with an inflated SD."""
    from scipy.special import ndtr, ndtri  # keeps ``import privaudit`` fast

    return float(ndtr(ndtri(alpha) * factor))


def sd_inflation(folds: int) -> float:
    """Factor on the standard deviation of an out-of-fold score's AUROC (see `inflated_alpha`).

    Returns:
        sqrt(1 + K / (K - 1)).
    """
    return float(np.sqrt(1.0 + max(2, folds) / (max(2, folds) - 1.0)))


def _joint_factor(evaluation: Evaluation[K], *names: K) -> float:
    return max(evaluation.inflation.get(name, 1.0) for name in names)


def _rate_factor(factor: float, fpr: float) -> float:
    """Factor on the standard deviation of a rate at a false-positive rate f, from that of the AUROC."""
    from scipy.special import ndtri

    # A rate has more sampling noise than the AUROC, so that the inflation by the models is a smaller part of its
    # variance. For normal scores under the null the ratio of these parts is
    # (phi(z_f)^2 / (2 f (1 - f))) / (3 / (2 pi)) = exp(-z_f^2) / (6 f (1 - f)): .67 at f = .5, .36 at .1, .08 at .01.
    share = np.exp(-(ndtri(fpr) ** 2)) / (6.0 * fpr * (1.0 - fpr)) if 0.0 < fpr < 1.0 else 0.0
    return float(np.sqrt(1.0 + share * (factor**2 - 1.0)))


def compare(evaluation: Evaluation[K], name: K, baseline: K, fpr: float = 0.01) -> Comparison:
    """Compare two scores on the same images.

    The p-value of the difference of rates is min(1, 2 min((1 + #{d <= 0}) / (R + 1), (1 + #{d >= 0}) / (R + 1))), over
    R bootstrap replicates d of the difference.

    Args:
        evaluation: Evaluation of both scores.
        name: Name of the score.
        baseline: Name of the score that it is compared with.
        fpr: Target false-positive rate.

    Returns:
        Differences, ``name`` minus ``baseline``, of the AUROC and of the TPR at the target.
    """
    factor = _joint_factor(evaluation, name, baseline)
    area = auroc_difference(evaluation.areas, name, baseline, evaluation.confidence, factor)
    return Comparison(area, _rate_difference(evaluation, name, baseline, fpr))


def bound(
    evaluation: Evaluation[K], name: K, metric: Metric, fpr: float | None, alpha: float, side: Side = "lower"
) -> float:
    """One-sided confidence limit of one metric at any error probability.

    Args:
        evaluation: Evaluation of the score.
        name: Name of the score.
        metric: Metric of the limit.
        fpr: Target false-positive rate of ``tpr``; None for every other metric.
        alpha: Error probability.
        side: Lower or upper limit; epsilon has no upper limit.

    Returns:
        The limit. NaN if there is none: the metric is NaN or was not evaluated, all scores are equal, or there are too
        few images (`privaudit.evaluation.rate.unresolved`) or replicates for ``alpha``.
    """
    nan, curve, drawn = float("nan"), evaluation.curves[name], evaluation.replicates
    if drawn is None or curve.thresholds.size == 1:
        return nan
    factor = evaluation.inflation.get(name, 1.0)
    # AUROC and epsilon have closed forms, whose quantile is inflated; below, the bootstrap replicates are inflated.
    if metric in ("auroc", "epsilon"):
        alpha = _scale_quantile(alpha, factor)
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
        evaluation: Evaluation of the score.
        name: Name of the score.
        fpr: Target false-positive rate.
        alpha: Error probability.
        side: Lower or upper limit.
        drawn: Bootstrap replicates that include this target; needed for clustered images only.

    Returns:
        The limit, or NaN if there are too few images or replicates for ``alpha``.
    """
    curve, factor = evaluation.curves[name], evaluation.inflation.get(name, 1.0)
    if unresolved(fpr, evaluation.effective[1], alpha) or (evaluation.clustered and drawn is None):
        return float("nan")
    value = operating_point(curve, fpr).tpr
    if evaluation.clustered and drawn is not None:
        draws = (drawn.tpr_strict if side == "lower" else drawn.tpr)[drawn.names.index(name), drawn.fprs.index(fpr)]
        limit = rate_limit(value, draws, evaluation.effective[0], alpha, side)
    else:
        limit = tpr_limit(curve, fpr, alpha, side)
    return float(np.clip(value + _rate_factor(factor, fpr) * (limit - value), 0.0, 1.0))


def _metrics(evaluation: Evaluation[K], name: K, fprs: Sequence[float]) -> Metrics:
    confidence, curve = evaluation.confidence, evaluation.curves[name]
    alpha = (1.0 - confidence) / 2.0

    def limits(metric: Metric, fpr: float | None = None) -> tuple[float, float]:
        return bound(evaluation, name, metric, fpr, alpha), bound(evaluation, name, metric, fpr, alpha, "upper")

    area = evaluation.areas.value(name)
    special = why_special(area, evaluation.areas.sd(name), evaluation.areas.pairs)
    why = None if evaluation.replicates is not None and curve.thresholds.size > 1 else special
    gap = Estimate(largest_gap(curve), *limits("advantage"), why)
    success = Estimate((1.0 + gap.value) / 2.0, (1.0 + gap.lo) / 2.0, (1.0 + gap.hi) / 2.0, why)
    rates = {}
    for fpr in fprs:
        rate = rate_at_point(curve, fpr)
        low, high = limits("tpr", fpr)
        reason = why or (unresolved(fpr, evaluation.effective[1], alpha) if np.isnan(low) else None)
        if not np.isnan(rate.value):
            rate = replace(rate, lo=low, hi=high, reason=reason or rate.reason)
        rates[f"{fpr:g}"] = rate
    epsilon = bound(evaluation, name, "epsilon", None, 1.0 - confidence)
    return Metrics(
        auroc=Estimate(area, *limits("auroc"), special),
        tpr_at_fpr=rates,
        advantage=gap,
        attack_success=success,
        epsilon_lower=EpsilonBound(epsilon, confidence, evaluation.held_out[name].reason or why),
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
    draws = value + _rate_factor(_joint_factor(evaluation, name, baseline), fpr) * (draws - value)
    p = min(1.0, 2.0 * min(1 + int((draws <= 0).sum()), 1 + int((draws >= 0).sum())) / (draws.size + 1))
    reason = None if np.ptp(draws) > 0 else fact("interval_without_width")
    low, high = (percentile_limit(draws, alpha, side) for side in ("lower", "upper"))
    return Difference(value, low, high, p, reason)


def _p_above_chance(
    evaluation: Evaluation[K], name: K, scores: NDArray[np.float64], member: NDArray[np.bool_]
) -> float:
    from scipy.special import stdtr  # slow to import
    from scipy.stats import mannwhitneyu, rankdata

    if member.all() or not member.any():
        return float("nan")
    if evaluation.curves[name].thresholds.size == 1:
        return 1.0
    if not evaluation.clustered:
        ranks = rankdata(scores)  # equivalent, without infinities
        p = float(mannwhitneyu(ranks[member], ranks[~member], alternative="greater").pvalue)
    else:
        value, sd, pairs = evaluation.areas.value(name), evaluation.areas.sd(name), evaluation.areas.pairs
        if sd == 0.0:  # perfect separation: all pairs of units are ordered alike, a sign test instead of the t-test
            return 0.5**pairs if value == 1.0 else 1.0
        p = float(stdtr(pairs - 1, (0.5 - value) / sd))
    return _scale_quantile(p, 1.0 / evaluation.inflation.get(name, 1.0)) if 0.0 < p < 1.0 else p
