"""The best single score: for each fold, the attack, level and mask that are best on the other folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privaudit.decoder_geometry import mask_names
from privaudit.errors import DataError
from privaudit.evaluation.choice_inflation import choice_inflation
from privaudit.evaluation.selection import Choice, Label, cross_fit
from privaudit.scorers.error_table import ErrorTable, Floats, minus
from privaudit.scorers.scorer import Evidence, Scored, Scorer, register


@register
@dataclass(frozen=True)
class Selected(Scorer):
    """The score with the largest AUROC on the other folds, among all attacks at all levels under all masks of the run.

    A reader who takes the best row of a table does the same, but on the images that are reported. The random mask is a
    control and not a candidate. With a reference model, differences from it are candidates as well. Features of a
    learned attack are not: their classifier was fitted to the other folds.
    """

    name: ClassVar[str] = "selected"
    citation: ClassVar[str] = "ours"
    summary: ClassVar[str] = "for each fold, the attack, level and mask that are best on the other folds"

    def score(self, evidence: Evidence) -> Scored:
        """One score without a mask, because the mask is part of the choice."""
        tables = [*evidence.tables]
        # Without a reference model there are no references, and zip stops at once.
        pairs = zip(evidence.tables, evidence.references, strict=False)
        tables += [minus(target, reference) for target, reference in pairs]
        columns: dict[Label, Floats] = {}
        for table in tables:
            columns |= {} if table.learned else candidates(table)
        if not columns:
            raise DataError("expected an attack with a score of its own to select, got features alone; add an attack")
        scores = np.stack(list(columns.values()), axis=1)
        choice = cross_fit(scores, list(columns), evidence.is_member, evidence.folds)
        return Scored(
            {"none": choice.scores},
            (Choice("attack, level and mask", choice.search_space, choice.chosen, "auroc"),),
            choice_inflation(scores, evidence.is_member, evidence.folds),
        )


def candidates(table: ErrorTable) -> dict[Label, Floats]:
    """Name every column under every mask except the random one.

    Returns:
        Scores ``(n,)`` by name, such as ``sima, level 40, influence mask``.
    """
    columns: dict[Label, Floats] = {}
    # With a single fraction, whatever its value, masks have their plain names.
    for mask in mask_names(table.drops or (0.0,)):
        if mask.startswith("random"):
            continue
        for place, column in enumerate(table.by_mask[mask].T):
            label = table.labels[place] if table.labels else ""
            at = f", {table.axis} {label:g}" if isinstance(label, float) else f", {label}" if label else ""
            columns[f"{table.name}{at}{'' if mask == 'none' else f', {mask} mask'}"] = column
    return columns
