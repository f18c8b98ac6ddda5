"""All metrics of all scores, with intervals, from one set of bootstrap replicates.

AUROC: logit interval with the bootstrap's standard deviation. TPR at FPR: percentiles with the threshold
re-estimated in each replicate. Advantage: a bound on the whole curve. Epsilon: Clopper-Pearson at thresholds
fixed on other folds. Where the sample is at the edge (AUROC of exactly 1, TPR of 0) the bootstrap has no spread and
exact binomial limits take its place; see `privaudit.evaluation.intervals`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError
from privaudit.evaluation.bootstrap import Replicates, stratified_bootstrap
from privaudit.evaluation.epsilon import HeldOutCounts, bound_from_counts, held_out_counts
from privaudit.evaluation.estimate import Comparison, Difference, Estimate, Metrics, RateEstimate
from privaudit.evaluation.gates import Metric
from privaudit.evaluation.intervals import Side, advantage_limit, auroc_limit, rate_limit
from privaudit.evaluation.roc import advantage, auroc, checked, tpr_at_fpr

FEW_FALSE_POSITIVES = 10
"""Below this many expected false positives a rate comes with a warning."""


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured, and all that is needed to compare scores and to correct limits.

    Attributes:
        metrics: By name of the score.
        p_above_chance: One-sided Mann-Whitney p-value of "members do not score higher"; NaN for an empty class.
        held_out: Outcomes behind the bound on epsilon.
        replicates: Of all scores on the same resampled images; None if a set has fewer than 2 images.
        members: How many.
        nonmembers: How many.
        folds: How many.
        confidence: Of the intervals.
        learned: Names of scores by models that were fitted to the other folds (see `widened`).
    """

    metrics: dict[str, Metrics]
    p_above_chance: dict[str, float]
    held_out: dict[str, HeldOutCounts]
    replicates: Replicates | None
    members: int
    nonmembers: int
    folds: int
    confidence: float
    learned: frozenset[str] = frozenset()


def evaluate(
    scores: Mapping[str, ArrayLike],
    is_member: ArrayLike,
    folds: ArrayLike,
    *,
    fprs: Sequence[float] = (0.01, 0.001),
    replicates: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    learned: Collection[str] = (),
) -> Evaluation:
    """Measure how well each score tells members from non-members.

    Args:
        scores: ``(n,)`` for each name, higher = member; infinities are legal.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `assign_folds`; used for the bound on epsilon.
        fprs: Targets for the true-positive rate.
        replicates: Of the stratified bootstrap, at least 39 for a confidence of 0.95.
        confidence: Of the two-sided intervals and of the bound on epsilon.
        seed: Of the bootstrap.
        learned: Names of out-of-fold scores, whose tests, AUROC and epsilon are judged more carefully (see `widened`).

    Returns:
        The metrics; what could not be measured is NaN with a reason.
    """
    check_interval(confidence, replicates)
    member = np.asarray(is_member, dtype=np.bool_)
    values = {name: checked(score, member)[0] for name, score in scores.items()}
    sizes = int(member.sum()), int((~member).sum())
    drawn = stratified_bootstrap(values, member, fprs, replicates, seed) if min(sizes) > 1 else None
    held_out = {name: held_out_counts(score, member, folds) for name, score in values.items()}
    metrics = {}
    used = np.unique(np.asarray(folds)).size
    for name, score in values.items():
        alpha = 1.0 - confidence
        careful = 1.0 - 2 * widened(alpha / 2, used) if name in learned else confidence
        one_sided = 1.0 - widened(alpha, used) if name in learned else confidence
        rates = {f"{fpr:g}": _rate(score, member, drawn, name, fpr, confidence) for fpr in fprs}
        metrics[name] = Metrics(
            auroc=auroc_estimate(score, member, drawn, name, careful),
            tpr_at_fpr=rates,
            advantage=_advantage(score, member, drawn, name, confidence),
            epsilon_lower=bound_from_counts(held_out[name], one_sided),
        )
    return Evaluation(
        metrics,
        {name: _p_above_chance(score, member, used if name in learned else None) for name, score in values.items()},
        held_out,
        drawn,
        *sizes,
        folds=used,
        confidence=confidence,
        learned=frozenset(learned),
    )


def widened(alpha: float, folds: int) -> float:
    """Error probability at which a limit of an out-of-fold score has to be taken to have the error ``alpha``.

    The models of K folds share their training images, so that under the null their scores' AUROC spreads wider than
    that of independent scores, which neither a rank test nor a bootstrap of the scores sees. The standard deviation is
    therefore multiplied by sqrt(1 + K / (K - 1)), 1.5 for five folds (Nadeau and Bengio 2003, "Inference for the
    generalization error"). That is careful: the more a score really separates, the less is missing
    (``benchmarks/out_of_fold_null.py``).

    Args:
        alpha: One-sided error probability.
        folds: K, at least 2.

    Returns:
        Phi(factor * Phi^-1(alpha)).
    """
    from scipy.special import ndtr, ndtri  # keeps ``import privaudit`` fast

    return float(ndtr(ndtri(alpha) * _spread(folds)))


