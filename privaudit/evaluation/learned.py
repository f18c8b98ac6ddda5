"""PLACEHOLDER by the lead: H2 replaces this file."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LearnedScores:
    scores: np.ndarray
    summary: str


def out_of_fold(features, is_member, folds, seed=0):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    out = np.empty(len(folds))
    for f in np.unique(folds):
        o = folds != f
        m = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500)).fit(features[o], is_member[o])
        out[~o] = m.decision_function(features[~o])
    return LearnedScores(out, "logistic regression")
