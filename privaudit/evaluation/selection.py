"""One of several candidates taken for each fold on the others, and a record of what was compared and taken.

A candidate is a column of scores: of a noise level, an order of the norm, a fraction of dimensions to drop, an attack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError, NonFiniteError
from privaudit.evaluation.crossfit import splits
from privaudit.evaluation.roc import auroc

Label = str | float
"""What a candidate is called: the value itself where it is a number."""


Criterion = Literal[
    "auroc", "auroc_no_mask", "auroc_influence_mask", "inner_auroc", "inner_auroc_influence_mask", "residual"
]
"""What is best for the candidate that is chosen: the AUROC on the other folds, of the same score, without a mask or
under the influence mask; the same on inner folds, within the other folds; or the smallest absolute residual there."""


@dataclass(frozen=True)
class Candidate:
    """A score that suspects or canaries may be judged by.

    Attributes:
        attack: Name of the attack; None for the mean of all other candidates.
        at: What it is taken at, such as a noise level; None if there is nothing to choose.
        mask: Mask of the attack; None for the mean.
    """

    attack: str | None
    at: Label | None = None
    mask: str | None = None


MEAN = Candidate(None)
"""The mean of all other candidates, each as normal scores."""


@dataclass(frozen=True)
class Choice:
    """What was chosen for each fold, among what, by what. Nothing of the kind is listed if it was fixed beforehand.

    Attributes:
        what: Such as ``level``, ``drop`` or ``penalty``.
        search_space: All candidates.
        by_fold: The one that was taken, in ascending order of the folds.
        criterion: What was largest (of residuals: smallest) for it.
        learner: Kind of classifier that a penalty was chosen for; None for every other choice.
        mask: Mask of the features that a penalty was chosen for, where every mask has a classifier of its own.
    """

    what: str
    search_space: tuple[Label, ...]
    by_fold: tuple[Label, ...]
    criterion: Criterion
    learner: str | None = None
    mask: str | None = None


@dataclass(frozen=True)
class CrossFitted:
    """One score per image, from a candidate that its own fold had no part in choosing.

    Attributes:
        scores: ``(n,)``; as given if all folds chose one candidate, otherwise standardised on the other folds.
        chosen: The candidate of each fold, in ascending order of the folds.
        positions: Column of each of them.
        index: ``(n,)``, column that each image's score came from.
        search_space: All candidates that were compared.
    """

    scores: NDArray[np.float64]
    chosen: tuple[Label, ...]
    positions: tuple[int, ...]
    index: NDArray[np.int64]
    search_space: tuple[Label, ...]


def fold_auroc(scores: ArrayLike, is_member: ArrayLike, folds: ArrayLike) -> NDArray[np.float64]:
    """AUROC of each candidate on the other folds.

    Args:
        scores: ``(n, candidates)``, higher = member.
        is_member: ``(n,)``.
        folds: ``(n,)``.

    Returns:
        ``(folds, candidates)``, in ascending order of the folds.
    """
    table, member = _table(scores), np.asarray(is_member, dtype=np.bool_)
    return np.array([
        [auroc(column, member[others]) for column in table[others].T] for _, others in splits(folds, member)
    ])


def cross_fit(
    scores: ArrayLike,
    labels: Sequence[Label],
    is_member: ArrayLike,
    folds: ArrayLike | None,
    merit: ArrayLike | None = None,
) -> CrossFitted:
    """Score each fold by the candidate that is best on the other folds.

    Args:
        scores: ``(n, candidates)``, higher = member.
        labels: What the columns are; the first of equally good ones is chosen.
        is_member: ``(n,)``.
        folds: ``(n,)``; not needed (may be None) for a single candidate.
        merit: ``(folds, candidates)``, what is largest for the best one, if not `fold_auroc`; minus infinity for one
            that a fold may not take. It must not depend on the fold's own images.

    Returns:
        The scores and what was chosen.

    Raises:
        DataError: Shapes differ, there is no candidate or only one fold, or all members or all non-members are in
            one fold.
    """
    table = _table(scores)
    member = np.asarray(is_member, dtype=np.bool_)
    space = tuple(labels)
    if table.shape != (member.size, len(space)) or not space:
        raise DataError(
            f"expected scores of shape (images, candidates) = ({member.size}, {len(space)}) with at least "
            f"one candidate, got {table.shape}; pass a column a candidate"
        )
    of_image = np.zeros(member.size, dtype=np.int64) if folds is None else np.asarray(folds)
    count = max(1, np.unique(of_image).size)
    if len(space) == 1:
        return CrossFitted(table[:, 0], space * count, (0,) * count, np.zeros(member.size, dtype=np.int64), space)
    good = fold_auroc(table, member, of_image) if merit is None else np.asarray(merit, dtype=np.float64)
    if good.shape != (count, len(space)):
        raise DataError(
            f"expected a merit for each of {count} folds and {len(space)} candidates, got {good.shape}; see fold_auroc"
        )
    positions, index = np.argmax(good, axis=1), np.zeros(member.size, dtype=np.int64)
    for best, (own, _) in zip(positions, splits(of_image, member), strict=True):
        index[own] = best
    read, chosen = _read(table, index, member, of_image), tuple(space[best] for best in positions)
    return CrossFitted(read, chosen, tuple(positions.tolist()), index, space)


def apply_choice(
    scores: ArrayLike, choice: CrossFitted, is_member: ArrayLike, folds: ArrayLike | None
) -> NDArray[np.float64]:
    """Read another table of scores (another mask) at the candidates already chosen.

    Args:
        scores: ``(n, candidates)``, the same images and candidates as the choice was made on.
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
            f"choice, got {table.shape}; pass the same images and candidates"
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
    for own, others in splits(folds, member):
        reference = table[others & ~member, index[own][0]]
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
