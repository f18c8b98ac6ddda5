"""How much wider the AUROC of out-of-fold scores spreads than a bootstrap of the scores sees.

    python benchmarks/out_of_fold_null.py

Two Gaussian sets of 500 images with 50 features, a logistic regression cross-fitted over five folds; the distance
between the sets grows from none. The spread over fresh draws against the bootstrap's is what
`privaudit.evaluation.metrics.inflated_alpha` allows for; the last column is how often a rank test at 5 % rejects.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from privaudit.evaluation import auroc, stratified_bootstrap

IMAGES, FEATURES, FOLDS, DRAWS, BOOTSTRAPPED = 1000, 50, 5, 150, 10


def cross_fitted(features: np.ndarray, member: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Scores by models of the other folds."""
    scores = np.empty(len(member))
    for fold in range(FOLDS):
        own = folds == fold
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(features[~own], member[~own])
        scores[own] = model.decision_function(features[own])
    return scores


def main() -> None:
    """Print one row a distance."""
    generator = np.random.default_rng(0)
    member, folds = np.arange(IMAGES) < IMAGES // 2, np.arange(IMAGES) % FOLDS
    print("| distance | mean AUROC | its spread | bootstrap's | ratio | rejected at 5 % |\n|---|---|---|---|---|---|")
    for distance in (0.0, 0.05, 0.1, 0.2, 0.3):
        shift = distance * generator.normal(size=FEATURES)
        areas, spreads, rejected = [], [], 0
        for draw in range(DRAWS):
            features = generator.normal(size=(IMAGES, FEATURES)) + np.outer(member, shift)
            scores = cross_fitted(features, member, folds)
            areas.append(auroc(scores, member))
            rejected += mannwhitneyu(scores[member], scores[~member], alternative="greater").pvalue < 0.05
            if draw < BOOTSTRAPPED:
                spreads.append(stratified_bootstrap({"s": scores}, member, (0.01,), 200, draw).auroc[0].std())
        ratio = np.std(areas) / np.mean(spreads)
        cells = (f"{np.mean(areas):.3f}", f"{np.std(areas):.4f}", f"{np.mean(spreads):.4f}", f"{ratio:.2f}")
        print(f"| {distance:g} | " + " | ".join(cells) + f" | {rejected / DRAWS:.2f} |", flush=True)


if __name__ == "__main__":
    main()
