"""A table of features becomes one out-of-fold score per image."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError, NonFiniteError
from privaudit.evaluation.crossfit import splits

LEAF = 20
"""Images a leaf of a tree has at least; fewer where there are few, since trees of one leaf tell nothing apart."""


def blind_scores(features: ArrayLike, is_member: ArrayLike, folds: ArrayLike, seed: int = 0) -> NDArray[np.float64]:
    """Score each image by gradient-boosted trees trained on the other folds.

    Trees find thresholds, interactions and changes of spread as well as shifts of the mean, which a linear
    classifier would see alone. Each fold's log odds are centred on their median, which uses none of its labels,
    so that different folds can be ranked together.

    Out-of-fold scores share training images, which widens the spread of their AUROC under the null beyond
    what a bootstrap of the scores sees; `privaudit.evaluation.metrics.inflated_alpha` allows for it.

    Args:
        features: ``(n, d)``, finite.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `assign_folds`.
        seed: Seed of the trees.

    Returns:
        ``(n,)``, higher = more like a member.

    Raises:
        DataError: Shapes differ, or a fold holds all members or all non-members.
        NonFiniteError: A feature is NaN or infinite.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import

    table = np.asarray(features, dtype=np.float64)
    member = np.asarray(is_member, dtype=np.bool_)
    labels = np.asarray(folds)
    if table.ndim != 2 or not len(table) == member.size == labels.size:
        raise DataError(
            f"expected a row of features an image, got {table.shape} for {member.size} labels and "
            f"{labels.size} folds; pass the same images to all three"
        )
    if not np.isfinite(table).all():
        bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
        raise NonFiniteError(
            f"expected finite features, got NaN or infinity in {bad.size} images, the first at position "
            f"{bad[0]}; leave these images out"
        )
    scores, leaf = np.zeros(member.size), min(LEAF, max(2, member.size // 8))
    for own, others in splits(labels, member):
        trees = HistGradientBoostingClassifier(
            max_iter=60, max_depth=3, max_bins=63, min_samples_leaf=leaf, early_stopping=False, random_state=seed
        )
        odds = np.asarray(trees.fit(table[others], member[others]).decision_function(table[own]))
        scores[own] = odds - np.median(odds)
    return scores
