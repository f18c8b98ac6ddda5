"""The best single score: for each fold the attack, level and mask that is best on the other folds."""

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
    """The score of largest AUROC on the other folds, among all attacks at all levels under all masks that were run.

    What a reader does who takes the best row of a table, without looking at the images that it is reported on. The
    random mask is a control and no candidate. With a reference model, differences from it are candidates, too. Features
    of a learned attack are none: their classifier has seen the other folds.
    """

    name: ClassVar[str] = "selected"
    citation: ClassVar[str] = "ours"
    summary: ClassVar[str] = "for each fold, the attack, level and mask that is best on the other folds"

    def score(self, evidence: Evidence) -> Scored:
        """One score: the mask is chosen as well."""
        tables = [*evidence.tables]
        tables += [minus(own, other) for own, other in zip(evidence.tables, evidence.references, strict=False)]
        found: dict[Label, Floats] = {}
        for table in tables:
            found |= {} if table.learned else candidates(table)
        if not found:
            raise DataError("expected an attack with a score of its own to select, got features alone; add an attack")
        scores = np.stack(list(found.values()), axis=1)
        choice = cross_fit(scores, list(found), evidence.is_member, evidence.folds)
        return Scored(
            {"none": choice.scores},
            (Choice("attack, level and mask", choice.search_space, choice.chosen, "auroc"),),
            choice_inflation(scores, evidence.is_member, evidence.folds),
        )


def candidates(table: ErrorTable) -> dict[Label, Floats]:
    """Name every column under every mask but the random one.

    Returns:
        Name, such as ``sima, level 40, influence mask``, to ``(n,)``.
    """
    found: dict[Label, Floats] = {}
    for mask in mask_names(table.drops or (0.0,)):
        for place, column in enumerate(table.by_mask[mask].T if not mask.startswith("random") else ()):
            label = table.labels[place] if table.labels else ""
            at = f", {table.axis} {label:g}" if isinstance(label, float) else f", {label}" if label else ""
            found[f"{table.name}{at}{'' if mask == 'none' else f', {mask} mask'}"] = column
    return found
