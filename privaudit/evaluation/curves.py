"""Data of a report's plots: the ROC curve of a score with pointwise limits, and its histogram in both sets.

Both are aggregates: counts and rates, never the scores of single images.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.evaluation.bootstrap import Replicates, stratified_bootstrap
from privaudit.evaluation.delong import K
from privaudit.evaluation.intervals import Side
from privaudit.evaluation.metrics import Evaluation, rate_bound
from privaudit.evaluation.roc import checked, operating_point

PER_DECADE = 12
"""Number of points of a curve per decade of false-positive rates."""
BINS = 48
BAND_REPLICATES = 400
"""Number of bootstrap replicates for the limits of clustered images; few are enough for a plot."""
TAIL = 0.002
"""Fraction of the images beyond either end of the bins, counted in the outer bins."""


@dataclass(frozen=True)
class RocCurve:
    """ROC curve on a grid of false-positive rates; all attributes have the same length.

    Attributes:
        fpr: Target false-positive rates, increasing: 0, then from one false positive to 1.
        tpr: True-positive rate at the largest false-positive rate that does not exceed the target.
        lo: Lower pointwise limit; NaN where there are too few non-members for one.
        hi: Upper pointwise limit.
    """

    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    lo: tuple[float, ...]
    hi: tuple[float, ...]


@dataclass(frozen=True)
class Histogram:
    """Histogram of a score in both sets.

    Attributes:
        edges: ``bins + 1`` edges, increasing; scores beyond the outer edges are counted in the outer bins.
        members: Number of members in each bin.
        nonmembers: Number of non-members in each bin.
    """

    edges: tuple[float, ...]
    members: tuple[int, ...]
    nonmembers: tuple[int, ...]


def curve_grid(nonmembers: int) -> tuple[float, ...]:
    """Choose the false-positive rates at which a curve is drawn.

    Returns:
        0, then geometrically spaced rates from one false positive to 1, and in addition 0.1 %, 1 % and all multiples of
        5 %.
    """
    first = 1.0 / nonmembers
    steps = int(np.ceil(PER_DECADE * np.log10(nonmembers))) + 1
    rates = (*np.geomspace(first, 1.0, max(2, steps)), *np.linspace(0.05, 1.0, 20), 0.001, 0.01)
    # The rate 1 / n is added unrounded: rounded down, it would allow no false positive.
    other_rates = {round(float(rate), 6) for rate in rates if rate > first * (1.0 + 1e-3)}
    return (0.0, *sorted({first, 1.0} | other_rates))


def histogram(scores: ArrayLike, is_member: ArrayLike) -> Histogram:
    """Count members and non-members in bins of equal width.

    Args:
        scores: ``(n,)``, higher = more likely a member; infinities are counted in the outer bins.
        is_member: ``(n,)``.

    Returns:
        `BINS` bins between the `TAIL` and the 1 - `TAIL` quantile of the finite scores; a single bin if all are equal
        or none is finite.
    """
    values, member = checked(scores, is_member)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        finite = np.zeros(1)
    low, high = (float(edge) for edge in np.quantile(finite, [TAIL, 1.0 - TAIL]))
    if not low < high:  # all but the tails are equal
        low, high = float(finite.min()), float(finite.max())
    edges = np.linspace(low, high, BINS + 1) if low < high else np.array([low - 0.5, low + 0.5])
    inside = np.clip(values, edges[0], edges[-1])

    def counts(part: NDArray[np.bool_]) -> tuple[int, ...]:
        return tuple(int(number) for number in np.histogram(inside[part], edges)[0])

    return Histogram(tuple(float(f"{edge:.7g}") for edge in edges), counts(member), counts(~member))


def roc_curves(
    evaluation: Evaluation[K],
    scores: Mapping[K, ArrayLike],
    is_member: ArrayLike,
    *,
    limited: Collection[K] = (),
    seed: int = 0,
    units: ArrayLike | None = None,
) -> dict[K, RocCurve]:
    """Read the ROC curves of evaluated scores on a grid of false-positive rates.

    Args:
        evaluation: Evaluation of these scores.
        scores: ``(n,)`` for each name, as they were evaluated.
        is_member: ``(n,)``.
        limited: Names of the curves with pointwise limits (see `privaudit.evaluation.metrics.rate_bound`).
        seed: Seed of the bootstrap behind the limits of clustered images.
        units: ``(n,)``, as in `privaudit.evaluation.evaluate`.

    Returns:
        One curve per name; an empty dictionary if a class is empty.
    """
    member = np.asarray(is_member, dtype=np.bool_)
    if member.all() or not member.any():
        return {}
    grid = curve_grid(int((~member).sum()))
    replicates = None
    if evaluation.clustered and limited and evaluation.replicates is not None:
        limited_scores = {name: scores[name] for name in scores if name in limited}
        replicates = stratified_bootstrap(limited_scores, member, grid, BAND_REPLICATES, seed, units)
    return {name: _curve(evaluation, name, grid, replicates, limits=name in limited) for name in scores}


def _curve(
    evaluation: Evaluation[K], name: K, grid: tuple[float, ...], replicates: Replicates[K] | None, *, limits: bool
) -> RocCurve:
    curve = evaluation.curves[name]
    rates = tuple(round(operating_point(curve, fpr).tpr, 6) for fpr in grid)
    unknown = (float("nan"),) * len(grid)
    if not limits or curve.thresholds.size == 1:
        return RocCurve(grid, rates, unknown, unknown)
    alpha = (1.0 - evaluation.confidence) / 2.0

    def limit(fpr: float, side: Side) -> float:
        return 1.0 if fpr == 1.0 else round(rate_bound(evaluation, name, fpr, alpha, side, replicates), 6)

    return RocCurve(grid, rates, tuple(limit(fpr, "lower") for fpr in grid), tuple(limit(fpr, "upper") for fpr in grid))
