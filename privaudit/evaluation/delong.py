"""Variance of AUROCs in closed form, jointly for any number of scores on the same images.

The AUROC is the mean of structural components, for member i and non-member j

    V10_i = share of non-members below it,    V01_j = share of members above it,    ties counting one half,

and its variance is var(V10) / members + var(V01) / nonmembers; covariances of the components of two scores give that
of their AUROCs (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837). The components are ranks, so that sorting
is all it takes, O(n log n) a score (Sun and Xu 2014, IEEE Signal Processing Letters 21:1389).

Components of images that were drawn together are summed over their unit first (Obuchowski 1997, Biometrics 53:567).
Differs from that paper: the correction for few units is I / (I - 1) for either class, and the geometric mean of the
two where a unit holds both, so that no variance can be negative.

Limits take quantiles of Student's t with one degree of freedom fewer than the smaller class has units.
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
"""What names a score: a text, or attack and mask."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AurocCovariance(Generic[K]):
    """AUROCs of several scores on the same images.

    Attributes:
        names: The scores.
        auroc: ``(names,)``; NaN for an empty class.
        covariance: ``(names, names)``; NaN if a class has fewer than two units.
        pairs: Units of the class that has fewer: images, if no units were given.
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
            >= 0, or NaN; 0 if both rank every pair of images alike.
        """
        i, j = self.names.index(name), self.names.index(baseline)
        total = self.covariance[i, i] + self.covariance[j, j]
        variance = total - 2.0 * self.covariance[i, j]
        return float(np.sqrt(0.0 if variance <= 1e-12 * total else variance))


def auroc_covariance(
    scores: Mapping[K, ArrayLike], is_member: ArrayLike, units: ArrayLike | None = None
) -> AurocCovariance[K]:
    """Measure the AUROC of every score and how they vary together.

    Args:
        scores: ``(n,)`` for each name; infinities are legal.
        is_member: ``(n,)``.
        units: ``(n,)``, labels of what was drawn independently; by default every image by itself.

    Returns:
        AUROCs and their covariance.
    """
    member = np.asarray(is_member, dtype=np.bool_)
    codes = unit_codes(units, member.size)
    groups = unit_counts(codes, member)
    areas, influence = np.full(len(scores), np.nan), np.full((len(scores), codes.max(initial=0) + 1), np.nan)
    for row, values in enumerate(scores.values()):
        score, _ = checked(values, member)
        if 0 in groups:
            continue
        above = _share_below(score[member], score[~member])
        below = 1.0 - _share_below(score[~member], score[member])
        areas[row] = above.mean()
        if min(groups) > 1:
            own, other = (np.sqrt(count / (count - 1.0)) for count in groups)
            of_image = np.empty(member.size)
            of_image[member] = own * (above - areas[row]) / above.size
            of_image[~member] = other * (below - areas[row]) / below.size
            influence[row] = np.bincount(codes, weights=of_image, minlength=influence.shape[1])
    return AurocCovariance(tuple(scores), areas, influence @ influence.T, min(groups))


def auroc_estimate(
    scores: ArrayLike, is_member: ArrayLike, confidence: float = 0.95, units: ArrayLike | None = None
) -> Estimate:
    """AUROC with its interval, symmetric on the logit scale (see `privaudit.evaluation.intervals.auroc_limit`).

    Args:
        scores: ``(n,)``.
        is_member: ``(n,)``.
        confidence: Confidence level of the interval.
        units: ``(n,)``, labels of what was drawn independently; by default every image by itself.

    Returns:
        The estimate; NaN with a reason where there is no value or no interval.
    """
    check_confidence(confidence)
    areas, alpha = auroc_covariance({"": scores}, is_member, units), (1.0 - confidence) / 2.0
    value, sd = areas.value(""), areas.sd("")
    low, high = (auroc_limit(value, sd, areas.pairs, alpha, side) for side in ("lower", "upper"))
    return Estimate(value, low, high, why_special(value, sd, areas.pairs))


def why_special(value: float, sd: float, pairs: int) -> Fact | None:
    """What sets an AUROC apart from an ordinary one.

    Returns:
        Why there is no interval or why it is another one, or None.
    """
    if np.isnan(sd):
        return fact("too_few_independent", units=pairs)
    if value in {0.0, 1.0}:
        return fact("sets_separated", pairs=pairs)
    return fact("all_scores_equal") if sd == 0.0 else None


def auroc_difference(
    areas: AurocCovariance[K], name: K, baseline: K, confidence: float = 0.95, spread: float = 1.0
) -> Difference:
    """Paired difference of two AUROCs: value -+ t sd, and the p-value that belongs to it.

    Returns:
        AUROC of ``name`` minus that of ``baseline``; p is 1 if they rank all images alike.
    """
    from scipy.special import stdtr, stdtrit  # keeps ``import privaudit`` fast

    value, sd = areas.value(name) - areas.value(baseline), spread * areas.sd_of_difference(name, baseline)
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
    """Whether one score tells members from non-members better than another on the same images.

    Args:
        scores: ``(n,)``.
        baseline: ``(n,)``, of the same images.
        is_member: ``(n,)``.
        confidence: Confidence level of the interval.
        units: ``(n,)``, labels of what was drawn independently; by default every image by itself.

    Returns:
        AUROC of ``scores`` minus that of ``baseline``, with the two-sided p-value.
    """
    check_confidence(confidence)
    areas = auroc_covariance({"score": scores, "baseline": baseline}, is_member, units)
    return auroc_difference(areas, "score", "baseline", confidence)


def _share_below(values: Floats, reference: Floats) -> Floats:
    ranked = np.sort(reference)
    both = np.searchsorted(ranked, values, side="left") + np.searchsorted(ranked, values, side="right")
    return np.asarray(both / (2.0 * reference.size))
