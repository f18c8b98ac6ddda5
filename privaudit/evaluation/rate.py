"""True-positive rate at a false-positive rate, with limits that know that the threshold was estimated.

Let c be the threshold that a share f of all non-members exceeds. Of n non-members R ~ Binomial(n, f) exceed it,
whatever their law is, and of m members a binomial number H with the rate theta that is asked for. The R-th highest
non-member is above c and the next one is not, so that H lies between the members above the one and above the other:

    h(R - 1) <= H <= h(R),    h(r) = members at the lowest threshold with at most r false positives.

This holds with ties too, where theta is the rate at the largest realised share of non-members that does not exceed f.
R is not observed but its law is known, and given H there is the Clopper-Pearson law of theta. Averaging over R makes
two confidence distributions, one for either end of the gap that c lies in,

    G_lower = sum_r P(R = r) Beta(h(r - 1), m - h(r - 1) + 1),    G_upper = sum_r P(R = r) Beta(h(r) + 1, m - h(r)),

and limits are quantiles of the mean of the two. Combining distributions in this way is melding (Fay, Proschan and
Brittain 2015, Biometrics 71:146); taking the mean of the two is the mid-p version of a discrete law.
Differs from that paper: the second parameter is where the curve is read, not a difference or ratio.

No replicates are drawn, so that a limit exists at any error probability. What cannot be resolved is `unresolved`: where
c may lie above every non-member of the sample, nothing bounds theta from below.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.evaluation.estimate import Estimate, FixedThreshold, RateEstimate
from privaudit.evaluation.facts import Fact, fact
from privaudit.evaluation.intervals import Side, check_confidence, clopper_pearson
from privaudit.evaluation.roc import RocCounts, checked, hits, operating_point

FEW_FALSE_POSITIVES = 10
"""Below this many expected false positives a rate comes with a warning."""

PRECISION = 1e-9
"""Of a limit."""

Floats = NDArray[np.float64]


def tpr_limit(curve: RocCounts, fpr: float, alpha: float, side: Side) -> float:
    """Limit for the true-positive rate at a false-positive rate, if all images are independent.

    Returns:
        The limit, in [0, 1]; NaN where the sample cannot resolve it (see `unresolved`).
    """
    from scipy.optimize import brentq  # keeps ``import privaudit`` fast

    if unresolved(fpr, curve.nonmembers, alpha):
        return float("nan")
    false, chance = _false_positives(fpr, curve.nonmembers)
    above, below = hits(curve, false - 1), hits(curve, false)
    level = alpha if side == "lower" else 1.0 - alpha

    def confidence(rate: float) -> float:
        low, high = _beta(above, curve.members - above + 1, rate), _beta(below + 1, curve.members - below, rate)
        return float(chance @ (low + high)) / 2.0

    if confidence(0.0) >= level:
        return 0.0
    if confidence(1.0 - PRECISION) <= level:
        return 1.0
    return float(brentq(lambda rate: confidence(rate) - level, 0.0, 1.0 - PRECISION, xtol=PRECISION))


def unresolved(fpr: float, nonmembers: float, alpha: float) -> Fact | None:
    """Why there is no limit for a rate, if so.

    With the probability (1 - f)^n no non-member exceeds the threshold. If that is more than ``alpha``, a lower limit
    would be 0 whatever the members score.

    Args:
        fpr: Target, in [0, 1].
        nonmembers: How many; an effective number where images are clustered.
        alpha: Error probability of the limit.

    Returns:
        The reason, or None if there is a limit.
    """
    if fpr < 1.0 and nonmembers * np.log1p(-fpr) > np.log(alpha) + 1e-9:
        if not fpr:
            return fact("rate_at_zero")
        needed = nonmembers_needed(fpr, alpha)
        return fact("limit_needs_nonmembers", fpr=fpr, error=alpha, needed=needed, nonmembers=float(nonmembers))
    return None


def nonmembers_needed(fpr: float, alpha: float) -> int:
    """Count the independent non-members below which a rate has no lower limit.

    Returns:
        The smallest n with (1 - f)^n <= alpha, and at least 1 / f.
    """
    return int(np.ceil(max(1.0 / fpr, np.log(alpha) / np.log1p(-fpr)) - 1e-9))


def rate_at_point(curve: RocCounts, fpr: float) -> RateEstimate:
    """The rate of the sample, without limits.

    Args:
        curve: Curve of the sample.
        fpr: Target, in [0, 1].

    Returns:
        NaN with a reason where less than one false positive is expected; a warning where they are few.
    """
    nan, point = float("nan"), operating_point(curve, fpr)
    expected = fpr * point.n
    if expected < 1.0 - 1e-9:
        reason = fact("rate_at_zero")
        if fpr:
            least = int(np.ceil(1.0 / fpr - 1e-9))
            reason = fact("rate_needs_nonmembers", fpr=fpr, needed=least, nonmembers=point.n)
        return RateEstimate(nan, nan, nan, nan, point.k, point.n, reason)
    warning = None
    if expected < FEW_FALSE_POSITIVES - 1e-9:
        warning = fact("few_false_positives", fpr=fpr, expected=expected, nonmembers=point.n)
    return RateEstimate(point.tpr, nan, nan, point.fpr_realised, point.k, point.n, warning)


def rate_estimate(curve: RocCounts, fpr: float, confidence: float = 0.95) -> RateEstimate:
    """The rate with its limits, if all images are independent.

    Args:
        curve: Curve of the sample.
        fpr: Target, in [0, 1].
        confidence: Confidence level of the interval.

    Returns:
        The estimate; limits are NaN with a reason where there are too few images for them.
    """
    rate, alpha = rate_at_point(curve, fpr), (1.0 - confidence) / 2.0
    if np.isnan(rate.value):
        return rate
    if curve.members < 2:
        return replace(rate, reason=fact("interval_needs_members", members=curve.members))
    low, high = (tpr_limit(curve, fpr, alpha, side) for side in ("lower", "upper"))
    return replace(rate, lo=low, hi=high, reason=unresolved(fpr, curve.nonmembers, alpha) or rate.reason)


def rate_at_threshold(
    scores: ArrayLike, is_member: ArrayLike, threshold: float, confidence: float = 0.95
) -> FixedThreshold:
    """Both rates at a threshold that was fixed before these images were seen, with exact limits.

    For a threshold that was read off the same images they would be far too narrow.

    Args:
        scores: ``(n,)``, of independent images.
        is_member: ``(n,)``.
        threshold: Scores at or above it count as "member".
        confidence: Confidence level of the Clopper-Pearson intervals.

    Returns:
        True- and false-positive rate; NaN with a reason for an empty class.
    """
    check_confidence(confidence)
    values, member = checked(scores, is_member)
    called = values >= threshold

    def share(part: NDArray[np.bool_], none: str) -> Estimate:
        nan, n, k = float("nan"), int(part.sum()), int(called[part].sum())
        if not n:
            return Estimate(nan, nan, nan, fact(none))
        alpha = (1.0 - confidence) / 2.0
        low, high = (float(clopper_pearson(k, n, alpha, side)) for side in ("lower", "upper"))
        return Estimate(k / n, low, high)

    return FixedThreshold(threshold, share(member, "no_members"), share(~member, "no_nonmembers"))


def _false_positives(fpr: float, nonmembers: int) -> tuple[NDArray[np.int64], Floats]:
    """Counts of non-members above the threshold, and their probabilities, but for a tail of 1e-12."""
    from scipy.special import bdtr  # keeps ``import privaudit`` fast

    reach = 8.0 * np.sqrt(nonmembers * fpr * (1.0 - fpr)) + 24.0
    middle = nonmembers * fpr
    first, last = max(0, int(middle - reach)), min(nonmembers, int(middle + reach))
    false = np.arange(first, last + 1)
    return false, np.diff(bdtr(false, nonmembers, fpr), prepend=bdtr(first - 1, nonmembers, fpr) if first else 0.0)


def _beta(a: NDArray[np.int64], b: NDArray[np.int64], at: float) -> Floats:
    """Distribution function of Beta(a, b); all of it at 0 for a = 0, at 1 for b = 0."""
    from scipy.special import betainc

    inside = betainc(np.maximum(a, 1), np.maximum(b, 1), at)
    return np.where(a == 0, 1.0, np.where(b == 0, float(at >= 1.0), inside))
