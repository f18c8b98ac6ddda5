"""Folds over images, and what may be looked at for each: the one way in which anything is chosen, fitted or fixed.

The best of 20 levels picked on the images that it is reported on scores too high, even if there is nothing to find
(``benchmarks/selection_bias.py``). With cross-fitting nothing that scores per image was chosen or fitted with the help
of its own fold. `privaudit.evaluation.selection` chooses, `learned` and `conditional` fit, `epsilon` fixes thresholds.
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
    """Deal images into folds with the same share of members and of non-members in each.

    Units are groups, or single images without a group. The largest come first, equals by a hash of
    (seed, group or id); each goes to the fold that has least of what the unit holds: for a unit with a_c images
    of set c, the fold with the smallest sum over c of a_c * (images of c in the fold) / (images of c)^2. Without
    groups this deals each set round robin. (scikit-learn's ``StratifiedGroupKFold`` places the most
    one-sided units first, and can leave all members in one fold where a better deal exists.)

    Args:
        ids: Ids of the images.
        is_member: ``(n,)``.
        groups: Images of one group stay in one fold; None for an image of its own.
        folds: How many; fewer are made if a set has fewer units, at least 2.
        seed: Seed of the hash.
        needed: Whether anything will be chosen or fitted. If not, sets that cannot be spread over 2 folds are no error:
            all images come into one, and what would need another is not measured.
        first: What the members are called.

    Returns:
        ``(n,)``, 0, 1, ...; it depends on seed, ids, groups and sets, never on the order of the images.

    Raises:
        ConfigError: Fewer than 2 folds are asked for.
        DataError: Lengths differ, or folds are needed and members or non-members cannot be spread over 2.
    """
    member = np.asarray(is_member, dtype=np.bool_)
    names: Sequence[str | None] = [None] * len(ids) if groups is None else groups
    if folds < 2:
        raise ConfigError([f"expected at least 2 folds, got {folds}; 5 is usual"])
    if not len(ids) == len(names) == member.size:
        raise DataError(
            f"expected one id, label and group an image, got {len(ids)} ids, {member.size} labels and "
            f"{len(names)} groups; pass sequences of the same length"
        )
    keys = [f"image {i}" if name is None else f"group {name}" for i, name in zip(ids, names, strict=True)]
    unit_of = {key: position for position, key in enumerate(dict.fromkeys(keys))}
    unit = np.array([unit_of[key] for key in keys], dtype=np.int64)
    held = np.stack([np.bincount(unit[part], minlength=len(unit_of)) for part in (member, ~member)], axis=1)
    used = int(max(2, min(folds, *(held > 0).sum(axis=0))))
    load = np.zeros((used, 2))
    share = held / np.maximum(held.sum(axis=0), 1)
    fold_of = np.empty(len(unit_of), dtype=np.int64)
    for key in sorted(unit_of, key=lambda k: (-held[unit_of[k]].sum(), _hash(seed, k))):
        position = unit_of[key]
        # Rounding makes folds of equal load compare equal in any order of accumulation.
        fold_of[position] = int(np.argmin(np.round(load @ share[position], 12)))
        load[fold_of[position]] += share[position]
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
    """Each fold with what may be looked at to choose, fit or fix anything about it: the one way to cross-fit.

    Args:
        folds: ``(n,)``, from `assign_folds`.
        is_member: ``(n,)``.

    Yields:
        Which images are in the fold and which are not, both ``(n,)``, in ascending order of the folds.

    Raises:
        DataError: Lengths differ, there is only one fold, or a fold holds all members or all non-members.
    """
    labels, member = np.asarray(folds), np.asarray(is_member, dtype=np.bool_)
    if labels.shape != member.shape or labels.ndim != 1:
        raise DataError(
            f"expected one fold and label an image, got {labels.shape} folds and {member.shape} labels; "
            "pass the same images to both"
        )
    for fold in np.unique(labels):
        own = labels == fold
        if np.unique(member[~own]).size < 2:
            raise DataError(
                f"expected members and non-members outside each fold, but fold {fold} holds all of one set; use "
                "assign_folds, or add images"
            )
        yield own, ~own


def pairs(
    folds: ArrayLike,
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]]:
    """Each two folds with what may be looked at for both, for a choice among models that are fitted themselves.

    A model that is fitted without folds j and k scores j; these scores may decide about k, since neither the model nor
    they have seen k.

    Args:
        folds: ``(n,)``, from `assign_folds`.

    Yields:
        Which images are in the one, in the other and in neither, each ``(n,)``.
    """
    labels = np.asarray(folds)
    for one, other in combinations(np.unique(labels), 2):
        first, second = labels == one, labels == other
        yield first, second, ~(first | second)


def _hash(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()
