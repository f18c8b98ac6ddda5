"""The blind baseline of an audit: how well the two sets can be told apart without any model."""

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
    """Score the compared images by classifiers that do not use the model.

    Returns:
        Scores ``(n,)`` by (`BLIND`, family); empty with a single fold, since classifiers need other images to train on.
    """
    if np.unique(split.folds).size < 2:
        return {}
    samples = data.compared
    tables = {
        "pixels": pixels.statistics,
        "compression": pixels.traces,
        "files": file_features([sample.file for sample in samples]),
    }
    captions = [sample.caption for sample in samples]
    by_family = family_scores(tables, captions, data.is_positive, split.folds, seed)
    return {(BLIND, family): scores for family, scores in by_family.items()}


def blind_report(evaluated: EvaluatedScores) -> BlindReport:
    """Summarise the families, ordered from the highest AUROC."""
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
