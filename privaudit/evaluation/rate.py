"""True-positive rate at a false-positive rate, with limits that allow for the estimation of the threshold.

Let c be the threshold that a fraction f of the population of non-members exceeds, and theta the fraction of the
population of members that exceeds it. In the sample, R ~ Binomial(n, f) of n non-members exceed c, whatever their
distribution is, and H ~ Binomial(m, theta) of m members. The R-th highest non-member is above c and the next one is
not, so that H is bounded by the numbers of members above either of them:

    h(R - 1) <= H <= h(R),    h(r) = members at or above the lowest threshold with at most r false positives.

With ties, theta is the rate of an attacker who tosses coins, that is, of scores whose ties are broken at random. Broken
so in the sample, they have an h of their own for every order of the tied images; its mean over all orders is taken
(`privaudit.evaluation.roc.expected_hits`). The mean has a smaller variance than a single order, for which the limits
allow, so that they are conservative (``benchmarks/coverage_ties.py``).

R is not observed, but its distribution is known, and given H the Clopper-Pearson method gives a confidence
distribution of theta. Averaging over R gives two confidence distributions, one for either end of the gap that holds c,

    G_lower = sum_r P(R = r) Beta(h(r - 1), m - h(r - 1) + 1),    G_upper = sum_r P(R = r) Beta(h(r) + 1, m - h(r)),

and limits are quantiles of the mean of the two. Combining confidence distributions in this way is melding (Fay,
Proschan and Brittain 2015, Biometrics 71:146); the mean of the two is the mid-p version for a discrete distribution.
Differs from that paper: the second parameter is the point at which the curve is read, not a term of a difference or
ratio.

No bootstrap is involved, so that a limit exists at any error probability, except where `unresolved` gives a reason: if
c may lie above every non-member of the sample, nothing bounds theta from below.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.evaluation.estimate import Estimate, FixedThreshold, RateEstimate
from privaudit.evaluation.facts import Fact, fact
from privaudit.evaluation.intervals import Side, check_confidence, clopper_pearson
from privaudit.evaluation.roc import RocCounts, checked, expected_hits, operating_point

FEW_FALSE_POSITIVES = 10
"""Number of expected false positives below which a rate has a warning."""

PRECISION = 1e-9
"""Absolute precision of a limit."""

Floats = NDArray[np.float64]


def tpr_limit(curve: RocCounts, fpr: float, alpha: float, side: Side) -> float:
    """Limit of the true-positive rate at a false-positive rate, for independent images.

    Args:
        curve: Curve of the sample.
        fpr: Target false-positive rate, in [0, 1].
        alpha: Error probability.
        side: Lower or upper limit.

    Returns:
        The limit, in [0, 1]; NaN if there are too few non-members for it (see `unresolved`).
    """
    from scipy.optimize import brentq  # keeps ``import privaudit`` fast

    if unresolved(fpr, curve.nonmembers, alpha):
        return float("nan")
    false_positives, probabilities = _false_positives(fpr, curve.nonmembers)
    lower_hits, upper_hits = (expected_hits(curve, false_positives - fewer) for fewer in (1, 0))
    level = alpha if side == "lower" else 1.0 - alpha

    def confidence(rate: float) -> float:
        low, high = (
            _beta(lower_hits, curve.members - lower_hits + 1, rate),
            _beta(upper_hits + 1, curve.members - upper_hits, rate),
        )
        return float(probabilities @ (low + high)) / 2.0

    # G_lower has mass at 0 (where h = 0) and G_upper at 1 (where h = m): a level within that mass has no root.
    if confidence(0.0) >= level:
        return 0.0
    if confidence(1.0 - PRECISION) <= level:
        return 1.0
    return float(brentq(lambda rate: confidence(rate) - level, 0.0, 1.0 - PRECISION, xtol=PRECISION))


def unresolved(fpr: float, nonmembers: float, alpha: float) -> Fact | None:
    """Give the reason if there are too few non-members for a limit of a rate.

    With probability (1 - f)^n, no non-member exceeds the threshold. If this is more than ``alpha``, a lower limit would
    be 0 whatever the scores of the members are.

    Args:
        fpr: Target false-positive rate, in [0, 1].
        nonmembers: Number of non-members; an effective number if images are clustered.
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
    """Minimum number of independent non-members for a lower limit of a rate.

    Returns:
        The smallest n with (1 - f)^n <= alpha, and at least 1 / f.
    """
    return int(np.ceil(max(1.0 / fpr, np.log(alpha) / np.log1p(-fpr)) - 1e-9))


