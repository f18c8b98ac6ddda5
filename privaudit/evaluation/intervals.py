"""One-sided confidence limits from a standard deviation, from bootstrap replicates and from counts.

A two-sided interval consists of a lower and an upper limit, each at half of the error probability. A gate uses one
limit, at an error probability corrected for the number of tests. ``benchmarks/coverage.py`` measures the coverage.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError

Side = Literal["lower", "upper"]


def percentile_limit(replicates: NDArray[np.float64], alpha: float, side: Side) -> float:
    """Percentile limit of the bootstrap: the alpha (R + 1)-th smallest or largest of R replicates.

    A further replicate lies beyond this limit with probability alpha; with NumPy's default interpolation, the
    probability would be larger by up to 1 / R.

    Args:
        replicates: ``(replicates,)``.
        alpha: Error probability.
        side: Lower or upper limit.

    Returns:
        The limit, or NaN if there are too few replicates for this error probability.
    """
    if alpha * (replicates.size + 1) < 1.0:
        return float("nan")
    return float(np.quantile(replicates, alpha if side == "lower" else 1.0 - alpha, method="weibull"))


def clopper_pearson(k: ArrayLike, n: float, alpha: float, side: Side) -> NDArray[np.float64]:
    """Exact one-sided limit of a binomial proportion (Clopper and Pearson 1934).

    Args:
        k: Number of successes, any shape; not necessarily whole if ``n`` is an effective number of trials.
        n: Number of trials, at least 1.
        alpha: Error probability of this one limit.
        side: Lower or upper limit.

    Returns:
        Limits, shaped like ``k``. Lower: the ``alpha`` quantile of Beta(k, n - k + 1), 0 at k = 0. Upper: the
        ``1 - alpha`` quantile of Beta(k + 1, n - k), 1 at k = n.
    """
    from scipy.special import betaincinv  # keeps ``import privaudit`` fast

    hits = np.asarray(k, dtype=np.float64)
    # Where the limit is 0 or 1, the Beta distribution has a parameter of 0: any valid count stands in for k.
    if side == "lower":
        safe_hits = np.where(hits > 0, hits, 1.0)
        return np.where(hits > 0, betaincinv(safe_hits, n - safe_hits + 1, alpha), 0.0)
    safe_hits = np.where(hits < n, hits, 0.0)
    return np.where(hits < n, betaincinv(safe_hits + 1, n - safe_hits, 1 - alpha), 1.0)


def auroc_limit(value: float, sd: float, pairs: int, alpha: float, side: Side) -> float:
    """Limit of an AUROC, with the interval symmetric on the logit scale.

    logit(A) -+ t sd / (A (1 - A)), with Student's t for pairs - 1 degrees of freedom. An interval for A itself
    undercovers at its lower end if A is near 1, where the distribution of the estimate is skewed.

    At A = 1 the standard deviation is 0. Members and non-members can then be matched to k = ``pairs`` independent
    pairs, all ordered correctly, so that the lower limit is that of Clopper and Pearson for k of k successes,
    alpha^(1 / k). At A = 0 the same holds with the sides exchanged.

    Args:
        value: AUROC of the sample.
        sd: Standard deviation of the AUROC.
        pairs: Number of independent units in the smaller class.
        alpha: Error probability.
        side: Lower or upper limit.

    Returns:
        The limit, in [0, 1]; NaN if ``sd`` is NaN, or if it is 0 because all scores are equal.
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
    """Percentile limit of a rate, replaced by Clopper-Pearson's where that is wider and the sample rate is 0 or 1.

    At a rate of 0 or 1, all replicates can be equal to the sample although the population rate differs.

    Args:
        value: Rate of the sample.
        replicates: ``(replicates,)``.
        trials: Number of trials behind the rate; an effective number if images are clustered.
        alpha: Error probability.
        side: Lower or upper limit.

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
    """Limit of the advantage max(TPR - FPR), whose estimate is biased upwards.

    Lower limit: let d be TPR - FPR as a function of the threshold. Then max d_hat - max d <= max(d_hat - d), whose
    distribution is estimated by that of max(d* - d_hat) over bootstrap replicates d*. Percentiles of max d* would claim
    an advantage in nearly every sample without leakage. Upper limit: the percentile, conservative because of the bias.

    Args:
        value: Advantage of the sample, max d_hat.
        replicates: ``(replicates,)``, max d*.
        excess: ``(replicates,)``, max(d* - d_hat).
        pairs: Size of the smaller set; an effective size if images are clustered.
        alpha: Error probability.
        side: Lower or upper limit.

    Returns:
        The limit, in [0, 1], or NaN if there are too few replicates.
    """
    if side == "upper":
        return rate_limit(value, replicates, pairs, alpha, side)
    if value >= 1.0:  # all replicates are equal to the sample: use limits of both rates at the separating threshold
        return max(0.0, 1.0 - 2.0 * float(clopper_pearson(0, pairs, alpha / 2.0, "upper")))
    return float(np.maximum(value - percentile_limit(excess, alpha, "upper"), 0.0))


def check_confidence(confidence: float) -> None:
    """Validate a confidence level.

    Raises:
        ConfigError: It is not in (0, 1).
    """
    if not 0.0 < confidence < 1.0:
        raise ConfigError([f"expected a confidence in (0, 1), got {confidence}; 0.95 is usual"])


def check_replicates(confidence: float, replicates: int) -> None:
    """Validate that there are enough replicates for the two-sided interval.

    Raises:
        ConfigError: There are too few, or the confidence is not in (0, 1).
    """
    check_confidence(confidence)
    needed = int(np.ceil(2.0 / (1.0 - confidence) - 1e-6)) - 1
    if replicates < needed:
        raise ConfigError([
            f"expected at least {needed} bootstrap replicates for a confidence of {confidence:g}, "
            f"got {replicates}; 2000 is usual"
        ])


def enough_replicates(minimum: int, confidence: float, tests: int) -> int:
    """Number of bootstrap replicates for one-sided limits at an error probability corrected for several tests.

    Returns:
        ``minimum``, or twice the number that the corrected error probability needs, whichever is larger.
    """
    return max(minimum, int(np.ceil(2.0 * tests / (1.0 - confidence) - 1e-6)))