def _spread(folds: int) -> float:
    return float(np.sqrt(1.0 + max(2, folds) / (max(2, folds) - 1.0)))


def compare(evaluation: Evaluation, name: str, baseline: str) -> Comparison:
    """Compare two scores on the same resampled images.

    With d the difference in each of R replicates, the two-sided p-value is
    min(1, 2 min((1 + #{d <= 0}) / (R + 1), (1 + #{d >= 0}) / (R + 1))).

    Args:
        evaluation: Holds both.
        name: The score.
        baseline: What it is compared with.

    Returns:
        Differences "name minus baseline" of AUROC and of TPR at 1 % FPR.
    """
    ours, theirs, drawn = evaluation.metrics[name], evaluation.metrics[baseline], evaluation.replicates
    values, nan = ours.auroc.value - theirs.auroc.value, float("nan")
    if drawn is None:
        reason = _too_few(evaluation.members, evaluation.nonmembers)
        return Comparison(Difference(values, nan, nan, nan, reason), _unmeasured(reason))
    i, j = drawn.names.index(name), drawn.names.index(baseline)
    area = _difference(values, drawn.auroc[i] - drawn.auroc[j], evaluation.confidence)
    mine, other = ours.tpr_at_fpr.get("0.01"), theirs.tpr_at_fpr.get("0.01")
    if mine is None or other is None:
        return Comparison(area, _unmeasured("TPR at 1 % FPR was not evaluated"))
    if np.isnan(mine.value - other.value):
        return Comparison(area, _unmeasured(mine.reason or other.reason))
    at = drawn.fprs.index(0.01)
    rate = _difference(mine.value - other.value, drawn.tpr[i, at] - drawn.tpr[j, at], evaluation.confidence)
    return Comparison(area, rate)


def bound(
    evaluation: Evaluation, name: str, metric: Metric, fpr: float | None, alpha: float, side: Side = "lower"
) -> float:
    """One-sided confidence limit of one metric at any error probability.

    Args:
        evaluation: Holds the score.
        name: Of the score.
        metric: What is bounded.
        fpr: Target of ``tpr``.
        alpha: Error probability.
        side: Which limit; epsilon has only a lower one.

    Returns:
        The limit, or NaN if it cannot be given: the metric is NaN or was not evaluated, or ``alpha`` is beyond
        what the replicates resolve.
    """
    metrics, drawn = evaluation.metrics[name], evaluation.replicates
    if name in evaluation.learned and metric in ("auroc", "epsilon"):
        alpha = widened(alpha, evaluation.folds)
    if metric == "epsilon":
        return bound_from_counts(evaluation.held_out[name], 1.0 - alpha).value if side == "lower" else float("nan")
    if drawn is None:
        return float("nan")
    i, smaller = drawn.names.index(name), min(evaluation.members, evaluation.nonmembers)
    if metric == "auroc":
        return auroc_limit(metrics.auroc.value, drawn.auroc[i], smaller, alpha, side)
    if metric == "advantage":
        return advantage_limit(metrics.advantage.value, drawn.advantage[i], drawn.excess[i], smaller, alpha, side)
    if fpr not in drawn.fprs or np.isnan(metrics.tpr_at_fpr[f"{fpr:g}"].value):
        return float("nan")
    draws = (drawn.tpr_strict if side == "lower" else drawn.tpr)[i, drawn.fprs.index(fpr)]
    return rate_limit(metrics.tpr_at_fpr[f"{fpr:g}"].value, draws, evaluation.members, alpha, side)


def auroc_estimate(
    scores: NDArray[np.float64], member: NDArray[np.bool_], drawn: Replicates | None, name: str, confidence: float
) -> Estimate:
    """AUROC with its interval.

    Args:
        scores: ``(n,)``.
        member: ``(n,)``.
        drawn: Replicates that hold the score, or None if a set has fewer than 2 images.
        name: Of the score in them.
        confidence: Of the interval.

    Returns:
        The estimate; without replicates only its value.
    """
    value, smaller = auroc(scores, member), min(int(member.sum()), int((~member).sum()))
    if drawn is None:
        return Estimate(value, float("nan"), float("nan"), _too_few(int(member.sum()), int((~member).sum())))
    draws, alpha = drawn.auroc[drawn.names.index(name)], (1.0 - confidence) / 2.0
    reason = None
    if np.all(scores == scores[0]):
        reason = "all scores are equal; they carry no information and the interval has no width"
    elif value in {0.0, 1.0}:
        reason = f"the sets are separated completely; the limit is exact for {smaller} pairs of images"
    low, high = (auroc_limit(value, draws, smaller, alpha, side) for side in ("lower", "upper"))
    return Estimate(value, low, high, reason)


