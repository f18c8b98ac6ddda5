"""Stratified bootstrap of AUROC, TPR at fixed FPR and advantage, paired over any number of scores.

Members and non-members are resampled with replacement, each within its own set. All scores are measured on the same
resampled images, so differences between scores are paired. The threshold is estimated anew in each replicate: an
interval that treats it as fixed covers 58 to 68 % instead of 95 %.

Images of one unit (see `privaudit.evaluation.clusters`) are drawn together, with three strata: units with members only,
with non-members only, and with both. The sizes of the sets then vary between replicates, and rates are fractions of the
images drawn.

A replicate is a vector of counts, one per unit. Each score is sorted once; cumulative counts along that order, read at
the ends of the blocks of tied scores, are the replicate's ROC curve.
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

MAX_COUNTS = 1 << 18
"""Maximum number of counts in memory, whatever the number of replicates; their differences take 2 MiB as float64."""


@dataclass(frozen=True)
class Replicates(Generic[K]):
    """Metrics of each score on each resampled set of images.

    Attributes:
        names: Names of the scores, in the order of the first axis below.
        fprs: Target false-positive rates, in the order of the second axis of ``tpr``.
        auroc: ``(names, replicates)``.
        tpr: ``(names, fprs, replicates)``.
        tpr_strict: Like ``tpr``, with one false positive fewer allowed; used for lower limits. The lowest threshold
            with at most k of n non-members above it reaches, on average, a false-positive rate of (k + 1) / (n + 1),
            beyond the target k / n, which biases ``tpr`` upwards; with k - 1 it reaches k / (n + 1), within the target.
        advantage: ``(names, replicates)``.
        excess: ``(names, replicates)``, maximum over all thresholds of the replicate's TPR - FPR minus the sample's at
            the same threshold; used for lower limits of the advantage. The advantage is a maximum, so its own
            replicates are biased upwards and cannot bound it from below.
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
    order: NDArray[np.intp]  # (n,), unit of each image, by descending score
    ends: NDArray[np.intp] | None  # last position of each block of tied scores; None if there are no ties
    member: Counts  # (n,), 1 for members, in the same order


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
        scores: ``(n,)`` for each name; infinities are allowed.
        is_member: ``(n,)``.
        fprs: Target false-positive rates of the true-positive rates.
        replicates: Number of replicates.
        seed: Seed of a local generator; the result also depends on the order of the images.
        units: ``(n,)``, unit labels; images of one unit are drawn together. By default every image is its own unit.

    Returns:
        The replicates; more of them leave the first ones unchanged.

    Raises:
        ConfigError: There is less than one replicate, or a rate is out of range.
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
    # One stream per stratum, read row by row, so that the chunk size cannot change what is drawn.
    streams = np.random.default_rng(seed).spawn(len(strata))
    sample_counts = np.ones((1, codes.max() + 1), dtype=np.int32)  # every unit once: the sample itself
    sample_curves = [_cumulate(sample_counts, ranking) for ranking in rankings]
    sample_gaps = [tp / tp[:, -1:] - fp / fp[:, -1:] for tp, fp in sample_curves]
    shape, rates_shape = (len(names), replicates), (len(names), len(fprs), replicates)
    result = Replicates(
        names,
        tuple(fprs),
        auroc=np.empty(shape),
        tpr=np.empty(rates_shape),
        tpr_strict=np.empty(rates_shape),
        advantage=np.empty(shape),
        excess=np.empty(shape),
    )
    chunk = max(1, MAX_COUNTS // member.size)
    for start in range(0, replicates, chunk):
        span = slice(start, min(start + chunk, replicates))
        counts = np.empty((span.stop - start, sample_counts.size), dtype=np.int32)
        for stream, stratum in zip(streams, strata, strict=True):
            if stratum.size:
                counts[:, stratum] = _resample(stream, len(counts), stratum.size)
        for i, ranking in enumerate(rankings):
            tp, fp = _cumulate(counts, ranking)
            # With units, the numbers of members and non-members differ between replicates.
            members, nonmembers = tp[:, -1].astype(np.float64), fp[:, -1].astype(np.float64)
            result.auroc[i, span] = _area(tp, fp) / (members * nonmembers)
            for j, fpr in enumerate(fprs):
                for rates, fewer in ((result.tpr, 0), (result.tpr_strict, 1)):
                    rates[i, j, span] = _hits(tp, fp, fpr * nonmembers - fewer, tied=ranking.ends is not None) / members
            # In place: the arrays of (replicates, thresholds) dominate memory.
            gap = tp / members[:, None]
            gap -= fp / nonmembers[:, None]
            result.advantage[i, span] = np.maximum(gap.max(axis=1), 0.0)
            gap -= sample_gaps[i]
            result.excess[i, span] = np.maximum(gap.max(axis=1), 0.0)
    return result


def _strata(codes: NDArray[np.intp], member: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Units with members only, with non-members only, and with both."""
    has_members = np.bincount(codes, weights=member) > 0
    has_nonmembers = np.bincount(codes, weights=~member) > 0
    masks = (has_members & ~has_nonmembers, has_nonmembers & ~has_members, has_members & has_nonmembers)
    return [np.flatnonzero(mask) for mask in masks]


def _resample(stream: np.random.Generator, rows: int, units: int) -> Counts:
    """Number of times that each unit is drawn, ``(rows, units)``."""
    drawn = stream.integers(0, units, (rows, units))
    drawn += units * np.arange(rows)[:, None]  # distinct numbers per row: one bincount counts all rows
    return np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units).astype(np.int32)


def _rank(values: NDArray[np.float64], member: NDArray[np.bool_], codes: NDArray[np.intp]) -> _Ranking:
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    is_end = np.append(ranked[1:] != ranked[:-1], True)
    ends = None if is_end.all() else np.flatnonzero(is_end)
    return _Ranking(codes[order], ends, member[order].astype(np.int32))


def _cumulate(weights: Counts, ranking: _Ranking) -> tuple[Counts, Counts]:
    """Members and non-members at or above each distinct score, ``(replicates, distinct scores)`` each."""
    drawn = np.take(weights, ranking.order, axis=1)
    total = np.cumsum(drawn, axis=1, dtype=np.int32)
    drawn *= ranking.member
    tp = np.cumsum(drawn, axis=1, dtype=np.int32)
    if ranking.ends is not None:
        total, tp = total[:, ranking.ends], tp[:, ranking.ends]
    return tp, np.subtract(total, tp, out=total)


def _area(tp: Counts, fp: Counts) -> NDArray[np.float64]:
    # Trapezoids: the sum of (fp_b - fp_b-1)(tp_b + tp_b-1) / 2, of which fp_b tp_b - fp_b-1 tp_b-1 telescopes.
    # Products of counts exceed 32 bits.
    corner = tp[:, -1].astype(np.int64) * fp[:, -1]
    lagged_tp = np.einsum("rb,rb->r", fp[:, 1:], tp[:, :-1], dtype=np.int64)
    lagged_fp = np.einsum("rb,rb->r", fp[:, :-1], tp[:, 1:], dtype=np.int64)
    return np.asarray((corner + (lagged_tp - lagged_fp)) / 2.0)


def _hits(tp: Counts, fp: Counts, allowed: NDArray[np.float64], *, tied: bool) -> NDArray[np.float64]:
    """Members at ``allowed`` false positives on the polygon of the curve (see `operating_point`), ``(replicates,)``."""
    whole = np.floor(allowed + 1e-9).astype(np.int32)  # as in `allowed_false_positives`
    blocks = np.count_nonzero(fp <= whole[:, None], axis=1)

    def at(counts: Counts, block: NDArray[np.intp]) -> NDArray[np.float64]:
        inside = np.clip(block, 0, counts.shape[1] - 1)[:, None]
        return np.where(block < 0, 0.0, np.take_along_axis(counts, inside, axis=1)[:, 0])

    below, above = at(tp, blocks - 1), at(fp, blocks - 1)
    if not tied:
        return below
    width = at(fp, blocks) - above
    coin = np.clip((allowed - above) / np.where(width > 0, width, 1.0), 0.0, 1.0)
    return np.asarray(below + coin * (at(tp, blocks) - below))
