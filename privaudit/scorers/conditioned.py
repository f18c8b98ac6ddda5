"""The best attack, judged against what non-members like the image score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privaudit.evaluation import auroc
from privaudit.evaluation.conditional import conditional_scores
from privaudit.scorers.base import Evidence, Floats, Scorer, register


@register
@dataclass(frozen=True)
class Conditioned(Scorer):
    """(score - predicted median) / predicted spread, of non-members with the same distortion and image statistics.

    (Quantile regression of non-member scores: Bertran et al. 2023, arXiv:2307.03694; conditioning on the decoder's
    local distortion is ours, since separability depends on it: Rao, Qu, Moyer 2026, arXiv:2511.20592.) A threshold on
    this score is another threshold on the attack's score for each image. For each fold it is the published attack of
    largest unmasked AUROC on the other folds, and the regressions are fitted to their non-members.
    """

    name: ClassVar[str] = "conditioned"
    reference: ClassVar[str] = "Bertran et al. 2023, arXiv:2307.03694; conditioned on distortion: ours"
    summary: ClassVar[str] = "best published attack, judged against non-members of the same distortion and difficulty"

    def score(self, evidence: Evidence) -> tuple[dict[str, Floats], str]:
        """Score under every mask of the chosen attack."""
        conditions = np.column_stack([evidence.distortion, evidence.images])
        names = list(evidence.published or dict.fromkeys(name for name, _ in evidence.chosen))
        masks = list(dict.fromkeys(mask for _, mask in evidence.chosen))
        best = {fold: self._best(evidence, names, fold) for fold in np.unique(evidence.folds)}
        found = {}
        for mask in masks:
            found[mask] = np.empty(len(evidence.is_member))
            for name in sorted(set(best.values())):
                own = np.isin(evidence.folds, [fold for fold, chosen in best.items() if chosen == name])
                scores = conditional_scores(
                    evidence.chosen[name, mask], conditions, evidence.is_member, evidence.folds, seed=evidence.seed
                )
                found[mask][own] = scores[own]
        return found, f"{', '.join(sorted(set(best.values())))}, chosen by AUROC on the other folds"

    def _best(self, evidence: Evidence, names: list[str], fold: int) -> str:
        others = evidence.folds != fold
        return max(names, key=lambda name: auroc(evidence.chosen[name, "none"][others], evidence.is_member[others]))
