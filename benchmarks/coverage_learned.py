"""Paired differences where a score was learned out of fold: how often their intervals hold.

    OMP_NUM_THREADS=1 python benchmarks/coverage_learned.py > benchmarks/results/coverage_learned.md

Two Gaussian sets of 500 images with 50 features at a distance, a logistic regression cross-fitted over five folds. It
is compared with a fixed direction that is 39 degrees off the best one, with the best, and with a second regression on
other features, as good or on fewer of them. True differences are the means over all draws. Shown are the standard
deviation of the difference as a share of DeLong's, the coverage of 95 % intervals (and on which side they miss) with
DeLong's standard deviation and with `privaudit.evaluation.metrics.sd_inflation` times it, and that of the difference of
TPRs at 10 %. The last table has the score alone, where nothing leaks and all true values are known.
"""

from __future__ import annotations

import platform
from collections.abc import Callable

import numpy as np
import sklearn
from coverage import cell
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from privaudit.evaluation import compare, evaluate
from privaudit.evaluation.delong import auroc_difference

IMAGES, FEATURES, FOLDS, DRAWS, FPR = 1000, 50, 5, 400, 0.1
NOTHING = {"AUROC": 0.5, "TPR@1%": 0.01, "TPR@10%": 0.1, "advantage": 0.0}
MEMBER, FOLD = np.arange(IMAGES) < IMAGES // 2, np.arange(IMAGES) % FOLDS


def cross_fitted(features: np.ndarray) -> np.ndarray:
    """Scores by models of the other folds."""
    scores = np.empty(IMAGES)
    for fold in range(FOLDS):
        own = fold == FOLD
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(features[~own], MEMBER[~own])
        scores[own] = model.decision_function(features[own])
    return scores


Score = Callable[[np.ndarray], np.ndarray]
BEST, ACROSS = np.ones(FEATURES), np.resize([1.0, -1.0], FEATURES)
PAIRS: dict[str, tuple[Score, Score]] = {
    "learned, fixed": (cross_fitted, lambda x: x @ (BEST + 0.8 * ACROSS)),
    "learned, best direction": (cross_fitted, lambda x: x @ BEST),
    "learned, learned on other features": (
        lambda x: cross_fitted(x[:, : FEATURES * 3 // 5]),
        lambda x: cross_fitted(x[:, FEATURES * 2 // 5 :]),
    ),
    "learned, learned on fewer": (cross_fitted, lambda x: cross_fitted(x[:, : FEATURES // 5])),
}


def measure(distance: float, names: str) -> str:
    """One row of the table."""
    generator = np.random.default_rng(int(1000 * distance))
    first, second = PAIRS[names]
    areas, plain, wide, rates = [], [], [], []
    for draw in range(DRAWS):
        features = generator.normal(size=(IMAGES, FEATURES)) + np.outer(MEMBER, distance * BEST)
        scores = {"a": first(features), "b": second(features)}
        found = evaluate(scores, MEMBER, FOLD, fprs=(FPR,), replicates=199, seed=draw, learned=["a"])
        delta = compare(found, "a", "b", FPR)
        areas.append((delta.auroc_delta.value, found.areas.sd_of_difference("a", "b")))
        plain.append(auroc_difference(found.areas, "a", "b"))
        wide.append(delta.auroc_delta)
        rates.append(delta.tpr_delta)

    def held(deltas: list) -> str:
        true = 0.0 if distance == 0.0 else float(np.mean([delta.value for delta in deltas]))
        return cell([(true < delta.lo, true > delta.hi) for delta in deltas])

    values, errors = np.array(areas).T
    ratio = values.std() / np.sqrt(np.mean(errors**2))
    cells = (f"{distance:g}", names, f"{values.mean():+.3f}", f"{ratio:.2f}", held(plain), held(wide), held(rates))
    return "| " + " | ".join(cells) + " |"


def alone() -> list[str]:
    """Cells of the last table."""
    generator, tallies = np.random.default_rng(1), {what: [] for what in NOTHING}
    for draw in range(2 * DRAWS):
        score = cross_fitted(generator.normal(size=(IMAGES, FEATURES)))
        metrics = evaluate({"a": score}, MEMBER, FOLD, fprs=(0.01, 0.1), replicates=199, seed=draw, learned=["a"])
        found = metrics.metrics["a"]
        for estimate, (what, true) in zip(
            (found.auroc, *found.tpr_at_fpr.values(), found.advantage), NOTHING.items(), strict=True
        ):
            tallies[what].append((true < estimate.lo, true > estimate.hi))
    return [cell(tally) for tally in tallies.values()]


def main() -> None:
    """Print one row a distance and pair."""
    versions = f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}"
    print(f"{platform.machine()}, Python {platform.python_version()}, {versions}; {DRAWS} draws a row.\n")
    print("| distance | pair | mean difference | its sd / DeLong's | DeLong | widened | TPR@10% |")
    print("|---" * 7 + "|")
    for distance in (0.0, 0.05, 0.1, 0.2):
        for names in PAIRS:
            print(measure(distance, names), flush=True)
    print("\n| draws | " + " | ".join(NOTHING) + " |")
    print("|---" * (1 + len(NOTHING)) + "|")
    print(f"| {2 * DRAWS} | " + " | ".join(alone()) + " |")


if __name__ == "__main__":
    main()
