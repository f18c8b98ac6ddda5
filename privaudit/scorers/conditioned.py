"""The best published attack, standardised by the scores of similar non-members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privaudit.evaluation.conditional import MEDIANS, conditional_distribution
from privaudit.evaluation.selection import Choice
from privaudit.scorers.error_table import Floats, join
from privaudit.scorers.level_selection import MaskedScores, choices, select
from privaudit.scorers.scorer import Evidence, Scored, Scorer, register


@register
@dataclass(frozen=True)
class Conditioned(Scorer):
    """(score - predicted median) / predicted spread, both of non-members with the same distortion and image statistics.

    (Quantile regression of non-member scores: Bertran et al. 2023, arXiv:2307.03694. Conditioning on the local
    distortion of the decoder is ours, because separability depends on it: Rao, Qu, Moyer 2026, arXiv:2511.20592.) One
    threshold on this score is a different threshold on the attack's score for each image. Each fold uses the published
    attack and level with the largest unmasked AUROC on the other folds; the regressions are fitted to the non-members
    of those folds.
    """

    name: ClassVar[str] = "conditioned"
    citation: ClassVar[str] = "Bertran et al. 2023, arXiv:2307.03694; conditioned on distortion: ours"
    summary: ClassVar[str] = "best published attack, relative to non-members of the same distortion and difficulty"

    def score(self, evidence: Evidence) -> Scored:
        """Score under every mask of the chosen attack."""
        tables = [table for table in evidence.tables if not table.learned]
        tables = [table for table in tables if table.name in evidence.published] or tables
        joined = join(self.name, tables, [table.name for table in tables])
        selection = select(joined, evidence.is_member, evidence.folds)
        by_mask = {mask: _standardise(masked, evidence) for mask, masked in selection.by_mask.items()}
        regressions = tuple(by_mask["none"].regression)
        listed = choices(selection, joined, "attack and level")
        return Scored(
            {mask: conditioned.scores for mask, conditioned in by_mask.items()},
            (*listed, Choice("regression of the median", tuple(MEDIANS), regressions, "residual")),
            selection.inflation,
        )


@dataclass(frozen=True)
class _Standardised:
    """Scores under one mask, and the regression of each fold."""

    scores: Floats
    regression: tuple[str, ...]


def _standardise(masked: MaskedScores, evidence: Evidence) -> _Standardised:
    """Put the scores of each fold's candidate in units of the spread of similar non-members."""
    conditions = np.column_stack([evidence.distortion, evidence.images])
    scores, regression = np.empty(len(evidence.is_member)), dict.fromkeys(np.unique(evidence.folds), "")
    # Folds that chose the same candidate share its regressions; each image takes the column of its own fold.
    for column in sorted(set(masked.choice.positions)):
        in_column = masked.choice.index == column
        fitted = conditional_distribution(
            masked.candidates[:, column], conditions, evidence.is_member, evidence.folds, seed=evidence.seed
        )
        scores[in_column] = ((fitted.values - fitted.location) / fitted.spread)[in_column]
        # `fitted.chosen` covers all folds, in ascending order; only those that chose this candidate use it.
        for fold, kind in zip(regression, fitted.chosen, strict=True):
            if in_column[evidence.folds == fold].all():
                regression[fold] = kind
    return _Standardised(scores, tuple(regression.values()))
