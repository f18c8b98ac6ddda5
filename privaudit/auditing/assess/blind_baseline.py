"""The blind baseline of an audit: what the two sets differ in without any model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from privaudit.auditing.assess.evaluated_scores import EvaluatedScores
from privaudit.auditing.assess.folds import Split
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.measurements import PixelFeatures
from privaudit.evaluation import Estimate, fact
from privaudit.evaluation.blind import family_scores, file_features
from privaudit.evaluation.checks import BLIND
from privaudit.evaluation.finding import Pair
from privaudit.results.audit_result import BlindReport


def blind_families(pixels: PixelFeatures, data: AuditData, split: Split, seed: int) -> dict[Pair, NDArray[np.float64]]:
    """Score the compared images by what is known without the model.

    Returns:
        (`BLIND`, family) to ``(n,)``; empty if there is one fold only, since no image could be scored by others.
    """
    if np.unique(split.folds).size < 2:
        return {}
    samples = data.compared
    tables = {
        "pixels": pixels.statistics,
        "compression": pixels.traces,
        "files": file_features([sample.file for sample in samples]),
    }
    found = family_scores(tables, [sample.caption for sample in samples], data.is_positive, split.folds, seed)
    return {(BLIND, family): scores for family, scores in found.items()}


def blind_report(evaluated: EvaluatedScores) -> BlindReport:
    """Sum up the families, the strongest one first."""
    areas = {pair[1]: evaluated.evaluation.metrics[pair].auroc for pair in evaluated.blind}
    ranked = sorted(areas, key=lambda family: -areas[family].value)
    if not ranked:
        nan = float("nan")
        return BlindReport(Estimate(nan, nan, nan, fact("no_classifier_fitted")), "", {}, None)
    return BlindReport(
        auroc=areas[ranked[0]],
        strongest=ranked[0],
        families={family: areas[family] for family in ranked},
        curve=evaluated.curves.get((BLIND, ranked[0])),
    )
