"""Families of blind classifiers, each with an out-of-fold score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.evaluation.blind.caption_features import caption_scores
from privaudit.evaluation.blind.trees import blind_scores

FAMILIES = ("pixels", "compression", "files", "captions")
"""What the classifiers look at: pixel, colour and frequency statistics; traces of compression and editing; properties
of the files; captions."""


def family_scores(
    tables: Mapping[str, ArrayLike],
    captions: Sequence[str | None],
    is_member: ArrayLike,
    folds: ArrayLike,
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Score each image by every family that has something to go by.

    Args:
        tables: ``(n, d)`` for each family but the captions, finite.
        captions: One per image; None where there is none.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `assign_folds`.
        seed: Seed of the trees.

    Returns:
        ``(n,)`` for each family, higher = more like a member. A family that is the same for all images, and captions
        where nobody wrote one, cannot tell them apart and are left out.

    Raises:
        DataError: Shapes differ, or a fold holds all members or all non-members.
        NonFiniteError: A feature is NaN or infinite.
    """
    found = {}
    for name, features in tables.items():
        table = np.asarray(features, dtype=np.float64)
        if table.size and (table != table[0]).any():
            found[name] = blind_scores(table, is_member, folds, seed)
    if len(set(captions)) > 1:
        found["captions"] = caption_scores(captions, is_member, folds)
    return found
