"""Families of features of the blind baseline, each with an out-of-fold score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.evaluation.blind.caption_features import caption_scores
from privaudit.evaluation.blind.trees import blind_scores

FAMILIES = ("pixels", "compression", "files", "captions")
"""Families: pixel, colour and frequency statistics; traces of compression and editing; file properties; captions."""


def family_scores(
    tables: Mapping[str, ArrayLike],
    captions: Sequence[str | None],
    is_member: ArrayLike,
    folds: ArrayLike,
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Score each image by every family whose features are not constant.

    Args:
        tables: Features by family other than captions, ``(n, d)`` each, finite.
        captions: Caption of each image; None for an image without one.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `assign_folds`.
        seed: Seed of the trees.

    Returns:
        Scores by family, ``(n,)`` each, higher = more likely a member. A family whose features or captions are equal
        for all images is left out.

    Raises:
        DataError: Shapes differ, or a fold holds all members or all non-members.
        NonFiniteError: A feature is NaN or infinite.
    """
    scores = {}
    for name, features in tables.items():
        table = np.asarray(features, dtype=np.float64)
        if table.size and (table != table[0]).any():
            scores[name] = blind_scores(table, is_member, folds, seed)
    if len(set(captions)) > 1:
        scores["captions"] = caption_scores(captions, is_member, folds)
    return scores
