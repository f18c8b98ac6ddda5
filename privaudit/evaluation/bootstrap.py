"""Stratified bootstrap of AUROC, TPR at fixed FPR and advantage, paired over many scores.

Members and non-members are resampled with replacement, each within its own set. Every score sees the same
resampled images, so differences between scores are paired. The threshold is estimated anew in each replicate:
an interval that treats it as fixed covers 58 to 68 % instead of 95 %.

Units of several images are drawn as one, those with members only, those with non-members only and those with both each
among themselves. The sets then differ in size from replicate to replicate, and rates are shares of what was drawn.

A replicate is a vector of counts, one per unit. Each score is sorted once; cumulated counts along that order,
read at the ends of the blocks of tied scores, are the replicate's ROC curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError, DataError
from privaudit.evaluation.clusters import unit_codes
from privaudit.evaluation.delong import K
from privaudit.evaluation.roc import check_rate, checked

Counts = NDArray[np.int32]

CHUNK = 1 << 18
"""Counts held at once, whatever the number of replicates; their differences are 2 MiB as float64."""


@dataclass(frozen=True)
class Replicates(Generic[K]):
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

    names: tuple[K, ...]
    fprs: tuple[float, ...]
    auroc: NDArray[np.float64]
    tpr: NDArray[np.float64]
    tpr_strict: NDArray[np.float64]
    advantage: NDArray[np.float64]
    excess: NDArray[np.float64]


@dataclass(frozen=True)
class _Ranking:
    order: NDArray[np.intp]  # units of the images by descending score
    ends: NDArray[np.intp] | None  # last position of each block of tied scores; None if there are no ties
    member: Counts  # 1 for a member, in that order


def stratified_bootstrap(
    scores: Mapping[K, ArrayLike],
    is_member: ArrayLike,
    fprs: Sequence[float] = (0.01, 0.001),
    replicates: int = 2000,
    seed: int = 0,
    units: ArrayLike | None = None,
) -> Replicates[K]:
    """Measure every score on the same resampled images.

    Args:
        scores: ``(n,)`` for each name; infinities are legal.
        is_member: ``(n,)``.
        fprs: Targets for the true-positive rate.
        replicates: How many times to resample.
        seed: Seed of a local generator; the result depends on it and on the order of the images.
        units: ``(n,)``, labels of what is drawn as one; by default every image by itself.

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
    for fpr in fprs:
        check_rate(fpr)
    names, codes = tuple(scores), unit_codes(units, member.size)
    rankings = [_rank(*checked(scores[name], member), codes) for name in names]
    strata = _strata(codes, member)
    # One stream a stratum, read row by row: the chunk size cannot change what is drawn.
    streams = np.random.default_rng(seed).spawn(len(strata))
    once = np.ones((1, codes.max() + 1), dtype=np.int32)
    curves = [tp / tp[:, -1:] - fp / fp[:, -1:] for tp, fp in (_cumulate(once, ranking) for ranking in rankings)]
    flat, deep = (len(names), replicates), (len(names), len(fprs), replicates)
    result = Replicates(
        names, tuple(fprs), np.empty(flat), np.empty(deep), np.empty(deep), np.empty(flat), np.empty(flat)
    )
    rows = max(1, CHUNK // member.size)
    for start in range(0, replicates, rows):
        span = slice(start, min(start + rows, replicates))
        drawn = np.empty((span.stop - start, once.size), dtype=np.int32)
        for stream, part in zip(streams, strata, strict=True):
            if part.size:
                drawn[:, part] = _resample(stream, len(drawn), part.size)
        for i, ranking in enumerate(rankings):
            tp, fp = _cumulate(drawn, ranking)
            members, nonmembers = tp[:, -1].astype(np.float64), fp[:, -1].astype(np.float64)
            result.auroc[i, span] = _area(tp, fp) / (members * nonmembers)
            for j, fpr in enumerate(fprs):
                allowed = np.floor(fpr * nonmembers + 1e-9)  # as in `allowed_false_positives`
                result.tpr[i, j, span] = _hits(tp, fp, allowed) / members
                result.tpr_strict[i, j, span] = _hits(tp, fp, allowed - 1) / members
            difference = tp / members[:, None]
            difference -= fp / nonmembers[:, None]
            result.advantage[i, span] = np.maximum(difference.max(axis=1), 0.0)
            difference -= curves[i]
            result.excess[i, span] = np.maximum(difference.max(axis=1), 0.0)
    return result


def _strata(codes: NDArray[np.intp], member: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Units with members only, with non-members only, and with both."""
    has, lacks = np.bincount(codes, weights=member) > 0, np.bincount(codes, weights=~member) > 0
    return [np.flatnonzero(part) for part in (has & ~lacks, lacks & ~has, has & lacks)]


def _resample(stream: np.random.Generator, rows: int, units: int) -> Counts:
    """How often each unit is drawn, ``(rows, units)``."""
    drawn = stream.integers(0, units, (rows, units))
    drawn += units * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units).astype(np.int32)


def _rank(values: NDArray[np.float64], member: NDArray[np.bool_], codes: NDArray[np.intp]) -> _Ranking:
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    is_end = np.append(ranked[1:] != ranked[:-1], True)
    ends = None if is_end.all() else np.flatnonzero(is_end)
    return _Ranking(codes[order], ends, member[order].astype(np.int32))


def _cumulate(weights: Counts, ranking: _Ranking) -> tuple[Counts, Counts]:
    """Members and non-members at or above each distinct score, in every replicate."""
    drawn = np.take(weights, ranking.order, axis=1)
    total = np.cumsum(drawn, axis=1, dtype=np.int32)
    drawn *= ranking.member
    tp = np.cumsum(drawn, axis=1, dtype=np.int32)
    if ranking.ends is not None:
        total, tp = total[:, ranking.ends], tp[:, ranking.ends]
    return tp, np.subtract(total, tp, out=total)


def _area(tp: Counts, fp: Counts) -> NDArray[np.float64]:
    # Trapezoids: the sum of (fp_b - fp_b-1)(tp_b + tp_b-1) / 2, of which fp_b tp_b - fp_b-1 tp_b-1 telescopes.
    corner = tp[:, -1].astype(np.int64) * fp[:, -1]
    right = np.einsum("rb,rb->r", fp[:, 1:], tp[:, :-1], dtype=np.int64)
    left = np.einsum("rb,rb->r", fp[:, :-1], tp[:, 1:], dtype=np.int64)
    return np.asarray((corner + (right - left)) / 2.0)


def _hits(tp: Counts, fp: Counts, allowed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Members at or above the lowest threshold with at most ``allowed`` false positives, one number a replicate."""
    blocks = np.count_nonzero(fp <= allowed.astype(np.int32)[:, None], axis=1)
    found = np.take_along_axis(tp, np.maximum(blocks - 1, 0)[:, None], axis=1)[:, 0]
    return np.where(blocks > 0, found, 0.0)
