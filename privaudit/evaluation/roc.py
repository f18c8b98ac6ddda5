"""The empirical ROC curve, exact with ties and infinite scores.

Members are the positive class, and images with a score at or above the threshold are called members. No threshold
separates images with equal scores, so that the curve has a point only at the end of each block of tied scores.

scikit-learn's ``roc_curve`` and ``roc_auc_score`` are the reference in the tests. They are not used here because they
reject infinite scores, which attacks can return.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError, DataError, NonFiniteError


@dataclass(frozen=True)
class OperatingPoint:
    """The point of the curve at the largest realised false-positive rate that does not exceed a target.

    Attributes:
        tpr: Fraction of members at or above the threshold; NaN without members.
        fpr_realised: Fraction of non-members at or above the threshold; NaN without non-members.
        threshold: Lowest score of the images called members; +inf if even the highest block of tied scores exceeds the
            target, so that no image is called a member.
        k: Number of non-members at or above the threshold.
        n: Number of non-members.
    """

    tpr: float
    fpr_realised: float
    threshold: float
    k: int
    n: int


@dataclass(frozen=True)
class RocCounts:
    """Members and non-members at or above each distinct score.

    Attributes:
        thresholds: ``(d,)``, distinct scores, descending.
        tp: ``(d,)``, number of members at or above each threshold.
        fp: ``(d,)``, number of non-members at or above each threshold.
        members: Total number of members.
        nonmembers: Total number of non-members.
    """

    thresholds: NDArray[np.float64]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    members: int
    nonmembers: int


def checked(scores: ArrayLike, is_member: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Validate scores and labels and convert them to arrays.

    Returns:
        Scores as float64 and labels as bool, both ``(n,)``.

    Raises:
        DataError: They do not have the same shape ``(n,)``.
        NonFiniteError: A score is NaN.
    """
    values = np.asarray(scores, dtype=np.float64)
    member = np.asarray(is_member, dtype=np.bool_)
    if values.ndim != 1 or values.shape != member.shape:
        raise DataError(
            f"expected one score per image, got scores of shape {values.shape} for labels of shape "
            f"{member.shape}; pass two vectors of the same length"
        )
    if np.isnan(values).any():
        invalid = np.flatnonzero(np.isnan(values))
        raise NonFiniteError(
            f"expected scores without NaN, got NaN for {invalid.size} of {values.size} images, "
            f"the first at position {invalid[0]}; leave these images out or fix their scores"
        )
    return values, member


def count(scores: ArrayLike, is_member: ArrayLike) -> RocCounts:
    """Count members and non-members at or above each distinct score.

    Args:
        scores: ``(n,)``.
        is_member: ``(n,)``.

    Returns:
        The counts behind the curve; either class may be empty.
    """
    values, member = checked(scores, is_member)
    distinct, block = np.unique(values, return_inverse=True)
    tp = np.bincount(block[member], minlength=distinct.size)[::-1].cumsum()
    fp = np.bincount(block[~member], minlength=distinct.size)[::-1].cumsum()
    return RocCounts(distinct[::-1], tp, fp, int(member.sum()), int((~member).sum()))


def auroc(scores: ArrayLike, is_member: ArrayLike) -> float:
    """Probability that a random member scores above a random non-member, ties counting one half.

    This is the Mann-Whitney statistic by midranks, U / (m n), and the area under the curve by trapezoids.

    Args:
        scores: ``(n,)``.
        is_member: ``(n,)``.

    Returns:
        The AUROC, or NaN if a class is empty.
    """
    counts = count(scores, is_member)
    if counts.members == 0 or counts.nonmembers == 0:
        return float("nan")
    # Twice the trapezoids; whole numbers, so that the sum is exact.
    wins = np.diff(counts.fp, prepend=0) * (counts.tp + np.concatenate([[0], counts.tp[:-1]]))
    return float(wins.sum() / (2 * counts.members * counts.nonmembers))


def allowed_false_positives(fpr: float, nonmembers: int) -> int:
    """Largest number of false positives whose rate does not exceed the target.

    Returns:
        ``floor(fpr * nonmembers)``, robust to rounding such as 0.29 * 100 = 28.999999999999996.
    """
    check_rate(fpr)
    return int(np.floor(fpr * nonmembers + 1e-9))