def check_interval(confidence: float, replicates: int) -> None:
    """Refuse an interval whose ends the replicates cannot resolve.

    Args:
        confidence: Two-sided.
        replicates: How many.

    Raises:
        ConfigError: The confidence is not in (0, 1), or there are too few replicates for it.
    """
    if not 0.0 < confidence < 1.0:
        raise ConfigError([f"expected a confidence in (0, 1), got {confidence}; 0.95 is usual"])
    needed = int(np.ceil(2.0 / (1.0 - confidence) - 1e-6)) - 1
    if replicates < needed:
        raise ConfigError([
            f"expected at least {needed} bootstrap replicates for a confidence of {confidence:g}, "
            f"got {replicates}; 2000 is usual"
        ])


def _rate(
    scores: NDArray[np.float64],
    member: NDArray[np.bool_],
    drawn: Replicates | None,
    name: str,
    fpr: float,
    confidence: float,
) -> RateEstimate:
    nan, point = float("nan"), tpr_at_fpr(scores, member, fpr)
    expected = fpr * point.n
    if expected < 1.0 - 1e-9:
        wanted = f"at least {np.ceil(1.0 / fpr - 1e-9):.0f} non-members" if fpr else "a rate above 0"
        reason = f"expected {wanted} for a TPR at an FPR of {fpr:g}, got {point.n} non-members"
        return RateEstimate(nan, nan, nan, nan, point.k, point.n, reason)
    if drawn is None:
        reason = _too_few(int(member.sum()), point.n)
        return RateEstimate(point.tpr, nan, nan, point.fpr_realised, point.k, point.n, reason)
    warning = None
    if expected < FEW_FALSE_POSITIVES - 1e-9:
        warning = f"only {expected:.3g} false positives are expected at an FPR of {fpr:g}; the interval is rough"
    i, j, alpha = drawn.names.index(name), drawn.fprs.index(fpr), (1.0 - confidence) / 2.0
    low = rate_limit(point.tpr, drawn.tpr_strict[i, j], int(member.sum()), alpha, "lower")
    high = rate_limit(point.tpr, drawn.tpr[i, j], int(member.sum()), alpha, "upper")
    return RateEstimate(point.tpr, low, high, point.fpr_realised, point.k, point.n, warning)


def _advantage(
    scores: NDArray[np.float64], member: NDArray[np.bool_], drawn: Replicates | None, name: str, confidence: float
) -> Estimate:
    value, sizes = advantage(scores, member), (int(member.sum()), int((~member).sum()))
    if drawn is None:
        return Estimate(value, float("nan"), float("nan"), _too_few(*sizes))
    i, alpha = drawn.names.index(name), (1.0 - confidence) / 2.0
    low, high = (
        advantage_limit(value, drawn.advantage[i], drawn.excess[i], min(sizes), alpha, side)
        for side in ("lower", "upper")
    )
    return Estimate(value, low, high)


def _difference(value: float, draws: NDArray[np.float64], confidence: float) -> Difference:
    alpha, total = (1.0 - confidence) / 2.0, draws.size + 1
    p = min(1.0, 2.0 * min(1 + int((draws <= 0).sum()), 1 + int((draws >= 0).sum())) / total)
    reason = None if np.ptp(draws) > 0 else "no replicate differs from another; the interval has no width"
    return Difference(value, float(np.quantile(draws, alpha)), float(np.quantile(draws, 1.0 - alpha)), p, reason)


def _unmeasured(reason: str | None) -> Difference:
    return Difference(float("nan"), float("nan"), float("nan"), float("nan"), reason)


def _p_above_chance(scores: NDArray[np.float64], member: NDArray[np.bool_], folds: int | None) -> float:
    from scipy.special import ndtr, ndtri
    from scipy.stats import mannwhitneyu, rankdata  # slow to import

    if member.all() or not member.any():
        return float("nan")
    if np.all(scores == scores[0]):
        return 1.0
    ranks = rankdata(scores)  # infinities become ranks like any other score
    p = float(mannwhitneyu(ranks[member], ranks[~member], alternative="greater").pvalue)
    return p if folds is None or p in (0.0, 1.0) else float(ndtr(ndtri(p) / _spread(folds)))


def _too_few(members: int, nonmembers: int) -> str:
    return f"expected at least 2 members and 2 non-members for an interval, got {members} and {nonmembers}"
