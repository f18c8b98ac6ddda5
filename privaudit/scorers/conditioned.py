"""The best published attack, judged against what non-members like the image score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation import auroc
from privaudit.evaluation.conditional import conditional_scores
from privaudit.geometry import MASKS
from privaudit.scorers.base import Evidence, Floats, Scorer, Table, register

Choice = tuple[Table, int]
"""An attack and one of its columns."""


@register
@dataclass(frozen=True)
class Conditioned(Scorer):
    """(score - predicted median) / predicted spread, of non-members with the same distortion and image statistics.

    (Quantile regression of non-member scores: Bertran et al. 2023, arXiv:2307.03694; conditioning on the decoder's
    local distortion is ours, since separability depends on it: Rao, Qu, Moyer 2026, arXiv:2511.20592.) A threshold on
    this score is another threshold on the attack's score for each image. For each fold it is the published attack, at
    the level, of largest unmasked AUROC on the other folds, and the regressions are fitted to their non-members.
    """

    name: ClassVar[str] = "conditioned"
    reference: ClassVar[str] = "Bertran et al. 2023, arXiv:2307.03694; conditioned on distortion: ours"
    summary: ClassVar[str] = "best published attack, judged against non-members of the same distortion and difficulty"

    def score(self, evidence: Evidence) -> tuple[dict[str, Floats], str]:
        """Score under every mask of the chosen attack."""
        conditions = np.column_stack([evidence.distortion, evidence.images])
        tables = [table for table in evidence.tables if not table.learned]
        tables = [table for table in tables if table.name in evidence.published] or tables
        choices = [(table, column) for table in tables for column in range(table.by_mask["none"].shape[1])]
        folds = np.unique(evidence.folds)
        best = [int(np.argmax([_area(choice, evidence, fold) for choice in choices])) for fold in folds]
        found = {mask: np.empty(len(evidence.is_member)) for mask in MASKS}
        for number in sorted(set(best)):
            own = np.isin(evidence.folds, [fold for fold, chosen in zip(folds, best, strict=True) if chosen == number])
            for mask, scores in found.items():
                judged = conditional_scores(
                    _values(choices[number], mask), conditions, evidence.is_member, evidence.folds, seed=evidence.seed
                )
                scores[own] = judged[own]
        names = ", ".join(_describe(choices[number]) for number in sorted(set(best)))
        return found, f"{names}: by AUROC on the other folds; medians and spreads of their non-members"


def _values(choice: Choice, mask: str) -> Floats:
    table, column = choice
    scores: NDArray[np.float64] = table.by_mask[mask][:, column]
    return scores


def _area(choice: Choice, evidence: Evidence, fold: int) -> float:
    others = evidence.folds != fold
    return auroc(_values(choice, "none")[others], evidence.is_member[others])


def _describe(choice: Choice) -> str:
    table, column = choice
    return f"{table.name} at {table.axis} {table.columns[column]:g}" if table.columns else table.name
