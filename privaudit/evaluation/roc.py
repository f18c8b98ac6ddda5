"""The empirical ROC curve, exact with ties and infinite scores.

Members are the positive class, and images with a score at or above the threshold are called members. No threshold
separates images with equal scores, so that the curve has a corner only at the end of each block of tied scores. Between
two corners lies the attacker who calls everything above the block, and tosses a coin for each image of it: the curve
is the polygon through its corners, and a rate at a false-positive rate is read off the polygon. Without ties between
members and non-members that is the step function of the thresholds.

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
    """The point of the curve at the largest false-positive rate that does not exceed a target.

    Where the target falls inside a block in which members and non-members are tied, each image of the block is called
    a member with the probability at which the target is reached on average. So does an attacker who tosses coins.

    Attributes:
        tpr: Fraction of members at or above the threshold, plus the fraction that coins call members on average; NaN
            without members.
        fpr_realised: The same of the non-members: ``k / n``, or the target if coins are tossed; NaN without
            non-members.
        threshold: Lowest score of the images that are called members without a coin; +inf if there are none.
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


def expected_hits(counts: RocCounts, allowed: ArrayLike) -> NDArray[np.float64]:
    """Number of members above the non-member that comes after ``allowed`` others, on average over orders of the tied.

    In a random order of a block of a members and b non-members, a (j + 1) / (b + 1) of its members are expected before
    its (j + 1)-th non-member. The number is whole where members and non-members are not tied.

    Args:
        counts: Counts behind the curve.
        allowed: Numbers of false positives, any shape, at least -1.

    Returns:
        Shaped like ``allowed``; 0 for -1, and all members if there is no further non-member.
    """
    above = np.asarray(allowed)
    blocks, tp, fp = np.searchsorted(counts.fp, above, side="right"), _from_zero(counts.tp), _from_zero(counts.fp)
    following = np.minimum(blocks + 1, counts.tp.size)
    tied_members, tied_nonmembers = tp[following] - tp[blocks], fp[following] - fp[blocks]
    return np.asarray(tp[blocks] + tied_members * (above - fp[blocks] + 1) / (tied_nonmembers + 1))


def _from_zero(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], values])


def operating_point(counts: RocCounts, fpr: float) -> OperatingPoint:
    """Point of a curve at the largest false-positive rate that does not exceed the target.

    Args:
        counts: Counts behind the curve.
        fpr: Target, in [0, 1].

    Returns:
        The operating point; its rates are NaN for an empty class.
    """
    blocks = int(np.searchsorted(counts.fp, allowed_false_positives(fpr, counts.nonmembers), side="right"))
    corners = np.stack([_from_zero(counts.tp), _from_zero(counts.fp)])[:, blocks : blocks + 2]
    (tp, k), (tied_members, tied_nonmembers) = corners[:, 0], corners[:, -1] - corners[:, 0]
    # A block of non-members alone is no reason to toss a coin: it would add false positives and nothing else.
    coin = max(0.0, (fpr * counts.nonmembers - k) / tied_nonmembers) if tied_members else 0.0
    return OperatingPoint(
        tpr=float((tp + coin * tied_members) / counts.members) if counts.members else float("nan"),
        fpr_realised=float(fpr if coin else k / counts.nonmembers) if counts.nonmembers else float("nan"),
        threshold=float(counts.thresholds[blocks - 1]) if blocks else float("inf"),
        k=int(k),
        n=counts.nonmembers,
    )


def tpr_at_fpr(scores: ArrayLike, is_member: ArrayLike, fpr: float) -> OperatingPoint:
    """True-positive rate at the largest false-positive rate that does not exceed the target.

    The corner of the curve nearest to the target is not used, since its false-positive rate may exceed the target.

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
