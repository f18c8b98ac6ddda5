"""Cross-fitted selection: for each fold, the candidate that is best on the other folds, with a record of the choice.

A candidate is a column of scores: those of one noise level, order of the norm, fraction of dimensions to drop, or
attack.
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
"""Label of a candidate: its value if that is a number, else its name."""


Criterion = Literal[
    "auroc", "auroc_no_mask", "auroc_influence_mask", "inner_auroc", "inner_auroc_influence_mask", "residual"
]
"""Criterion by which a candidate is chosen: the AUROC on the other folds, of the same score, without a mask or under
the influence mask; the AUROC of inner folds within the other folds; or the smallest absolute residual there."""


@dataclass(frozen=True)
class Candidate:
    """A candidate score for suspects or canaries.

    Attributes:
        attack: Name of the attack; None for the mean of all other candidates.
        at: Value of the attack's parameter, such as a noise level; None if it has none.
        mask: Mask of the attack; None for the mean.
    """

    attack: str | None
    at: Label | None = None
    mask: str | None = None


MEAN = Candidate(None)
"""Mean of the normal scores of all other candidates."""


@dataclass(frozen=True)
class Choice:
    """Record of one choice made for each fold; parameters fixed beforehand have none.

    Attributes:
        what: Parameter that was chosen, such as ``level``, ``drop`` or ``penalty``.
        search_space: Labels of all candidates.
        by_fold: Label of the candidate chosen for each fold, in ascending order of the folds.
        criterion: Criterion that is largest (for residuals, smallest) for the chosen candidate.
        learner: Classifier whose penalty was chosen; None for every other choice.
        mask: Mask of the features of that classifier, if every mask has its own; else None.
    """

    what: str
    search_space: tuple[Label, ...]
    by_fold: tuple[Label, ...]
    criterion: Criterion
    learner: str | None = None
    mask: str | None = None


@dataclass(frozen=True)
class CrossFitted:
    """One score per image, from the candidate that was chosen on the other folds.

    Attributes:
        scores: ``(n,)``; unchanged if all folds chose the same candidate, else standardised by the other folds.
        chosen: Label of the candidate of each fold, in ascending order of the folds.
        positions: Column of the candidate of each fold.
        index: ``(n,)``, column of each image's score.
        search_space: Labels of all candidates.
    """

    scores: NDArray[np.float64]
    chosen: tuple[Label, ...]
    positions: tuple[int, ...]
    index: NDArray[np.int64]
    search_space: tuple[Label, ...]


def fold_auroc(scores: ArrayLike, is_member: ArrayLike, folds: ArrayLike) -> NDArray[np.float64]:
    """AUROC of each candidate on all folds but one.

    Args:
        scores: ``(n, candidates)``, higher = more likely a member.
        is_member: ``(n,)``.
        folds: ``(n,)``.

    Returns:
        ``(folds, candidates)``, by the fold that is left out, in ascending order.
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
    criterion: ArrayLike | None = None,
) -> CrossFitted:
    """Score each fold by the candidate that is best on the other folds.

    Args:
        scores: ``(n, candidates)``, higher = more likely a member.
        labels: Labels of the columns; the first of equally good ones is chosen.
        is_member: ``(n,)``.
        folds: ``(n,)``; may be None for a single candidate.
        criterion: ``(folds, candidates)``, values of the criterion, by default `fold_auroc`; the largest is chosen.
            Minus infinity excludes a candidate for a fold. Must not depend on the images of the fold itself.

    Returns:
        The scores and what was chosen.

    Raises:
        DataError: Shapes differ, there is no candidate or only one fold, or all members or all non-members are in
            one fold.
    """
    table = _table(scores)
    member = np.asarray(is_member, dtype=np.bool_)
    search_space = tuple(labels)
    if table.shape != (member.size, len(search_space)) or not search_space:
        raise DataError(
            f"expected scores of shape (images, candidates) = ({member.size}, {len(search_space)}) with at least "
            f"one candidate, got {table.shape}; pass one column per candidate"
        )
    fold_of_image = np.zeros(member.size, dtype=np.int64) if folds is None else np.asarray(folds)
    fold_count = max(1, np.unique(fold_of_image).size)
    index = np.zeros(member.size, dtype=np.int64)
    if len(search_space) == 1:
        return CrossFitted(table[:, 0], search_space * fold_count, (0,) * fold_count, index, search_space)
    values = fold_auroc(table, member, fold_of_image) if criterion is None else np.asarray(criterion, dtype=np.float64)
    if values.shape != (fold_count, len(search_space)):
        raise DataError(
            f"expected a criterion value for each of {fold_count} folds and {len(search_space)} candidates, got "
            f"{values.shape}; see fold_auroc"
        )
    positions = np.argmax(values, axis=1)
    for best, (held_out, _) in zip(positions, splits(fold_of_image, member), strict=True):
        index[held_out] = best
    chosen = tuple(search_space[best] for best in positions)
    return CrossFitted(
        _read(table, index, member, fold_of_image), chosen, tuple(positions.tolist()), index, search_space
    )


def apply_choice(
    scores: ArrayLike, choice: CrossFitted, is_member: ArrayLike, folds: ArrayLike | None
) -> NDArray[np.float64]:
    """Read another table of scores, such as one with another mask, at the candidates already chosen.

    Args:
        scores: ``(n, candidates)``, with the images and candidates of the choice.
        choice: Result of `cross_fit`.
        is_member: ``(n,)``.
        folds: Folds of the choice.

    Returns:
        ``(n,)``, standardised as in `cross_fit`, by the moments of this table.

    Raises:
        DataError: The shape differs from that of the choice.
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
    """Scores of the chosen columns; if folds chose different ones, standardised by the other folds' non-members."""
    raw = np.take_along_axis(table, index[:, None], axis=1)[:, 0]
    if np.unique(index).size <= 1:
        return raw
    # Columns have different units: without a common scale, ranks across folds would mean nothing.
    result = np.empty_like(raw)
    for held_out, others in splits(folds, member):
        reference = table[others & ~member, index[held_out][0]]  # one column per fold
        finite = reference[np.isfinite(reference)]  # infinite scores remain infinite
        mean, sd = (finite.mean(), finite.std()) if finite.size else (0.0, 0.0)
        result[held_out] = (raw[held_out] - mean) / (sd if sd > 0 else 1.0)
    return result


def _table(scores: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(scores, dtype=np.float64)
    if np.isnan(table).any():
        raise NonFiniteError(
            f"expected scores without NaN, got {int(np.isnan(table).sum())} NaN; leave these images out or fix their "
            "scores"
        )
    return table
