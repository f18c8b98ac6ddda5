"""Chooses a candidate for each fold by its unmasked score, then the fraction of dimensions that hard masks drop."""

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
    """Scores under one mask, and the candidates that they were chosen from.

    Attributes:
        candidates: Scores of all candidates, ``(n, columns)``.
        choice: Choice of a candidate for each fold.
        scores: Scores of the chosen candidates, ``(n,)``.
    """

    candidates: Floats
    choice: CrossFitted
    scores: Floats


@dataclass(frozen=True)
class Selection:
    """Candidate and mask fraction of each fold.

    Attributes:
        columns: Choice of a column for each fold.
        by_mask: Scores under each mask of `privaudit.decoder_geometry.MASKS`.
        inflation: Factor by which the choice inflates the standard deviation of the AUROC (see `choice_inflation`).
        drop: Fraction to drop for each fold, if several were compared.
    """

    columns: CrossFitted
    by_mask: Mapping[str, MaskedScores]
    inflation: float
    drop: tuple[float, ...] = ()

    @property
    def scores(self) -> dict[str, Floats]:
        """Scores ``(n,)`` by mask."""
        return {mask: masked.scores for mask, masked in self.by_mask.items()}


def select(table: ErrorTable, is_member: NDArray[np.bool_], folds: NDArray[np.int64]) -> Selection:
    """Choose a column for each fold, then the fraction to drop at that column, both on the other folds.

    The column is chosen by its unmasked score, the fraction under the influence mask. The random mask, which is the
    control, drops the same fraction. All masks of a fold use the same column, and so the same denoiser passes.

    Args:
        table: Candidates of one attack; scores, not features.
        is_member: ``(n,)``.
        folds: ``(n,)``.

    Returns:
        The choices, and the scores that follow from them.
    """
    labels = table.labels or (table.name,)
    columns = cross_fit(table.by_mask["none"], labels, is_member, folds)

    def read(candidates: Floats, choice: CrossFitted = columns) -> MaskedScores:
        return MaskedScores(candidates, choice, apply_choice(candidates, choice, is_member, folds))

    inflation = choice_inflation(table.by_mask["none"], is_member, folds)
    if not table.drops:
        return Selection(columns, {mask: read(table.by_mask[mask]) for mask in MASKS}, inflation)
    # Columns of all fractions side by side, fraction by fraction: column j of fraction i is at i * width + j.
    stacked = {mask: np.hstack(list(table.hard(mask).values())) for mask in HARD}
    width = len(labels)
    # A fold may choose among the fractions at the column that it has chosen already, and no others.
    at_column = np.arange(len(table.drops) * width) % width == np.array(columns.positions)[:, None]
    merit = np.where(at_column, fold_auroc(stacked["influence"], is_member, folds), -np.inf)
    fractions = cross_fit(stacked["influence"], np.repeat(table.drops, width).tolist(), is_member, folds, merit)
    by_mask = {mask: read(stacked[mask], fractions) if mask in HARD else read(table.by_mask[mask]) for mask in MASKS}
    inflation = max(inflation, choice_inflation(stacked["influence"], is_member, folds))
    return Selection(columns, by_mask, inflation, tuple(table.drops[column // width] for column in fractions.positions))


def choices(selection: Selection, table: ErrorTable, what: str) -> tuple[Choice, ...]:
    """List the choices for the report.

    Returns:
        A choice of the column and one of the fraction to drop, unless they were fixed beforehand.
    """
    listed = []
    if len(table.labels) > 1:
        listed.append(Choice(what, table.labels, selection.columns.chosen, "auroc_no_mask"))
    if selection.drop:
        listed.append(Choice("drop", table.drops, selection.drop, "auroc_influence_mask"))
    return tuple(listed)
