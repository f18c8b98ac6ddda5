"""One-sided confidence limits from a standard deviation, from bootstrap replicates and from counts.

A two-sided interval is a lower and an upper limit, each at half the error probability; a gate uses one limit at
an error probability corrected for how much is tested. How often each holds is measured by ``benchmarks/coverage.py``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError

Side = Literal["lower", "upper"]


def percentile_limit(replicates: NDArray[np.float64], alpha: float, side: Side) -> float:
    """Quantile of the replicates: the alpha (R + 1)-th smallest or largest of R.

    A further replicate lies beyond it with the probability alpha, which the usual interpolation exceeds by up to 1 / R.

    Args:
        replicates: ``(replicates,)``.
        alpha: Error probability.
        side: Which limit.

    Returns:
        The limit, or NaN if there are too few replicates to see this far into the tail.
    """
    if alpha * (replicates.size + 1) < 1.0:
        return float("nan")
    return float(np.quantile(replicates, alpha if side == "lower" else 1.0 - alpha, method="weibull"))


def clopper_pearson(k: ArrayLike, n: float, alpha: float, side: Side) -> NDArray[np.float64]:
    """Exact limit for a binomial rate (Clopper and Pearson 1934).

    Args:
        k: Successes, any shape; need not be whole numbers, where n is an effective number of trials.
        n: Trials, at least 1.
        alpha: Error probability of this one limit.
        side: Which limit.

    Returns:
        Shaped like ``k``: the ``alpha`` quantile of Beta(k, n - k + 1), or 0 at k = 0, respectively the
        ``1 - alpha`` quantile of Beta(k + 1, n - k), or 1 at k = n.
    """
    from scipy.special import betaincinv  # keeps ``import privaudit`` fast

    hits = np.asarray(k, dtype=np.float64)
    if side == "lower":
        some = np.where(hits > 0, hits, 1.0)
        return np.where(hits > 0, betaincinv(some, n - some + 1, alpha), 0.0)
    some = np.where(hits < n, hits, 0.0)
    return np.where(hits < n, betaincinv(some + 1, n - some, 1 - alpha), 1.0)


def auroc_limit(value: float, sd: float, pairs: int, alpha: float, side: Side) -> float:
    """Limit that is symmetric on the logit scale.

    logit(A) -+ t sd / (A (1 - A)), with Student's t for pairs - 1 degrees of freedom. On the plain scale the lower
    limit misses more often than it should when A is near 1, where the law of the AUROC is skewed.

    At A = 1 the standard deviation is 0. Members and non-members can then be paired off into ``pairs`` independent
    pairs, each ordered correctly, so that the lower limit is Clopper-Pearson for k of k pairs, alpha^(1 / k). The same
    at A = 0 with the sides exchanged.

    Returns:
        The limit, in [0, 1]; NaN if ``sd`` is, or if it is 0 because all scores are equal.
    """
    from scipy.special import expit, logit, stdtrit

    if np.isnan(sd):
        return float("nan")
    if value >= 1.0 or value <= 0.0:
        return float(clopper_pearson(round(value) * pairs, pairs, alpha, side))
    if sd == 0.0:
        return float("nan")
    t = stdtrit(pairs - 1, alpha) if side == "lower" else -stdtrit(pairs - 1, alpha)
    return float(expit(logit(value) + t * sd / (value * (1.0 - value))))


def rate_limit(value: float, replicates: NDArray[np.float64], trials: float, alpha: float, side: Side) -> float:
    """Percentile limit, widened to Clopper-Pearson where the sample is at the edge.

    At a rate of 0 (or 1) all replicates may agree with the sample although the population does not.

    Args:
        value: Rate of the sample.
        replicates: ``(replicates,)``.
        trials: What the rate is a share of; an effective number where images are clustered.
        alpha: Error probability.
        side: Which limit.

    Returns:
        The limit, or NaN if there are too few replicates.
    """
    limit = percentile_limit(replicates, alpha, side)
    if value <= 0.0 and side == "upper":
        return float(np.maximum(limit, float(clopper_pearson(0, trials, alpha, side))))
    if value >= 1.0 and side == "lower":
        return float(np.minimum(limit, float(clopper_pearson(trials, trials, alpha, side))))
    return limit


def advantage_limit(
    value: float,
    replicates: NDArray[np.float64],
    excess: NDArray[np.float64],
    pairs: float,
    alpha: float,
    side: Side,
) -> float:
    """Limit for a maximum of TPR - FPR, whose estimate is biased upwards.

    Lower: with d = TPR - FPR as a function of the threshold, max d_hat - max d <= max(d_hat - d), and the
    bootstrap's max(d* - d_hat) is distributed like that. Percentiles of max d* would claim an advantage under
    the null in nearly every sample. Upper: the percentile, conservative because of the same bias.

    Args:
        value: Advantage of the sample.
        replicates: ``(replicates,)``, max d*.
        excess: ``(replicates,)``, max(d* - d_hat).
        pairs: Size of the smaller set; an effective one where images are clustered.
        alpha: Error probability.
        side: Which limit.

    Returns:
        The limit, in [0, 1], or NaN if there are too few replicates.
    """
    if side == "upper":
        return rate_limit(value, replicates, pairs, alpha, side)
    if value >= 1.0:  # no replicate differs; limits of the two rates at the separating threshold instead
        return max(0.0, 1.0 - 2.0 * float(clopper_pearson(0, pairs, alpha / 2.0, "upper")))
    return float(np.maximum(value - percentile_limit(excess, alpha, "upper"), 0.0))


def check_confidence(confidence: float) -> None:
    """Refuse what is not a confidence.

    Raises:
        ConfigError: It is not in (0, 1).
    """
    if not 0.0 < confidence < 1.0:
        raise ConfigError([f"expected a confidence in (0, 1), got {confidence}; 0.95 is usual"])


def check_replicates(confidence: float, replicates: int) -> None:
    """Refuse an interval whose ends the replicates cannot resolve.

    Raises:
        ConfigError: There are too few replicates for it, or the confidence is not in (0, 1).
    """
    check_confidence(confidence)
    needed = int(np.ceil(2.0 / (1.0 - confidence) - 1e-6)) - 1
    if replicates < needed:
        raise ConfigError([
            f"expected at least {needed} bootstrap replicates for a confidence of {confidence:g}, "
            f"got {replicates}; 2000 is usual"
        ])


def enough_replicates(least: int, confidence: float, tests: int) -> int:
    """Replicates that resolve one-sided limits which are corrected for several tests.

    Returns:
        ``least``, or twice as many as the error probability of one test takes.
    """
    return max(least, int(np.ceil(2.0 * tests / (1.0 - confidence) - 1e-6)))
