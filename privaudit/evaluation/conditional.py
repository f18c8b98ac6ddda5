"""A threshold for each image, from what non-members like it score.

Quantile-regression membership inference (Bertran et al. 2023, arXiv:2307.03694): an image is called a member if its
score exceeds a quantile of the scores of non-members that is predicted for this image alone. Ours is predicted from
the decoder's geometry and image statistics, since some images are hard for any denoiser (Rao, Qu, Moyer 2026,
arXiv:2511.20592: separability depends on local distortion).

Differs from the paper: instead of one quantile, a whole family is predicted,

    q_tau(c) = location(c) + spread(c) z_tau,

with the conditional median as location and the conditional median absolute deviation as spread, both by quantile
regression. (s - location(c)) / spread(c) exceeds z_tau where s exceeds q_tau(c): one score serves all false-positive
rates, and has no ties where a grid of quantiles would end.
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
"""Share of the reference whose slope carries on beyond its largest and smallest score."""
FLOOR = 0.01
"""Added to absolute deviations, in units of their median: one that is 0 by chance is no evidence of a small spread."""


@dataclass(frozen=True)
class ConditionalLaw:
    """Where an image's score lies in the law of non-members like it.

    Attributes:
        values: ``(n,)``, the scores as normal scores (see `normal_scores`) of the other folds' non-members.
        location: ``(n,)``, predicted median of a non-member's value.
        spread: ``(n,)``, predicted median absolute deviation, > 0.
        chosen: One of `MEDIANS` for each fold, in ascending order of the folds.
    """

    values: Floats
    location: Floats
    spread: Floats
    chosen: tuple[str, ...]


def conditional_scores(
    scores: ArrayLike, conditions: ArrayLike, is_member: ArrayLike, folds: ArrayLike, seed: int = 0
) -> Floats:
    """Score every image in units of what non-members of the other folds score at like conditions.

    Args:
        scores: ``(n,)``; infinite ones stay so.
        conditions: ``(n, d)``; infinite values count as the largest or smallest finite one.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `privaudit.evaluation.assign_folds`.
        seed: Seed of the trees.

    Returns:
        ``(n,)``, (value - location) / spread of `conditional_law`: increasing in an image's own score.
    """
    law = conditional_law(scores, conditions, is_member, folds, seed)
    return (law.values - law.location) / law.spread


def conditional_law(
    scores: ArrayLike, conditions: ArrayLike, is_member: ArrayLike, folds: ArrayLike, seed: int = 0
) -> ConditionalLaw:
    """Predict median and spread of a non-member's score at every image's conditions.

    No member is used: it also serves an auditor who knows non-members alone and labels everything else a member.
    For fold k and the other folds j, medians predicted without j and k leave residuals in j. The kind of regression
    with the smallest mean absolute residual is taken for the location, and the spread is fitted to its residuals:
    they are as large as those of an image never seen.

    With two folds there are no such residuals; then the first kind is taken, and the residuals of its own fit.

    Args:
        scores: ``(n,)``; infinite ones stay so, and are not learnt from.
        conditions: ``(n, d)``; infinite values count as the largest or smallest finite one.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `privaudit.evaluation.assign_folds`.
        seed: Seed of the trees, which draw images to place their bins if there are very many.

    Returns:
        The law; it does not depend on the order of the images.

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
    for own, others in splits(labels, member[order]):
        fold, train = labels[own][0], others & known
        if not train.any():
            raise DataError(
                f"expected non-members with a finite score outside each fold, but fold {fold} holds all of them; "
                "use assign_folds, or add images"
            )
        scale = normal_scores(raw, raw[train])
        residuals = {kind: found[fold] for kind, found in inner.items()}
        kind = min(residuals, key=lambda name: np.nansum(np.abs(residuals[name][train])))
        predicted = MEDIANS[kind](table[train], scale[train], table, seed)
        left = residuals[kind][train]
        left = np.where(np.isnan(left), (scale - predicted)[train], left)
        values[own], location[own] = scale[own], predicted[own]
        spread[own] = _spread(table[train], np.abs(left), table[own], seed)
        chosen.append(kind)
    back = np.argsort(order)
    return ConditionalLaw(values[back], location[back], spread[back], tuple(chosen))


