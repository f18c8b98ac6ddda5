"""DeLong's covariance of the AUROCs of any number of scores on the same images, in closed form.

The AUROC is the mean of the structural components of member i or non-member j,

    V10_i = fraction of non-members below member i,    V01_j = fraction of members above non-member j,

with ties counting one half. Its variance is var(V10) / members + var(V01) / nonmembers; the covariances of the
components of two scores give the covariance of their AUROCs (DeLong, DeLong and Clarke-Pearson 1988, Biometrics
44:837). The components follow from ranks, in O(n log n) per score (Sun and Xu 2014, IEEE Signal Processing Letters
21:1389).

With clustered images, the components are first summed over each unit (Obuchowski 1997, Biometrics 53:567).
Differs from that paper: the small-sample correction is I / (I - 1) for the I units of a class, and the geometric mean
of the two corrections for the covariance within units that hold both classes, so that no variance can be negative.

Limits use quantiles of Student's t with one degree of freedom less than the number of units in the smaller class.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.evaluation.clusters import unit_codes, unit_counts
from privaudit.evaluation.estimate import Difference, Estimate
from privaudit.evaluation.facts import Fact, fact
from privaudit.evaluation.intervals import auroc_limit, check_confidence
from privaudit.evaluation.roc import checked

K = TypeVar("K", bound=Hashable)
"""Name of a score: a string, or the pair (attack, mask)."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AurocCovariance(Generic[K]):
    """AUROCs of several scores on the same images, with their covariance.

    Attributes:
        names: Names of the scores.
        auroc: ``(names,)``; NaN if a class is empty.
        covariance: ``(names, names)``; NaN if a class has fewer than two units.
        pairs: Number of units in the smaller class (of images, without units).
    """

    names: tuple[K, ...]
    auroc: Floats
    covariance: Floats
    pairs: int

    def value(self, name: K) -> float:
        """AUROC of one score."""
        return float(self.auroc[self.names.index(name)])

    def sd(self, name: K) -> float:
        """Standard deviation of one AUROC."""
        at = self.names.index(name)
        return float(np.sqrt(self.covariance[at, at]))

    def sd_of_difference(self, name: K, baseline: K) -> float:
        """Standard deviation of the difference of two AUROCs.

        Returns:
            The standard deviation, or NaN; 0 if both scores rank every pair of images alike.
        """
        i, j = self.names.index(name), self.names.index(baseline)
        variance_sum = self.covariance[i, i] + self.covariance[j, j]
        variance = variance_sum - 2.0 * self.covariance[i, j]
        # Scores that rank alike would otherwise differ by rounding, and have a p-value.
        return float(np.sqrt(0.0 if variance <= 1e-12 * variance_sum else variance))


def auroc_covariance(
    scores: Mapping[K, ArrayLike], is_member: ArrayLike, units: ArrayLike | None = None
) -> AurocCovariance[K]:
    """Compute the AUROC of every score and their covariance.

    Args:
        scores: ``(n,)`` for each name; infinities are allowed.
        is_member: ``(n,)``.
        units: ``(n,)``, labels of the units drawn independently; by default every image is its own unit.

    Returns:
        AUROCs and their covariance.
    """
    member = np.asarray(is_member, dtype=np.bool_)
    codes = unit_codes(units, member.size)
    unit_totals = unit_counts(codes, member)
    areas, influence = np.full(len(scores), np.nan), np.full((len(scores), codes.max(initial=0) + 1), np.nan)
    for row, values in enumerate(scores.values()):
        score, _ = checked(values, member)
        if 0 in unit_totals:
            continue
        v10 = _fraction_below(score[member], score[~member])
        v01 = 1.0 - _fraction_below(score[~member], score[member])
        areas[row] = v10.mean()
        if min(unit_totals) > 1:
            # The square roots of the corrections, since influences are multiplied in pairs below: the product is the
            # correction within a class and the geometric mean between the classes.
            member_correction, nonmember_correction = (np.sqrt(count / (count - 1.0)) for count in unit_totals)
            components = np.empty(member.size)
            components[member] = member_correction * (v10 - areas[row]) / v10.size
            components[~member] = nonmember_correction * (v01 - areas[row]) / v01.size
            influence[row] = np.bincount(codes, weights=components, minlength=influence.shape[1])
    return AurocCovariance(tuple(scores), areas, influence @ influence.T, min(unit_totals))


