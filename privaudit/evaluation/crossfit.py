"""Folds over images, and a noise level chosen for each fold on the other folds.

The best of 20 levels picked on 416 images turns a TPR at 1 % FPR of 5.8 % into 8.8 %, and 1.2 % into 2.2 %
under the null. With cross-fitting nothing that scores an image was chosen with the help of its own fold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.evaluation.roc import auroc


@dataclass(frozen=True)
class CrossFitted:
    """One score an image, at a level that its own fold had no part in choosing.

    Attributes:
        scores: ``(n,)``; as given if all folds chose one level, otherwise standardised on the other folds.
        chosen: The level of each fold, in ascending order of the folds.
        index: ``(n,)``, column that each image's score came from.
        search_space: All levels that were compared.
    """

    scores: NDArray[np.float64]
    chosen: tuple[float, ...]
    index: NDArray[np.int64]
    search_space: tuple[float, ...]


def assign_folds(
    ids: Sequence[str],
    is_member: ArrayLike,
    groups: Sequence[str | None] | None = None,
    folds: int = 5,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Deal images into folds with the same share of members and of non-members in each.

    Units are groups, or single images without a group. The largest come first, equals by a hash of
    (seed, group or id); each goes to the fold that has least of what the unit holds: for a unit with a_c images
    of set c, the fold with the smallest sum over c of a_c * (images of c in the fold) / (images of c)^2. Without
    groups this deals each set round robin. (scikit-learn's ``StratifiedGroupKFold`` places the most
    one-sided units first, and can leave all members in one fold where a better deal exists.)

    Args:
        ids: Of the images.
        is_member: ``(n,)``.
        groups: Images of one group stay in one fold; None for an image of its own.
        folds: How many; fewer are made if a set has fewer units, at least 2.
        seed: Of the hash.

    Returns:
        ``(n,)``, 0, 1, ...; it depends on seed, ids, groups and sets, never on the order of the images.

    Raises:
        ConfigError: Fewer than 2 folds are asked for.
        DataError: Lengths differ, or members or non-members cannot be spread over 2 folds.
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
    for name, part in (("members", member), ("non-members", ~member)):
        if np.unique(assigned[part]).size < 2:
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


def cross_fit(scores: ArrayLike, levels: Sequence[float], is_member: ArrayLike, folds: ArrayLike | None) -> CrossFitted:
    """Score each fold at the level with the largest AUROC on the other folds.

    Args:
        scores: ``(n, levels)``, higher = member.
        levels: What the columns are; the first of equally good ones is chosen.
        is_member: ``(n,)``.
        folds: ``(n,)``; not needed (may be None) for a single level.

    Returns:
        The scores and what was chosen.

    Raises:
        DataError: Shapes differ, there is no level or only one fold, or all members or all non-members are in
            one fold.
    """
    table = _table(scores)
    member = np.asarray(is_member, dtype=np.bool_)
    space = tuple(float(level) for level in levels)
    if table.shape != (member.size, len(space)) or not space:
        raise DataError(
            f"expected scores of shape (images, levels) = ({member.size}, {len(space)}) with at least "
            f"one level, got {table.shape}; pass a column a level"
        )
    labels = np.zeros(member.size, dtype=np.int64) if folds is None else np.asarray(folds)
    index = np.zeros(member.size, dtype=np.int64)
    if len(space) == 1:
        return CrossFitted(table[:, 0], space * max(1, np.unique(labels).size), index, space)
    chosen = []
    for own, others in splits(labels, member):
        best = int(np.argmax([auroc(column, member[others]) for column in table[others].T]))
        index[own] = best
        chosen.append(space[best])
    return CrossFitted(_read(table, index, member, labels), tuple(chosen), index, space)


def apply_choice(
    scores: ArrayLike, choice: CrossFitted, is_member: ArrayLike, folds: ArrayLike | None
) -> NDArray[np.float64]:
    """Read another table of scores (another mask) at the levels already chosen.

    Args:
        scores: ``(n, levels)``, the same images and levels as the choice was made on.
        choice: From `cross_fit`.
        is_member: ``(n,)``.
        folds: The folds of the choice.

    Returns:
        ``(n,)``, standardised like the scores of the choice, by this table's own moments.

    Raises:
        DataError: The table has another shape than the choice.
    """
    table = _table(scores)
    if table.shape != (choice.index.size, len(choice.search_space)):
        raise DataError(
            f"expected scores of shape ({choice.index.size}, {len(choice.search_space)}) as in the "
            f"choice, got {table.shape}; pass the same images and levels"
        )
    labels = np.zeros(choice.index.size, dtype=np.int64) if folds is None else np.asarray(folds)
    return _read(table, choice.index, np.asarray(is_member, dtype=np.bool_), labels)


def _read(
    table: NDArray[np.float64], index: NDArray[np.int64], member: NDArray[np.bool_], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Scores at the chosen columns; where they differ, in units of the other folds' non-members."""
    raw = np.take_along_axis(table, index[:, None], axis=1)[:, 0]
    if np.unique(index).size <= 1:
        return raw
    result = np.empty_like(raw)
    for fold in np.unique(folds):
        own = folds == fold
        reference = table[~own & ~member, index[own][0]]
        finite = reference[np.isfinite(reference)]  # infinite scores keep their rank, they have no moments
        centre, spread = (finite.mean(), finite.std()) if finite.size else (0.0, 0.0)
        result[own] = (raw[own] - centre) / (spread if spread > 0 else 1.0)
    return result


def _table(scores: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(scores, dtype=np.float64)
    if np.isnan(table).any():
        raise NonFiniteError(
            f"expected scores that are numbers, got {int(np.isnan(table).sum())} NaN; leave these "
            "images out or mend their scores"
        )
    return table


def _hash(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()
