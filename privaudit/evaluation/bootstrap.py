"""Stratified bootstrap of AUROC, TPR at fixed FPR and advantage, paired over many scores.

Members and non-members are resampled with replacement, each within its own set. Every score sees the same
resampled images, so differences between scores are paired. The threshold is estimated anew in each replicate:
an interval that treats it as fixed covers 58 to 68 % instead of 95 %.

A replicate is a vector of counts, one an image. Each score is sorted once; cumulated counts along that order,
read at the ends of the blocks of tied scores, are the replicate's ROC curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError, DataError
from privaudit.evaluation.roc import allowed_false_positives, checked

CHUNK = 1 << 20
"""Counts held at once (8 MiB as float64), whatever the number of replicates."""


@dataclass(frozen=True)
class Replicates:
    """What each score measured on each resampled set of images.

    Attributes:
        names: The scores, in the order of the first axis below.
        fprs: Target false-positive rates, in the order of the second axis of ``tpr``.
        auroc: ``(names, replicates)``.
        tpr: ``(names, fprs, replicates)``.
        tpr_strict: Like ``tpr``, with one false positive fewer allowed. The k-th of n non-members lies, on
            average, at a false-positive rate of (k + 1) / (n + 1), beyond the target, which flatters ``tpr``;
            with k - 1 it is k / (n + 1), within it. This is what bounds the rate from below.
        advantage: ``(names, replicates)``.
        excess: ``(names, replicates)``, the largest amount over all thresholds by which a replicate's
            TPR - FPR exceeds the sample's at the same threshold. The advantage is a maximum, so its replicates
            are biased upwards and cannot bound it from below; this can.
    """

    names: tuple[str, ...]
    fprs: tuple[float, ...]
    auroc: NDArray[np.float64]
    tpr: NDArray[np.float64]
    tpr_strict: NDArray[np.float64]
    advantage: NDArray[np.float64]
    excess: NDArray[np.float64]


@dataclass(frozen=True)
class _Ranking:
    order: NDArray[np.intp]  # images by descending score
    ends: NDArray[np.intp] | None  # last position of each block of tied scores; None if there are no ties
    member: NDArray[np.float64]  # 1 for a member, in that order


def stratified_bootstrap(
    scores: Mapping[str, ArrayLike],
    is_member: ArrayLike,
    fprs: Sequence[float] = (0.01, 0.001),
    replicates: int = 2000,
    seed: int = 0,
) -> Replicates:
    """Measure every score on the same resampled images.

    Args:
        scores: ``(n,)`` for each name; infinities are legal.
        is_member: ``(n,)``.
        fprs: Targets for the true-positive rate.
        replicates: How many times to resample.
        seed: Of a local generator; the result depends on it and on the order of the images.

    Returns:
        The replicates; their number never changes the first ones.

    Raises:
        ConfigError: Fewer than one replicate.
        DataError: A class is empty.
    """
    if replicates < 1:
        raise ConfigError([f"expected at least one bootstrap replicate, got {replicates}; 2000 is usual"])
    member = np.asarray(is_member, dtype=np.bool_)
    sizes = int(member.sum()), int((~member).sum())
    if 0 in sizes:
        raise DataError(
            f"expected members and non-members to resample, got {sizes[0]} and {sizes[1]}; pass images of both sets"
        )
    names = tuple(scores)
    rankings = [_rank(*checked(scores[name], member)) for name in names]
    curves = [_difference(np.ones((1, member.size)), ranking, sizes) for ranking in rankings]
    allowed = [allowed_false_positives(fpr, sizes[1]) for fpr in fprs]
    flat, deep = (len(names), replicates), (len(names), len(fprs), replicates)
    result = Replicates(
        names, tuple(fprs), np.empty(flat), np.empty(deep), np.empty(deep), np.empty(flat), np.empty(flat)
    )
    # One stream a set, read row by row: the chunk size cannot change what is drawn.
    streams = np.random.default_rng(seed).spawn(2)
    rows = max(1, CHUNK // member.size)
    for start in range(0, replicates, rows):
        span = slice(start, min(start + rows, replicates))
        weights = np.empty((span.stop - start, member.size))
        for stream, part, size in zip(streams, (member, ~member), sizes, strict=True):
            weights[:, part] = stream.multinomial(size, np.full(size, 1.0 / size), size=len(weights))
        for i, ranking in enumerate(rankings):
            tp, fp = _cumulate(weights, ranking)
            result.auroc[i, span] = _area(tp, fp) / (sizes[0] * sizes[1])
            for j, limit in enumerate(allowed):
                result.tpr[i, j, span] = _hits(tp, fp, limit) / sizes[0]
                result.tpr_strict[i, j, span] = _hits(tp, fp, limit - 1) / sizes[0]
            difference = tp / sizes[0] - fp / sizes[1]
            result.advantage[i, span] = np.maximum(difference.max(axis=1), 0.0)
            difference -= curves[i]
            result.excess[i, span] = np.maximum(difference.max(axis=1), 0.0)
    return result


def _rank(values: NDArray[np.float64], member: NDArray[np.bool_]) -> _Ranking:
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    is_end = np.append(ranked[1:] != ranked[:-1], True)
    return _Ranking(order, None if is_end.all() else np.flatnonzero(is_end), member[order].astype(np.float64))


def _cumulate(weights: NDArray[np.float64], ranking: _Ranking) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Members and non-members at or above each distinct score, in every replicate."""
    drawn = weights[:, ranking.order]
    total = np.cumsum(drawn, axis=1)
    drawn *= ranking.member
    tp = np.cumsum(drawn, axis=1, out=drawn)
    if ranking.ends is not None:
        total, tp = total[:, ranking.ends], tp[:, ranking.ends]
    return tp, np.subtract(total, tp, out=total)


def _difference(weights: NDArray[np.float64], ranking: _Ranking, sizes: tuple[int, int]) -> NDArray[np.float64]:
    tp, fp = _cumulate(weights, ranking)
    return tp / sizes[0] - fp / sizes[1]


def _area(tp: NDArray[np.float64], fp: NDArray[np.float64]) -> NDArray[np.float64]:
    # Trapezoids: the sum of (fp_b - fp_b-1)(tp_b + tp_b-1) / 2, of which fp_b tp_b - fp_b-1 tp_b-1 telescopes.
    corner = tp[:, -1] * fp[:, -1]
    crossed = np.einsum("rb,rb->r", fp[:, 1:], tp[:, :-1]) - np.einsum("rb,rb->r", fp[:, :-1], tp[:, 1:])
    return np.asarray((corner + crossed) / 2.0)


def _hits(tp: NDArray[np.float64], fp: NDArray[np.float64], allowed: int) -> NDArray[np.float64]:
    """Members at or above the lowest threshold with at most ``allowed`` false positives."""
    blocks = np.count_nonzero(fp <= allowed, axis=1)
    found = np.take_along_axis(tp, np.maximum(blocks - 1, 0)[:, None], axis=1)[:, 0]
    return np.where(blocks > 0, found, 0.0)