def normal_scores(values: ArrayLike, reference: ArrayLike) -> Floats:
    """Turn scores into quantiles of the standard normal law by their rank in a reference.

    The k-th smallest of n becomes the quantile at (k - 1/2) / n, ties the middle of their ranks; between and beyond
    them it goes on in straight lines, so that no two scores become one. A regression then need not know whether a
    score was an energy, its logarithm or a p-value.

    Args:
        values: Values of any shape.
        reference: ``(m,)``, m >= 1, finite.

    Returns:
        The same shape, increasing in ``values``; infinite where they are.
    """
    from scipy.special import ndtri  # slow to import

    found = np.asarray(values, dtype=np.float64)
    knots, counts = np.unique(np.asarray(reference, dtype=np.float64), return_counts=True)
    if knots.size == 1:
        return np.asarray(found - knots[0])
    quantiles = ndtri((np.cumsum(counts) - counts / 2) / counts.sum())
    tail = min(knots.size - 1, max(1, int(TAIL * knots.size)))
    below = (quantiles[tail] - quantiles[0]) / (knots[tail] - knots[0])
    above = (quantiles[-1] - quantiles[-1 - tail]) / (knots[-1] - knots[-1 - tail])
    inside = np.interp(found, knots, quantiles)
    beyond = below * np.minimum(found - knots[0], 0) + above * np.maximum(found - knots[-1], 0)
    return np.asarray(inside + beyond)


def _inner_residuals(
    table: Floats, raw: Floats, labels: NDArray[np.int64], known: NDArray[np.bool_], seed: int
) -> dict[str, dict[int, Floats]]:
    """For each kind and fold, residuals of medians fitted without this fold and the image's own; else NaN."""
    found = {kind: {fold: np.full(raw.size, np.nan) for fold in np.unique(labels)} for kind in MEDIANS}
    for first, second, neither in pairs(labels):
        train, both = neither & known, ~neither & known
        if not (train.any() and both.any()):
            continue
        scale = normal_scores(raw, raw[train])
        for kind, median in MEDIANS.items():
            left = np.full(raw.size, np.nan)
            left[both] = scale[both] - median(table[train], scale[train], table[both], seed)
            found[kind][labels[first][0]][second] = left[second]
            found[kind][labels[second][0]][first] = left[first]
    return found


def _spread(seen: Floats, errors: Floats, unseen: Floats, seed: int) -> Floats:
    """Conditional median of absolute residuals; the median of logarithms is the logarithm of the median."""
    typical = float(np.median(errors))
    if typical == 0:
        return np.ones(len(unseen))
    # A spread is harder to learn than a median: fewer and smaller steps.
    return np.exp(_boosted(seen, np.log(errors + FLOOR * typical), unseen, 40, 0.05, seed))


def _linear(seen: Floats, values: Floats, unseen: Floats, seed: int) -> Floats:
    from sklearn.linear_model import QuantileRegressor  # slow to import

    inside, outside = standardised(seen, unseen)
    return np.asarray(QuantileRegressor(quantile=0.5, alpha=0.01, solver="highs").fit(inside, values).predict(outside))


def _trees(seen: Floats, values: Floats, unseen: Floats, seed: int) -> Floats:
    return _boosted(seen, values, unseen, 100, 0.1, seed)


def _boosted(seen: Floats, values: Floats, unseen: Floats, steps: int, rate: float, seed: int) -> Floats:
    from sklearn.ensemble import HistGradientBoostingRegressor

    inside, outside = standardised(seen, unseen)
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
    return np.asarray(trees.fit(inside, values).predict(outside))


MEDIANS: Mapping[str, Callable[[Floats, Floats, Floats, int], Floats]] = {"trees": _trees, "linear": _linear}
"""Conditional median of ``values`` given ``seen``, at ``unseen``: by boosted trees, or linear with an L1 penalty."""
