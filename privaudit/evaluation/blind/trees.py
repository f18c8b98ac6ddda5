"""Blind classifier: one out-of-fold score per image from a table of features."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError, NonFiniteError
from privaudit.evaluation.crossfit import splits

MIN_LEAF_SIZE = 20
"""Minimum number of images per leaf; reduced for small sets, where trees would otherwise have a single leaf."""


def blind_scores(features: ArrayLike, is_member: ArrayLike, folds: ArrayLike, seed: int = 0) -> NDArray[np.float64]:
    """Score each image by gradient-boosted trees fitted on the other folds.

    Unlike a linear classifier, which detects shifts of the mean only, trees also detect thresholds, interactions and
    changes of variance. The log odds of each fold are centred on their median, without labels, so that images of
    different folds can be ranked together.

    The models of different folds share training images, which inflates the variance of the AUROC under the null;
    `privaudit.evaluation.metrics.inflated_alpha` allows for it.

    Args:
        features: ``(n, d)``, finite.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `assign_folds`.
        seed: Seed of the trees.

    Returns:
        ``(n,)``, higher = more likely a member.

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
            f"expected one row of features per image, got {table.shape} for {member.size} labels and "
            f"{labels.size} folds; pass the same images to all three"
        )
    if not np.isfinite(table).all():
        invalid = np.flatnonzero(~np.isfinite(table).all(axis=1))
        raise NonFiniteError(
            f"expected finite features, got NaN or infinity in {invalid.size} images, the first at position "
            f"{invalid[0]}; leave these images out"
        )
    scores, leaf = np.zeros(member.size), min(MIN_LEAF_SIZE, max(2, member.size // 8))
    for held_out, others in splits(labels, member):
        trees = HistGradientBoostingClassifier(
            max_iter=60, max_depth=3, max_bins=63, min_samples_leaf=leaf, early_stopping=False, random_state=seed
        )
        log_odds = np.asarray(trees.fit(table[others], member[others]).decision_function(table[held_out]))
        scores[held_out] = log_odds - np.median(log_odds)
    return scores
