"""The best published attack, judged against what non-members like the image score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privaudit.evaluation.conditional import MEDIANS, conditional_law
from privaudit.evaluation.selection import Choice
from privaudit.scorers.error_table import Floats, join
from privaudit.scorers.level_selection import MaskedScores, choices, select
from privaudit.scorers.scorer import Evidence, Scored, Scorer, register


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
    citation: ClassVar[str] = "Bertran et al. 2023, arXiv:2307.03694; conditioned on distortion: ours"
    summary: ClassVar[str] = "best published attack, judged against non-members of the same distortion and difficulty"

    def score(self, evidence: Evidence) -> Scored:
        """Score under every mask of the chosen attack."""
        tables = [table for table in evidence.tables if not table.learned]
        tables = [table for table in tables if table.name in evidence.published] or tables
        everything = join(self.name, tables, [table.name for table in tables])
        selection = select(everything, evidence.is_member, evidence.folds)
        judged = {mask: _judge(masked, evidence) for mask, masked in selection.by_mask.items()}
        regressions = tuple(judged["none"].regression)
        listed = choices(selection, everything, "attack and level")
        return Scored(
            {mask: found.scores for mask, found in judged.items()},
            (*listed, Choice("regression of the median", tuple(MEDIANS), regressions, "residual")),
            selection.inflation,
        )


@dataclass(frozen=True)
class _Judged:
    """Scores under one mask, and the regression of each fold."""

    scores: Floats
    regression: tuple[str, ...]


def _judge(masked: MaskedScores, evidence: Evidence) -> _Judged:
    """Put each fold's candidate in units of the non-members like the image."""
    conditions = np.column_stack([evidence.distortion, evidence.images])
    scores, regression = np.empty(len(evidence.is_member)), dict.fromkeys(np.unique(evidence.folds), "")
    for column in sorted(set(masked.choice.positions)):
        own = masked.choice.index == column
        fitted = conditional_law(
            masked.candidates[:, column], conditions, evidence.is_member, evidence.folds, seed=evidence.seed
        )
        scores[own] = ((fitted.values - fitted.location) / fitted.spread)[own]
        for fold, kind in zip(regression, fitted.chosen, strict=True):
            regression[fold] = kind if own[evidence.folds == fold].all() else regression[fold]
    return _Judged(scores, tuple(regression.values()))