def check_rate(fpr: float) -> None:
    """Validate a false-positive rate.

    Raises:
        ConfigError: It is not in [0, 1].
    """
    if not 0.0 <= fpr <= 1.0:
        raise ConfigError([f"expected a false-positive rate in [0, 1], got {fpr}; 1 % is written as 0.01"])


def hits(counts: RocCounts, allowed: ArrayLike) -> NDArray[np.int64]:
    """Number of members at or above the lowest threshold with at most ``allowed`` false positives.

    Args:
        counts: Counts behind the curve.
        allowed: Numbers of false positives, any shape; a negative number allows no threshold.

    Returns:
        Shaped like ``allowed``; 0 where even the highest block of tied scores has more false positives.
    """
    blocks = np.searchsorted(counts.fp, np.asarray(allowed), side="right")
    return np.concatenate([[0], counts.tp])[blocks]


def operating_point(counts: RocCounts, fpr: float) -> OperatingPoint:
    """Point of a curve at the largest realised false-positive rate that does not exceed the target.

    Args:
        counts: Counts behind the curve.
        fpr: Target, in [0, 1].

    Returns:
        The operating point; its rates are NaN for an empty class.
    """
    allowed = allowed_false_positives(fpr, counts.nonmembers)
    blocks = int(np.searchsorted(counts.fp, allowed, side="right"))
    tp, k = int(hits(counts, allowed)), int(counts.fp[blocks - 1]) if blocks else 0
    return OperatingPoint(
        tpr=tp / counts.members if counts.members else float("nan"),
        fpr_realised=k / counts.nonmembers if counts.nonmembers else float("nan"),
        threshold=float(counts.thresholds[blocks - 1]) if blocks else float("inf"),
        k=k,
        n=counts.nonmembers,
    )


def tpr_at_fpr(scores: ArrayLike, is_member: ArrayLike, fpr: float) -> OperatingPoint:
    """True-positive rate at the largest realised false-positive rate that does not exceed the target.

    The point of the curve nearest to the target is not used, since its false-positive rate may exceed the target.

    Args:
        scores: ``(n,)``.
        is_member: ``(n,)``.
        fpr: Target, in [0, 1].

    Returns:
        The operating point; its rates are NaN for an empty class.
    """
    return operating_point(count(scores, is_member), fpr)


def roc_points(scores: ArrayLike, is_member: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All points of the curve, from (0, 0) to (1, 1).

    Args:
        scores: ``(n,)``.
        is_member: ``(n,)``.

    Returns:
        False- and true-positive rates, ascending, ``(d + 1,)`` each for d distinct scores.

    Raises:
        DataError: A class is empty.
    """
    counts = count(scores, is_member)
    if counts.members == 0 or counts.nonmembers == 0:
        raise DataError(
            f"expected members and non-members, got {counts.members} and {counts.nonmembers}; a ROC curve needs both"
        )
    fpr = np.concatenate([[0.0], counts.fp / counts.nonmembers])
    tpr = np.concatenate([[0.0], counts.tp / counts.members])
    return fpr, tpr


def advantage(scores: ArrayLike, is_member: ArrayLike) -> float:
    """Maximum of TPR - FPR over all thresholds (Yeom et al. 2018, arXiv:1709.01604).

    Args:
        scores: ``(n,)``.
        is_member: ``(n,)``.

    Returns:
        The advantage in [0, 1], or NaN if a class is empty.
    """
    return largest_gap(count(scores, is_member))


def largest_gap(counts: RocCounts) -> float:
    """Advantage of a curve.

    Returns:
        Maximum of TPR - FPR, in [0, 1], or NaN if a class is empty.
    """
    if counts.members == 0 or counts.nonmembers == 0:
        return float("nan")
    return max(0.0, float((counts.tp / counts.members - counts.fp / counts.nonmembers).max()))


def consistent(auroc: float, tpr: float, fpr: float) -> bool:
    """Whether an AUROC and an operating point can belong to one curve: AUROC >= TPR (1 - FPR).

    The curve is monotone, so that to the right of the point it lies at TPR or above. Some published pairs violate this.

    Returns:
        False if no curve has both; True if a value is NaN.
    """
    return not auroc < tpr * (1.0 - fpr) - 1e-12
