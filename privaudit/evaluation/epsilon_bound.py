"""Empirical, average-case lower bound on the epsilon of differential privacy.

For an (epsilon, delta)-private mechanism, every membership test satisfies TPR <= e^epsilon FPR + delta and
1 - FPR <= e^epsilon (1 - TPR) + delta (Kairouz et al. 2015, arXiv:1311.0776). With confidence limits TPR >= TPR_L and
FPR <= FPR_U,

    epsilon >= max(0, ln((TPR_L - delta) / FPR_U), ln((1 - FPR_U - delta) / (1 - TPR_L))).

Each of the two forms has its own threshold (few false positives for the first, few missed members for the second) and
half of the error probability. With one threshold per fold for both, folds that prefer different forms spoil the pooled
counts: with 1100 images per set and a separation of one standard deviation, the bound is then 0.1 instead of 1.35 (1.46
if the best threshold were known).

Differs from audits with canaries: the images were not assigned to training at random, so the bound holds for the
average image of these two sets, and only if the sets differ in nothing but membership.

Clopper-Pearson limits assume independent images. With units of dependent images, counts are scaled down to the
effective sizes of the sets (`privaudit.evaluation.clusters.effective_sizes`), as if all images of a unit were copies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError, DataError
from privaudit.evaluation.clusters import effective_sizes, unit_codes
from privaudit.evaluation.crossfit import splits
from privaudit.evaluation.estimate import EpsilonBound
from privaudit.evaluation.facts import Fact, fact
from privaudit.evaluation.intervals import clopper_pearson
from privaudit.evaluation.roc import checked, count

SELECTION_CONFIDENCE = 0.95
"""Confidence level of the bounds by which thresholds are compared; fixed, so that the counts do not depend on the
confidence level of the result."""


@dataclass(frozen=True)
class Outcomes:
    """Counts at thresholds that were fixed on the other folds, pooled over the folds.

    Attributes:
        tp: True positives, members at or above the threshold of their fold.
        fp: False positives, non-members at or above the threshold of their fold.
    """

    tp: int
    fp: int


@dataclass(frozen=True)
class HeldOutCounts:
    """Counts from which a bound on epsilon is computed.

    Attributes:
        hit: Counts at the thresholds for the form ln((TPR_L - delta) / FPR_U).
        miss: Counts at the thresholds for the form ln((1 - FPR_U - delta) / (1 - TPR_L)).
        members: Total number of members.
        nonmembers: Total number of non-members.
        reason: Why there are no counts; None if there are.
        effective: Effective numbers of members and non-members; None if all images are independent.
    """

    hit: Outcomes
    miss: Outcomes
    members: int
    nonmembers: int
    reason: Fact | None = None
    effective: tuple[float, float] | None = None


def held_out_counts(
    scores: ArrayLike, is_member: ArrayLike, folds: ArrayLike, delta: float = 0.0, units: ArrayLike | None = None
) -> HeldOutCounts:
    """Fix thresholds on the other folds, apply them to each fold, and pool the counts.

    For each fold and form, the threshold with the largest bound on the other folds, at the confidence
    `SELECTION_CONFIDENCE`, is taken. The ratio TPR / FPR would be no criterion: it is infinite wherever no non-member
    is above the threshold.

    Args:
        scores: ``(n,)``, comparable across folds.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        delta: Delta of the privacy definition.
        units: ``(n,)``, labels of the units drawn independently, each within one fold; by default every image is its
            own unit.

    Returns:
        The counts; with a reason if there are fewer than 2 members or non-members outside some fold.

    Raises:
        DataError: There is not one fold label per image.
    """
    values, member = checked(scores, is_member)
    labels = np.asarray(folds)
    if labels.shape != member.shape:
        raise DataError(
            f"expected one fold per image, got shape {labels.shape} for {member.size} images; use assign_folds"
        )
    called = np.zeros((2, member.size), dtype=np.bool_)
    reason = _too_few(labels, member)
    for held_out, others in splits(labels, member) if reason is None else ():
        curve = count(values[others], member[others])
        # Only corners of the curve need be compared: among thresholds with equal false positives the lowest is best,
        # among those with equal true positives the highest.
        corner = np.append(np.diff(curve.fp) > 0, True)
        corner[1:] &= np.diff(curve.tp) > 0
        bounds = _bounds(
            curve.tp[corner], curve.members, curve.fp[corner], curve.nonmembers, 1.0 - SELECTION_CONFIDENCE, delta
        )
        for form, bound in enumerate(bounds):
            called[form, held_out] = values[held_out] >= curve.thresholds[corner][int(np.argmax(bound))]
    hit, miss = (Outcomes(int((form & member).sum()), int((form & ~member).sum())) for form in called)
    effective = None if units is None else effective_sizes(unit_codes(units, member.size), member)
    return HeldOutCounts(hit, miss, int(member.sum()), int((~member).sum()), reason, effective)


def _too_few(folds: NDArray[np.int64], member: NDArray[np.bool_]) -> Fact | None:
    """The reason if some fold leaves too few images on the others to fix a threshold; else None."""
    if not member.size:
        return fact("folds_need_images", members=0, nonmembers=0)
    outside = [((folds != fold) & member, (folds != fold) & ~member) for fold in np.unique(folds)]
    members, nonmembers = min(((int(m.sum()), int(n.sum())) for m, n in outside), key=min)
    if min(members, nonmembers) >= 2:
        return None
    return fact("folds_need_images", members=members, nonmembers=nonmembers)


def bound_from_counts(counts: HeldOutCounts, confidence: float = 0.95, delta: float = 0.0) -> EpsilonBound:
    """Turn counts into the bound; each form has half of the error probability, each of its two rates half of that.

    Returns:
        The bound; NaN with the reason of the counts if there are none.

    Raises:
        ConfigError: ``confidence`` is not in (0, 1) or ``delta`` not in [0, 1).
    """
    problems = []
    if not 0.0 < confidence < 1.0:
        problems.append(f"expected a confidence in (0, 1), got {confidence}; 0.95 is usual")
    if not 0.0 <= delta < 1.0:
        problems.append(f"expected delta in [0, 1), got {delta}; 0 is usual")
    if problems:
        raise ConfigError(problems)
    if counts.reason is not None:
        return EpsilonBound(float("nan"), confidence, counts.reason)
    sizes, alpha = counts.effective or (counts.members, counts.nonmembers), (1.0 - confidence) / 2.0
    # Scaled counts need not be whole numbers; `clopper_pearson` accepts them.
    scale = np.array(sizes) / (counts.members, counts.nonmembers)
    (hit_tp, hit_fp), (miss_tp, miss_fp) = (scale * (each.tp, each.fp) for each in (counts.hit, counts.miss))
    first, _ = _bounds(hit_tp, sizes[0], hit_fp, sizes[1], alpha, delta)
    _, second = _bounds(miss_tp, sizes[0], miss_fp, sizes[1], alpha, delta)
    return EpsilonBound(max(float(first), float(second)), confidence)


def epsilon_lower(
    scores: ArrayLike,
    is_member: ArrayLike,
    folds: ArrayLike,
    confidence: float = 0.95,
    delta: float = 0.0,
    units: ArrayLike | None = None,
) -> EpsilonBound:
    """Bound epsilon from below by thresholds fixed on other folds.

    Args:
        scores: ``(n,)``, comparable across folds.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        confidence: Confidence level of the bound.
        delta: Delta of the privacy definition.
        units: ``(n,)``, labels of the units drawn independently, each within one fold; by default every image is its
            own unit.

    Returns:
        The bound, 0 if the scores do not contradict any epsilon; NaN with a reason if there are too few images.
    """
    return bound_from_counts(held_out_counts(scores, is_member, folds, delta, units), confidence, delta)


def _bounds(
    tp: ArrayLike, members: float, fp: ArrayLike, nonmembers: float, alpha: float, delta: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of both forms, shaped like ``tp`` and ``fp``, each at the error probability ``alpha``."""
    tpr = clopper_pearson(tp, members, alpha / 2.0, "lower")
    fpr = clopper_pearson(fp, nonmembers, alpha / 2.0, "upper")
    # No division by 0: tpr < 1 and fpr > 0 always. A ratio <= 1 gives no bound beyond epsilon >= 0.
    return np.log(np.maximum((tpr - delta) / fpr, 1.0)), np.log(np.maximum((1.0 - fpr - delta) / (1.0 - tpr), 1.0))
