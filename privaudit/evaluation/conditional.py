"""A threshold for each image, from what non-members like it score.

Quantile-regression membership inference (Bertran et al. 2023, arXiv:2307.03694): an image is called a member if its
score exceeds a quantile of the scores of non-members that is predicted for this image alone. Ours is predicted from
the decoder's geometry and image statistics, since some images are hard for any denoiser (Rao, Qu, Moyer 2026,
arXiv:2511.20592: separability depends on local distortion).

Differs from the paper: instead of one quantile, its whole family is taken as

    q_tau(c) = location(c) + spread(c) z_tau,

with the conditional median as location and the conditional median absolute deviation as spread. The score
(s - location(c)) / spread(c) then exceeds z_tau where s exceeds q_tau(c): one score serves all false-positive rates,
and has no ties where a grid of quantiles would end.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError
from privaudit.evaluation.roc import checked
from privaudit.evaluation.table import canonical_order, checked_table, standardised

LOCATIONS = ("linear", "trees", "linear + trees")
"""Of the conditional median: linear, boosted trees, or boosted trees on what the linear one leaves."""
FLOOR = 1e-2
"""Of the absolute deviations, in units of their median: a chance hit of the median is no evidence of a small spread."""


@dataclass(frozen=True)
class ConditionalScores:
    """Scores in units of what non-members like the image score.

    Attributes:
        scores: ``(n,)``, (s - location) / spread, higher = member.
        location: ``(n,)``, predicted median of non-members.
        spread: ``(n,)``, predicted median absolute deviation, > 0.
        chosen: One of `LOCATIONS` for each fold, in ascending order of the folds.
    """

    scores: NDArray[np.float64]
    location: NDArray[np.float64]
    spread: NDArray[np.float64]
    chosen: tuple[str, ...]


def conditional_scores(
    scores: ArrayLike, conditions: ArrayLike, is_member: ArrayLike, folds: ArrayLike, seed: int = 0
) -> ConditionalScores:
    """Compare every score with those of non-members of the other folds, at like conditions.

    No member is used: it also serves an auditor who knows non-members alone and labels everything else a member.
    For fold k and the other folds j, medians predicted without j and k leave residuals in j; the kind of location
    with the smallest mean absolute residual is taken, and the spread is fitted to these residuals, which are as large
    as those of an image never seen.

    Args:
        scores: ``(n,)``, best on a scale on which their spread is much the same everywhere, see `log_scores`;
            infinite ones keep their rank.
        conditions: ``(n, d)``; infinite values count as the largest or smallest finite one.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `privaudit.evaluation.assign_folds`.
        seed: Of the trees; it matters only if scikit-learn draws a sample of the rows to place bins.

    Returns:
        The scores, and what they were compared with; increasing in an image's own score, and independent of the
        order of the images.

    Raises:
        DataError: Shapes differ, there are no conditions, fewer than 3 folds, or two folds hold all of one set, or
            all non-members with a finite score.
        NonFiniteError: A score or a condition is NaN.
    """
    table, member, labels = checked_table(conditions, is_member, folds)
    values, _ = checked(scores, member)
    order = canonical_order(labels, member, values, table)
    table, member, labels, values = table[order], member[order], labels[order], values[order]
    known = ~member & np.isfinite(values)
    location, spread = np.empty(values.size), np.empty(values.size)
    names = np.unique(labels)
    residuals = _inner_residuals(table, values, labels, known, seed)
    chosen = []
    for k, fold in enumerate(names):
        own, train = labels == fold, ~(labels == fold) & known
        errors = np.abs(residuals[k][:, train])
        best = int(np.argmin(errors.mean(axis=1)))
        location[own] = _location(LOCATIONS[best], table[train], values[train], table[own], seed)
        spread[own] = _spread(table[train], errors[best], table[own], seed)
        chosen.append(LOCATIONS[best])
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    result = (values - location) / spread
    return ConditionalScores(result[back], location[back], spread[back], tuple(chosen))


def log_scores(scores: ArrayLike) -> NDArray[np.float64]:
    """Turn the score of an error e, s = -e, into -log e.

    It ranks images as before. Errors of hard and easy images differ by factors, so that their logarithms are what
    adding, averaging and a spread make sense for.

    Args:
        scores: Of any shape, <= 0.

    Returns:
        The same shape; infinite for an error of 0.

    Raises:
        DataError: A score is positive or NaN.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not (values <= 0).all():
        raise DataError(
            f"expected scores <= 0, an error with its sign flipped, got {int((~(values <= 0)).sum())} of "
            f"{values.size} that are not; pass scores of an attack whose statistic is an error"
        )
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(-values))


def _inner_residuals(
    table: NDArray[np.float64],
    values: NDArray[np.float64],
    labels: NDArray[np.int64],
    known: NDArray[np.bool_],
    seed: int,
) -> NDArray[np.float64]:
    """``(folds, locations, n)``: [k] holds residuals outside fold k, from medians fitted without k and their own fold."""
    names = np.unique(labels)
    residuals = np.zeros((names.size, len(LOCATIONS), values.size))
    for (j, first), (k, second) in combinations(enumerate(names), 2):
        train = (labels != first) & (labels != second) & known
        if not train.any():
            raise DataError(
                f"expected non-members with a finite score outside any two folds, but folds {first} and {second} "
                "hold all of them; add images"
            )
        in_first, in_second = (labels == first) & known, (labels == second) & known
        both = in_first | in_second
        for i, kind in enumerate(LOCATIONS):
            found = np.zeros(values.size)
            found[both] = values[both] - _location(kind, table[train], values[train], table[both], seed)
            residuals[k, i, in_first] = found[in_first]
            residuals[j, i, in_second] = found[in_second]
    return residuals


def _location(
    kind: str, seen: NDArray[np.float64], values: NDArray[np.float64], unseen: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Conditional median by one of `LOCATIONS`."""
    if kind == "linear":
        return _linear_median(seen, values, unseen)
    if kind == "trees":
        return _boosted_median(seen, values, unseen, 100, 0.1, seed)
    line = _linear_median(seen, values, np.concatenate([seen, unseen]))
    rest = _boosted_median(seen, values - line[: len(seen)], unseen, 100, 0.1, seed)
    return line[len(seen) :] + rest


def _spread(
    seen: NDArray[np.float64], errors: NDArray[np.float64], unseen: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Conditional median of absolute residuals; the median of logarithms is the logarithm of the median."""
    typical = float(np.median(errors))
    if typical == 0:
        return np.ones(len(unseen))
    # Spreads are harder to learn than medians: fewer and slower steps.
    return np.exp(_boosted_median(seen, np.log(errors + FLOOR * typical), unseen, 40, 0.05, seed))


def _linear_median(
    seen: NDArray[np.float64], values: NDArray[np.float64], unseen: NDArray[np.float64]
) -> NDArray[np.float64]:
    from sklearn.linear_model import QuantileRegressor  # slow to import

    centre, unit = float(np.median(values)), float(values.std()) or 1.0
    inside, outside = standardised(seen, unseen)
    fitted = QuantileRegressor(quantile=0.5, alpha=0.01, solver="highs").fit(inside, (values - centre) / unit)
    return np.asarray(fitted.predict(outside) * unit + centre)


def _boosted_median(
    seen: NDArray[np.float64],
    values: NDArray[np.float64],
    unseen: NDArray[np.float64],
    steps: int,
    rate: float,
    seed: int,
) -> NDArray[np.float64]:
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