def rate_at_point(curve: RocCounts, fpr: float) -> RateEstimate:
    """Point estimate of the rate, without limits.

    Args:
        curve: Curve of the sample.
        fpr: Target false-positive rate, in [0, 1].

    Returns:
        The rate, with a warning if fewer than `FEW_FALSE_POSITIVES` false positives are expected; NaN with a reason if
        less than one is.
    """
    nan, point = float("nan"), operating_point(curve, fpr)
    expected = fpr * point.n
    if expected < 1.0 - 1e-9:
        reason = fact("rate_at_zero")
        if fpr:
            needed = int(np.ceil(1.0 / fpr - 1e-9))
            reason = fact("rate_needs_nonmembers", fpr=fpr, needed=needed, nonmembers=point.n)
        return RateEstimate(nan, nan, nan, nan, point.k, point.n, reason)
    warning = None
    if expected < FEW_FALSE_POSITIVES - 1e-9:
        warning = fact("few_false_positives", fpr=fpr, expected=expected, nonmembers=point.n)
    return RateEstimate(point.tpr, nan, nan, point.fpr_realised, point.k, point.n, warning)


def rate_estimate(curve: RocCounts, fpr: float, confidence: float = 0.95) -> RateEstimate:
    """Estimate of the rate with its interval, for independent images.

    Args:
        curve: Curve of the sample.
        fpr: Target false-positive rate, in [0, 1].
        confidence: Confidence level of the interval.

    Returns:
        The estimate; limits are NaN with a reason if there are too few images for them.
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
    """True- and false-positive rate at a threshold that was fixed independently of these images.

    For a threshold chosen on the same images, the intervals would be far too narrow.

    Args:
        scores: ``(n,)``, scores of independent images.
        is_member: ``(n,)``.
        threshold: Threshold; images with scores at or above it are called members.
        confidence: Confidence level of the Clopper-Pearson intervals.

    Returns:
        Both rates; NaN with a reason for an empty class.
    """
    check_confidence(confidence)
    values, member = checked(scores, is_member)
    called = values >= threshold

    def rate(part: NDArray[np.bool_], code_if_empty: str) -> Estimate:
        nan, n, k = float("nan"), int(part.sum()), int(called[part].sum())
        if not n:
            return Estimate(nan, nan, nan, fact(code_if_empty))
        alpha = (1.0 - confidence) / 2.0
        low, high = (float(clopper_pearson(k, n, alpha, side)) for side in ("lower", "upper"))
        return Estimate(k / n, low, high)

    return FixedThreshold(threshold, rate(member, "no_members"), rate(~member, "no_nonmembers"))


def _false_positives(fpr: float, nonmembers: int) -> tuple[NDArray[np.int64], Floats]:
    """Values of R ~ Binomial(n, f) and their probabilities, without tails of a mass of about 1e-12."""
    from scipy.special import bdtr  # keeps ``import privaudit`` fast

    half_width = 8.0 * np.sqrt(nonmembers * fpr * (1.0 - fpr)) + 24.0
    middle = nonmembers * fpr
    first, last = max(0, int(middle - half_width)), min(nonmembers, int(middle + half_width))
    false_positives = np.arange(first, last + 1)
    return false_positives, np.diff(
        bdtr(false_positives, nonmembers, fpr), prepend=bdtr(first - 1, nonmembers, fpr) if first else 0.0
    )


def _beta(a: Floats, b: Floats, at: float) -> Floats:
    """Distribution function of Beta(a, b); a point mass at 0 for a = 0, at 1 for b = 0."""
    from scipy.special import betainc

    inside = betainc(np.maximum(a, 1), np.maximum(b, 1), at)
    return np.where(a == 0, 1.0, np.where(b == 0, float(at >= 1.0), inside))
