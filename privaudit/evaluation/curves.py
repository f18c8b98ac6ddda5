"""What a report draws of a score: its ROC curve with limits, and how both sets are spread over it.

Both are aggregates: counts and rates, never the score of one image.
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
"""Points of a curve in a decade of false-positive rates."""
BINS = 48
REPLICATES = 400
"""Resamples behind the limits of clustered images; a band is looked at, so that few will do."""
TAIL = 0.002
"""Share of the images at either end that share the first and the last bin."""


@dataclass(frozen=True)
class RocCurve:
    """A ROC curve at some false-positive rates, increasing; every list has the same length.

    Attributes:
        fpr: Targets, from one false positive to 1; the first one is 0.
        tpr: Share of members at the largest realised rate that does not exceed the target.
        lo: Lower pointwise limit; NaN where the non-members cannot resolve one.
        hi: Upper pointwise limit.
    """

    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    lo: tuple[float, ...]
    hi: tuple[float, ...]


@dataclass(frozen=True)
class Histogram:
    """How both sets are spread over a score.

    Attributes:
        edges: ``bins + 1``, increasing; scores beyond the outer ones are counted in the outer bins.
        members: Members in each bin.
        nonmembers: Non-members in each bin.
    """

    edges: tuple[float, ...]
    members: tuple[int, ...]
    nonmembers: tuple[int, ...]


def curve_grid(nonmembers: int) -> tuple[float, ...]:
    """Choose the false-positive rates at which a curve is drawn.

    Returns:
        0, then rates from one false positive to 1 at equal ratios, with 1 %, .1 % and all multiples of 5 % among them.
    """
    first = 1.0 / nonmembers
    steps = int(np.ceil(PER_DECADE * np.log10(nonmembers))) + 1
    rates = (*np.geomspace(first, 1.0, max(2, steps)), *np.linspace(0.05, 1.0, 20), 0.001, 0.01)
    # below 1 / n, which a rounded first rate might be, no false positive would be allowed
    further = {round(float(rate), 6) for rate in rates if rate > first * (1.0 + 1e-3)}
    return (0.0, *sorted({first, 1.0} | further))


def histogram(scores: ArrayLike, is_member: ArrayLike) -> Histogram:
    """Count both sets in bins of equal width.

    Args:
        scores: ``(n,)``, higher = member; infinities go to the outer bins.
        is_member: ``(n,)``.

    Returns:
        `BINS` bins between the `TAIL` and the 1 - `TAIL` quantile of the finite scores; a single one if all are equal
        or none is finite.
    """
    values, member = checked(scores, is_member)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        finite = np.zeros(1)
    low, high = (float(edge) for edge in np.quantile(finite, [TAIL, 1.0 - TAIL]))
    if not low < high:
        low, high = float(finite.min()), float(finite.max())
    edges = np.linspace(low, high, BINS + 1) if low < high else np.array([low - 0.5, low + 0.5])
    inside = np.clip(values, edges[0], edges[-1])

    def counts(own: NDArray[np.bool_]) -> tuple[int, ...]:
        return tuple(int(number) for number in np.histogram(inside[own], edges)[0])

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
    """Read the ROC curves of evaluated scores at a grid of false-positive rates.

    Args:
        evaluation: Evaluation of these scores.
        scores: ``(n,)`` for each name, as they were evaluated.
        is_member: ``(n,)``.
        limited: Names of the curves that get pointwise limits (see `privaudit.evaluation.metrics.rate_bound`).
        seed: Seed of the resamples behind them, where some images were drawn together.
        units: ``(n,)``, as in `privaudit.evaluation.evaluate`.

    Returns:
        A curve for each name; none if a class is empty.
    """
    member = np.asarray(is_member, dtype=np.bool_)
    if member.all() or not member.any():
        return {}
    grid = curve_grid(int((~member).sum()))
    drawn = None
    if evaluation.clustered and limited and evaluation.replicates is not None:
        kept = {name: scores[name] for name in scores if name in limited}
        drawn = stratified_bootstrap(kept, member, grid, REPLICATES, seed, units)
    return {name: _curve(evaluation, name, grid, drawn, limits=name in limited) for name in scores}


def _curve(
    evaluation: Evaluation[K], name: K, grid: tuple[float, ...], drawn: Replicates[K] | None, *, limits: bool
) -> RocCurve:
    curve = evaluation.curves[name]
    rates = tuple(round(operating_point(curve, fpr).tpr, 6) for fpr in grid)
    unknown = (float("nan"),) * len(grid)
    if not limits or curve.thresholds.size == 1:
        return RocCurve(grid, rates, unknown, unknown)
    alpha = (1.0 - evaluation.confidence) / 2.0

    def limit(fpr: float, side: Side) -> float:
        return 1.0 if fpr == 1.0 else round(rate_bound(evaluation, name, fpr, alpha, side, drawn), 6)

    return RocCurve(grid, rates, tuple(limit(fpr, "lower") for fpr in grid), tuple(limit(fpr, "upper") for fpr in grid))
