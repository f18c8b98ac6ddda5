"""All attacks together, by a classifier that was fitted without the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privaudit.decoder_geometry import DECILES
from privaudit.evaluation.learned import out_of_fold
from privaudit.scorers.error_table import ErrorTable, Floats
from privaudit.scorers.scorer import Evidence, Scored, Scorer, register


@register
@dataclass(frozen=True)
class Combined(Scorer):
    """A cross-fitted classifier over the log error energy in each decile of the decoder's influence.

    A mask weighs the influence deciles by hand; here the weights are learned. The features of an image are the log of
    each attack's error in each decile at each level, its other errors, the local distortion, and statistics of the
    image alone, by which the classifier can allow for its difficulty. Each image is scored by a classifier whose
    weights and hyper-parameters come from the other folds. Duplicates are removed beforehand, and a group is never
    split between folds. Needs known members, so it serves the audit of an owner.
    """

    name: ClassVar[str] = "combined"
    citation: ClassVar[str] = "ours"
    summary: ClassVar[str] = "cross-fitted classifier over the errors of all attacks, by influence decile"
    fitted: ClassVar[bool] = True

    def score(self, evidence: Evidence) -> Scored:
        """One score: a mask is a weighting, which the classifier learns."""
        learned = out_of_fold(features(evidence), evidence.is_member, evidence.folds, seed=evidence.seed)
        return Scored({"none": learned.scores}, learned.choices, learners=learned.learners)


def features(evidence: Evidence) -> Floats:
    """Describe every image by its errors, its geometry and its own statistics.

    Returns:
        ``(n, d)``.
    """
    parts = [part for table in (*evidence.tables, *evidence.references) for part in _parts(table)]
    return np.column_stack([*parts, evidence.distortion, evidence.images])


def _parts(table: ErrorTable) -> list[Floats]:
    # Attacks whose errors are energies, or logs of energies, are also scored in each influence decile.
    if DECILES[0] in table.by_mask:
        by_decile = [table.by_mask[decile] for decile in DECILES]
        return [_log(scores) for scores in by_decile] if table.scale == "energy" else by_decile
    if table.learned:
        return [table.by_mask["none"]]
    return [table.by_mask["none"], table.by_mask["weighted"]]


def _log(scores: Floats) -> Floats:
    """Log of the errors, which are minus the scores; an error of 0 counts as the smallest positive number."""
    return np.log(np.maximum(-scores, np.finfo(np.float64).tiny))
