"""A candidate for each fold, by its unmasked score, and with it the fraction of dimensions that the hard masks drop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privaudit.decoder_geometry import HARD, MASKS
from privaudit.evaluation.choice_inflation import choice_inflation
from privaudit.evaluation.selection import Choice, CrossFitted, apply_choice, cross_fit, fold_auroc
from privaudit.scorers.error_table import ErrorTable, Floats


@dataclass(frozen=True)
class MaskedScores:
    """Scores under one mask, and where they came from.

    Attributes:
        candidates: ``(n, columns)``, all that could be taken.
        choice: Which was.
        scores: ``(n,)``.
    """

    candidates: Floats
    choice: CrossFitted
    scores: Floats


@dataclass(frozen=True)
class Selection:
    """What was taken for each fold.

    Attributes:
        columns: Which column.
        by_mask: The scores under each of `privaudit.decoder_geometry.MASKS`.
        drop: The fraction of each fold, if several were compared.
        inflation: Factor by which the choice inflates the standard deviation of the AUROC (see `choice_inflation`).
    """

    columns: CrossFitted
    by_mask: Mapping[str, MaskedScores]
    inflation: float
    drop: tuple[float, ...] = ()

    @property
    def scores(self) -> dict[str, Floats]:
        """Mask to ``(n,)``."""
        return {mask: masked.scores for mask, masked in self.by_mask.items()}


def select(table: ErrorTable, is_member: NDArray[np.bool_], folds: NDArray[np.int64]) -> Selection:
    """Choose for each fold, on the others, a column by its unmasked score, then the fraction to drop at that column.

    The fraction is chosen under the influence mask, and the random mask, its control, drops the same. All masks of a
    fold are read at one column, from the same denoiser passes.

    Args:
        table: Candidates of one attack; scores, not features.
        is_member: ``(n,)``.
        folds: ``(n,)``.

    Returns:
        What was taken, and the scores.
    """
    labels = table.labels or (table.name,)
    columns = cross_fit(table.by_mask["none"], labels, is_member, folds)

    def read(candidates: Floats, choice: CrossFitted = columns) -> MaskedScores:
        return MaskedScores(candidates, choice, apply_choice(candidates, choice, is_member, folds))

    inflation = choice_inflation(table.by_mask["none"], is_member, folds)
    if not table.drops:
        return Selection(columns, {mask: read(table.by_mask[mask]) for mask in MASKS}, inflation)
    stacked = {mask: np.hstack(list(table.hard(mask).values())) for mask in HARD}
    width = len(labels)
    at_column = np.arange(len(table.drops) * width) % width == np.array(columns.positions)[:, None]
    merit = np.where(at_column, fold_auroc(stacked["influence"], is_member, folds), -np.inf)
    fractions = cross_fit(stacked["influence"], np.repeat(table.drops, width).tolist(), is_member, folds, merit)
    by_mask = {mask: read(stacked[mask], fractions) if mask in HARD else read(table.by_mask[mask]) for mask in MASKS}
    inflation = max(inflation, choice_inflation(stacked["influence"], is_member, folds))
    return Selection(columns, by_mask, inflation, tuple(table.drops[column // width] for column in fractions.positions))


def choices(selection: Selection, table: ErrorTable, what: str) -> tuple[Choice, ...]:
    """List what was chosen.

    Returns:
        One for the column, one for the fraction to drop; none for what was fixed beforehand.
    """
    found = []
    if len(table.labels) > 1:
        found.append(Choice(what, table.labels, selection.columns.chosen, "auroc_no_mask"))
    if selection.drop:
        found.append(Choice("drop", table.drops, selection.drop, "auroc_influence_mask"))
    return tuple(found)
