"""Cross-fitting: assignment of images to folds, and the images that may be used to choose or fit anything for a fold.

The best of 20 levels, selected on the same images that it is reported on, scores too high even if nothing leaks
(``benchmarks/selection_bias.py``). With cross-fitting, no image is scored by anything that was chosen or fitted with
the help of its own fold. On the splits of this module, `privaudit.evaluation.selection` chooses candidates, `learned`
and `conditional` fit models, and `epsilon_bound` fixes thresholds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError, DataError


def assign_folds(
    ids: Sequence[str],
    is_member: ArrayLike,
    groups: Sequence[str | None] | None = None,
    folds: int = 5,
    seed: int = 0,
    *,
    needed: bool = True,
    first: str = "members",
) -> NDArray[np.int64]:
    """Assign images to folds with similar fractions of the members and of the non-members in each.

    Units are groups, or single images without a group. They are assigned greedily, the largest first and equally large
    ones in the order of a hash of (seed, group or id). A unit with a_c images of set c is assigned to the fold with the
    smallest sum over c of a_c * (images of c in the fold) / (images of c)^2. Without groups, each set is assigned round
    robin. (scikit-learn's ``StratifiedGroupKFold`` places the most one-sided units first, and can leave all members in
    one fold although a better assignment exists.)

    Args:
        ids: Ids of the images.
        is_member: ``(n,)``.
        groups: Group of each image, None for an image without one; images of one group stay in one fold.
        folds: Number of folds; fewer, but at least 2, are made if a set has fewer units.
        seed: Seed of the hash.
        needed: Whether anything will be chosen or fitted. If not, sets that cannot be split over 2 folds are no error:
            all images are assigned to fold 0, and metrics that need held-out images are not measured.
        first: Name of the members in messages.

    Returns:
        ``(n,)``, folds numbered from 0; independent of the order of the images.

    Raises:
        ConfigError: ``folds`` is less than 2.
        DataError: Lengths differ, or folds are needed and members or non-members cannot be split over 2.
    """
    member = np.asarray(is_member, dtype=np.bool_)
    names: Sequence[str | None] = [None] * len(ids) if groups is None else groups
    if folds < 2:
        raise ConfigError([f"expected at least 2 folds, got {folds}; 5 is usual"])
    if not len(ids) == len(names) == member.size:
        raise DataError(
            f"expected one id, label and group per image, got {len(ids)} ids, {member.size} labels and "
            f"{len(names)} groups; pass sequences of the same length"
        )
    keys = [f"image {i}" if name is None else f"group {name}" for i, name in zip(ids, names, strict=True)]
    unit_of = {key: unit_index for unit_index, key in enumerate(dict.fromkeys(keys))}
    unit = np.array([unit_of[key] for key in keys], dtype=np.int64)
    unit_counts = np.stack([np.bincount(unit[part], minlength=len(unit_of)) for part in (member, ~member)], axis=1)
    fold_count = int(max(2, min(folds, *(unit_counts > 0).sum(axis=0))))
    load = np.zeros((fold_count, 2))  # fraction of the members and of the non-members in each fold
    unit_fractions = unit_counts / np.maximum(unit_counts.sum(axis=0), 1)
    fold_of = np.empty(len(unit_of), dtype=np.int64)
    # Largest first, so that the small units even out what the large ones leave unbalanced.
    for key in sorted(unit_of, key=lambda k: (-unit_counts[unit_of[k]].sum(), _hash(seed, k))):
        unit_index = unit_of[key]
        # Rounding makes folds of equal load compare equal in any order of accumulation.
        fold_of[unit_index] = int(np.argmin(np.round(load @ unit_fractions[unit_index], 12)))
        load[fold_of[unit_index]] += unit_fractions[unit_index]
    assigned = fold_of[unit]
    for name, part in ((first, member), ("non-members", ~member)):
        if np.unique(assigned[part]).size < 2:
            if not needed:
                return np.zeros_like(assigned)
            raise DataError(
                f"expected at least 2 {name} that are not of one group, so that no fold holds all of "
                f"them, got {int(part.sum())} in {np.unique(unit[part]).size} groups; add images"
            )
    return assigned


def splits(folds: ArrayLike, is_member: ArrayLike) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Iterate over the folds, each with the images that may be used to choose or fit anything for it.

    Args:
        folds: ``(n,)``, from `assign_folds`.
        is_member: ``(n,)``.

    Yields:
        Mask of the images in the fold and mask of all others, ``(n,)`` each, in ascending order of the folds.

    Raises:
        DataError: Lengths differ, there is only one fold, or a fold holds all members or all non-members.
    """
    labels, member = np.asarray(folds), np.asarray(is_member, dtype=np.bool_)
    if labels.shape != member.shape or labels.ndim != 1:
        raise DataError(
            f"expected one fold and label per image, got {labels.shape} folds and {member.shape} labels; "
            "pass the same images to both"
        )
    for fold in np.unique(labels):
        held_out = labels == fold
        if np.unique(member[~held_out]).size < 2:
            raise DataError(
                f"expected members and non-members outside each fold, but fold {fold} holds all of one set; use "
                "assign_folds, or add images"
            )
        yield held_out, ~held_out


def pairs(
    folds: ArrayLike,
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]]:
    """Iterate over all pairs of folds, for nested cross-fitting: a choice among models that are themselves fitted.

    A model fitted without folds j and k scores fold j. These scores may be used to choose for fold k, since they do not
    depend on any image of k.

    Args:
        folds: ``(n,)``, from `assign_folds`.

    Yields:
        Masks of the images in the first fold, in the second fold and in neither, ``(n,)`` each.
    """
    labels = np.asarray(folds)
    for j, k in combinations(np.unique(labels), 2):
        first, second = labels == j, labels == k
        yield first, second, ~(first | second)


def _hash(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()
