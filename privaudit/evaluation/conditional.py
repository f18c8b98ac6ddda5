"""Per-image thresholds from the conditional distribution of non-members' scores.

Quantile-regression membership inference (Bertran et al. 2023, arXiv:2307.03694): an image is called a member if its
score exceeds a quantile of non-members' scores that is predicted from the image. Here the conditions c are the
decoder's geometry and image statistics, since some images are hard for any denoiser (Rao, Qu, Moyer 2026,
arXiv:2511.20592: separability depends on local distortion).

Differs from the paper: a location-scale family of quantiles is predicted instead of a single quantile,

    q_tau(c) = location(c) + spread(c) z_tau,

with the conditional median as location and the conditional median absolute deviation as spread, both by quantile
regression. The score s exceeds q_tau(c) exactly if (s - location(c)) / spread(c) exceeds z_tau, so that one score
serves all false-positive rates and has no ties beyond the last quantile of a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError
from privaudit.evaluation.crossfit import pairs, splits
from privaudit.evaluation.feature_table import canonical_order, checked_table, standardised
from privaudit.evaluation.roc import checked

Floats = NDArray[np.float64]

TAIL = 0.05
"""Fraction of the distinct reference scores at either end whose slope is used for extrapolation."""
FLOOR = 0.01
"""Constant added to absolute deviations, in units of their median; keeps the logarithm of a deviation of 0 finite, and
small deviations that arise by chance from suggesting a small spread."""


@dataclass(frozen=True)
class ConditionalDistribution:
    """Scores, and the distribution predicted for a non-member under the same conditions.

    Attributes:
        values: ``(n,)``, normal scores (see `normal_scores`) with the other folds' non-members as reference.
        location: ``(n,)``, predicted median of a non-member's value.
        spread: ``(n,)``, predicted median absolute deviation of a non-member's value, > 0.
        chosen: Regression of each fold, a key of `MEDIANS`, in ascending order of the folds.
    """

    values: Floats
    location: Floats
    spread: Floats
    chosen: tuple[str, ...]


def conditional_scores(
    scores: ArrayLike, conditions: ArrayLike, is_member: ArrayLike, folds: ArrayLike, seed: int = 0
) -> Floats:
    """Standardise each score by the distribution predicted for non-members under the same conditions.

    Args:
        scores: ``(n,)``; infinite scores remain infinite.
        conditions: ``(n, d)``; infinite values count as the largest or smallest finite one.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `privaudit.evaluation.assign_folds`.
        seed: Seed of the trees.

    Returns:
        ``(n,)``, (value - location) / spread from `conditional_distribution`, increasing in the score of the image.
    """
    predicted = conditional_distribution(scores, conditions, is_member, folds, seed)
    return (predicted.values - predicted.location) / predicted.spread


def conditional_distribution(
    scores: ArrayLike, conditions: ArrayLike, is_member: ArrayLike, folds: ArrayLike, seed: int = 0
) -> ConditionalDistribution:
    """Predict median and spread of a non-member's score at every image's conditions.

    Only non-members are fitted, so that the labels of all other images may be unknown.

    For fold k, the other folds j have residuals from medians fitted without j and k. The regression with the smallest
    mean absolute residual gives the location, and the spread is fitted to its residuals, which are as large as those
    of new images. With only two folds there are no such residuals: the first regression is taken, and the spread is
    fitted to the residuals of its own fit.

    Args:
        scores: ``(n,)``; infinite scores remain infinite and are not fitted.
        conditions: ``(n, d)``; infinite values count as the largest or smallest finite one.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `privaudit.evaluation.assign_folds`.
        seed: Seed of the trees, which subsample images to place their bins if there are very many.

    Returns:
        The predictions; they do not depend on the order of the images.

    Raises:
        DataError: Shapes differ, there are no conditions, or a fold holds all non-members with a finite score.
        NonFiniteError: A score or a condition is NaN.
    """
    table, member, labels = checked_table(conditions, is_member, folds)
    raw, _ = checked(scores, member)
    order = canonical_order(labels, member, raw, table)
    table, labels, raw = table[order], labels[order], raw[order]
    known = ~member[order] & np.isfinite(raw)
    inner = _inner_residuals(table, raw, labels, known, seed)
    values, location, spread = np.empty(raw.size), np.empty(raw.size), np.empty(raw.size)
    chosen = []
    for held_out, others in splits(labels, member[order]):
        fold, train = labels[held_out][0], others & known
        if not train.any():
            raise DataError(
                f"expected non-members with a finite score outside each fold, but fold {fold} holds all of them; "
                "use assign_folds, or add images"
            )
        scale = normal_scores(raw, raw[train])
        residuals = {kind: by_fold[fold] for kind, by_fold in inner.items()}
        # Without residuals all sums are 0 and the first kind is taken.
        kind = min(residuals, key=lambda name: np.nansum(np.abs(residuals[name][train])))
        predicted = MEDIANS[kind](table[train], scale[train], table, seed)
        residual = residuals[kind][train]
        residual = np.where(np.isnan(residual), (scale - predicted)[train], residual)
        values[held_out], location[held_out] = scale[held_out], predicted[held_out]
        spread[held_out] = _spread(table[train], np.abs(residual), table[held_out], seed)
        chosen.append(kind)
    back = np.argsort(order)  # inverse permutation
    return ConditionalDistribution(values[back], location[back], spread[back], tuple(chosen))


def normal_scores(values: ArrayLike, reference: ArrayLike) -> Floats:
    """Map scores to standard normal quantiles by their rank in a reference.

    The k-th smallest of n reference scores maps to the normal quantile at (k - 1/2) / n, tied scores to that of their
    midrank. The map is linear between reference scores and is extrapolated linearly, so that distinct scores remain
    distinct. The result is the same for a score, its logarithm or any other monotone transform, up to interpolation.

    Args:
        values: Values of any shape.
        reference: ``(m,)``, m >= 1, finite.

    Returns:
        Shaped like ``values``, increasing in them; infinite where they are.
    """
    from scipy.special import ndtri  # slow to import

    raw = np.asarray(values, dtype=np.float64)
    knots, counts = np.unique(np.asarray(reference, dtype=np.float64), return_counts=True)
    if knots.size == 1:
        return np.asarray(raw - knots[0])  # no slope to extrapolate by: unit slope
    quantiles = ndtri((np.cumsum(counts) - counts / 2) / counts.sum())
    tail = min(knots.size - 1, max(1, int(TAIL * knots.size)))
    slope_below = (quantiles[tail] - quantiles[0]) / (knots[tail] - knots[0])
    slope_above = (quantiles[-1] - quantiles[-1 - tail]) / (knots[-1] - knots[-1 - tail])
    inside = np.interp(raw, knots, quantiles)
    beyond = slope_below * np.minimum(raw - knots[0], 0) + slope_above * np.maximum(raw - knots[-1], 0)
    return np.asarray(inside + beyond)


def _inner_residuals(
    table: Floats, raw: Floats, labels: NDArray[np.int64], known: NDArray[np.bool_], seed: int
) -> dict[str, dict[int, Floats]]:
    """Residuals of medians fitted without the fold and the fold of the image, ``(n,)`` by kind and fold; else NaN."""
    residuals = {kind: {fold: np.full(raw.size, np.nan) for fold in np.unique(labels)} for kind in MEDIANS}
    for first, second, neither in pairs(labels):
        train, both = neither & known, ~neither & known
        if not (train.any() and both.any()):
            continue
        scale = normal_scores(raw, raw[train])
        # A model without folds j and k serves both: its residuals in j count for k, and those in k for j.
        for kind, median in MEDIANS.items():
            residual = np.full(raw.size, np.nan)
            residual[both] = scale[both] - median(table[train], scale[train], table[both], seed)
            residuals[kind][labels[first][0]][second] = residual[second]
            residuals[kind][labels[second][0]][first] = residual[first]
    return residuals


def _spread(train: Floats, errors: Floats, test: Floats, seed: int) -> Floats:
    """Conditional median of absolute residuals, fitted to their logarithms: medians commute with monotone maps."""
    median_error = float(np.median(errors))
    if median_error == 0:
        return np.ones(len(test))
    # A spread is harder to estimate than a median: fewer and smaller steps against overfitting.
    return np.exp(_boosted(train, np.log(errors + FLOOR * median_error), test, 40, 0.05, seed))


def _linear(train: Floats, values: Floats, test: Floats, seed: int) -> Floats:
    from sklearn.linear_model import QuantileRegressor  # slow to import

    train, test = standardised(train, test)
    return np.asarray(QuantileRegressor(quantile=0.5, alpha=0.01, solver="highs").fit(train, values).predict(test))


def _trees(train: Floats, values: Floats, test: Floats, seed: int) -> Floats:
    return _boosted(train, values, test, 100, 0.1, seed)


def _boosted(train: Floats, values: Floats, test: Floats, steps: int, rate: float, seed: int) -> Floats:
    from sklearn.ensemble import HistGradientBoostingRegressor

    train, test = standardised(train, test)
    trees = HistGradientBoostingRegressor(
        loss="quantile",
        quantile=0.5,
        max_iter=steps,
        learning_rate=rate,
        max_depth=3,
        max_bins=63,
        early_stopping=False,
        random_state=seed,
    )
    return np.asarray(trees.fit(train, values).predict(test))


MEDIANS: Mapping[str, Callable[[Floats, Floats, Floats, int], Floats]] = {"trees": _trees, "linear": _linear}
"""Functions of (train, values, test, seed) that fit the conditional median of ``values`` given ``train`` and predict it
at ``test``: boosted trees, or a linear model with an L1 penalty."""