def auroc_estimate(
    scores: ArrayLike, is_member: ArrayLike, confidence: float = 0.95, units: ArrayLike | None = None
) -> Estimate:
    """AUROC with its interval, symmetric on the logit scale (see `privaudit.evaluation.intervals.auroc_limit`).

    Args:
        scores: ``(n,)``.
        is_member: ``(n,)``.
        confidence: Confidence level of the interval.
        units: ``(n,)``, labels of the units drawn independently; by default every image is its own unit.

    Returns:
        The estimate; NaN with a reason where there is no value or no interval.
    """
    check_confidence(confidence)
    areas, alpha = auroc_covariance({"": scores}, is_member, units), (1.0 - confidence) / 2.0
    value, sd = areas.value(""), areas.sd("")
    low, high = (auroc_limit(value, sd, areas.pairs, alpha, side) for side in ("lower", "upper"))
    return Estimate(value, low, high, why_special(value, sd, areas.pairs))


def why_special(value: float, sd: float, pairs: int) -> Fact | None:
    """Explain why an AUROC has no interval, or one of another kind.

    Returns:
        The reason; None for an ordinary interval.
    """
    if np.isnan(sd):
        return fact("too_few_independent", units=pairs)
    if value in {0.0, 1.0}:
        return fact("sets_separated", pairs=pairs)
    return fact("all_scores_equal") if sd == 0.0 else None


def auroc_difference(
    areas: AurocCovariance[K], name: K, baseline: K, confidence: float = 0.95, inflation: float = 1.0
) -> Difference:
    """Paired difference of two AUROCs: the interval value -+ t sd and the matching p-value.

    Args:
        areas: AUROCs and their covariance.
        name: Name of the score.
        baseline: Name of the score that it is compared with.
        confidence: Confidence level of the interval.
        inflation: Factor on the standard deviation (see `privaudit.evaluation.metrics.sd_inflation`).

    Returns:
        AUROC of ``name`` minus that of ``baseline``; p is 1 if both rank all images alike.
    """
    from scipy.special import stdtr, stdtrit  # keeps ``import privaudit`` fast

    value, sd = areas.value(name) - areas.value(baseline), inflation * areas.sd_of_difference(name, baseline)
    nan = float("nan")
    if np.isnan(sd):
        return Difference(value, nan, nan, nan, why_special(value, sd, areas.pairs))
    if sd == 0.0:
        return Difference(value, nan, nan, 1.0 if value == 0.0 else nan, fact("interval_without_width"))
    freedom = areas.pairs - 1
    half = -float(stdtrit(freedom, (1.0 - confidence) / 2.0)) * sd
    return Difference(value, value - half, value + half, float(2.0 * stdtr(freedom, -abs(value) / sd)))


def delong_test(
    scores: ArrayLike,
    baseline: ArrayLike,
    is_member: ArrayLike,
    confidence: float = 0.95,
    units: ArrayLike | None = None,
) -> Difference:
    """Test whether two scores of the same images have different AUROCs.

    Args:
        scores: ``(n,)``.
        baseline: ``(n,)``, scores of the same images.
        is_member: ``(n,)``.
        confidence: Confidence level of the interval.
        units: ``(n,)``, labels of the units drawn independently; by default every image is its own unit.

    Returns:
        AUROC of ``scores`` minus that of ``baseline``, with the two-sided p-value.
    """
    check_confidence(confidence)
    areas = auroc_covariance({"score": scores, "baseline": baseline}, is_member, units)
    return auroc_difference(areas, "score", "baseline", confidence)


def _fraction_below(values: Floats, reference: Floats) -> Floats:
    """Fraction of the reference below each value, ties counting one half."""
    ranked = np.sort(reference)
    doubled = np.searchsorted(ranked, values, side="left") + np.searchsorted(ranked, values, side="right")
    return np.asarray(doubled / (2.0 * reference.size))
