"""Scores learned from features, by models that are not fitted on the image, its duplicates or its group.

Nested cross-fitting, as in stacked generalisation without its second level (Wolpert 1992,
doi:10.1016/S0893-6080(05)80023-1): each image is scored by models fitted on the other folds, and the penalty of these
models and the scale of their scores are determined by cross-fitting within the other folds. The folds of `assign_folds`
keep duplicates and groups together, in the inner splits as in the outer ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError
from privaudit.evaluation.crossfit import pairs, splits
from privaudit.evaluation.feature_table import canonical_order, checked_table, standardised
from privaudit.evaluation.roc import auroc
from privaudit.evaluation.selection import Choice

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LearnedScores:
    """Out-of-fold scores and the choices behind them.

    Attributes:
        scores: ``(n,)``, higher = more likely a member; in standard deviations of the other folds' non-members.
        model: Name of the model, a key of `MODELS`.
        learners: Names of the learners whose scores are averaged.
        chosen: For each learner, the penalty of each fold, in ascending order of the folds.
        search_space: For each learner, the penalties that were compared.
        inner_auroc: For each fold, the AUROC of inner scores, averaged over learners and inner folds; serves to choose
            among feature tables without using the fold. NaN without inner scores.
    """

    scores: Floats
    model: str
    learners: tuple[str, ...]
    chosen: tuple[tuple[float, ...], ...]
    search_space: tuple[tuple[float, ...], ...]
    inner_auroc: tuple[float, ...]

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The choice of the penalty for each learner with more than one candidate."""
        return tuple(
            Choice("penalty", space, chosen, "inner_auroc", learner=name)
            for name, chosen, space in zip(self.learners, self.chosen, self.search_space, strict=True)
            if len(space) > 1
        )


class Classifier(Protocol):
    """The interface of scikit-learn's binary classifiers."""

    def fit(self, features: Floats, is_member: NDArray[np.bool_]) -> Classifier:
        """Fit the classifier."""

    def decision_function(self, features: Floats) -> Floats:
        """Score images, higher = more likely a member."""


@dataclass(frozen=True)
class Learner:
    """A kind of classifier.

    Attributes:
        penalties: Candidates for the penalty, the default first; a larger penalty makes a simpler model.
        build: Function from (penalty, number of features, seed) to an unfitted classifier.
    """

    penalties: tuple[float, ...]
    build: Callable[[float, int, int], Classifier]


def _logistic(penalty: float, width: int, seed: int) -> Classifier:
    from sklearn.linear_model import LogisticRegression  # slow to import

    classifier: Classifier = LogisticRegression(C=1.0 / penalty, solver="newton-cholesky", max_iter=200)
    return classifier


def _trees(penalty: float, width: int, seed: int) -> Classifier:
    from sklearn.ensemble import HistGradientBoostingClassifier

    classifier: Classifier = HistGradientBoostingClassifier(
        max_iter=200,
        learning_rate=0.05,
        max_depth=3,
        max_bins=63,
        max_features=0.2,
        l2_regularization=penalty,
        early_stopping=False,
        random_state=seed,
    )
    return classifier


def _kernel(penalty: float, width: int, seed: int) -> Classifier:
    from sklearn.svm import SVC

    classifier: Classifier = SVC(C=1.0 / penalty, gamma=0.5 / width, kernel="rbf")
    return classifier


LEARNERS: Mapping[str, Learner] = {
    "logistic": Learner((100.0, 10.0, 1.0, 1000.0), _logistic),
    "trees": Learner((1.0,), _trees),
    "kernel": Learner((0.3,), _kernel),
}
"""Logistic regression; boosted trees of depth 3; a support vector machine with a Gaussian kernel."""
MODELS: Mapping[str, tuple[str, ...]] = {"mean": tuple(LEARNERS), **{name: (name,) for name in LEARNERS}}
"""Models of `out_of_fold` by name, each with the learners whose scores are averaged."""


def out_of_fold(
    features: ArrayLike, is_member: ArrayLike, folds: ArrayLike, model: str = "mean", seed: int = 0
) -> LearnedScores:
    """Score every image by models that were fitted on the other folds.

    For fold k, each learner proceeds as follows:

    1. For every other fold j, a model fitted without j and k scores fold j. This gives every image outside k an inner
       score for each penalty.
    2. The penalty with the largest AUROC of inner scores, averaged over the folds j, is chosen.
    3. A model with this penalty is fitted on all folds other than k and scores fold k.
    4. These scores are centred and scaled by mean and standard deviation of the non-members' inner scores, so that
       folds can be ranked together and learners averaged.

    Features are standardised by the images that a model is fitted on, and clipped to their range there.

    If no model can be fitted without two folds (there are only two, or they hold all of one set), the first penalty is
    taken, and scores are scaled by those of the images that the model was fitted on.

    Args:
        features: ``(n, d)``; infinite values count as the largest or smallest finite one, constant columns are ignored.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `assign_folds`.
        model: ``logistic``, ``trees``, ``kernel``, or ``mean`` for the mean of the three.
        seed: Seed of the trees, which consider a random fifth of the features at each split.

    Returns:
        The scores and what was chosen, independent of the order of the images.

    Raises:
        ConfigError: The model is unknown.
        DataError: Shapes differ, there are no features, or a fold holds all members or all non-members.
        NonFiniteError: A feature is NaN.
    """
    if model not in MODELS:
        raise ConfigError([f"expected a model out of {', '.join(MODELS)}, got {model}"])
    table, member, labels = checked_table(features, is_member, folds)
    order = canonical_order(labels, member, table)
    table, member, labels = table[order], member[order], labels[order]
    parts = [_fit_learner(table, member, labels, LEARNERS[name], seed) for name in MODELS[model]]
    scores = np.empty(member.size)
    scores[order] = np.mean([part.scores for part in parts], axis=0)
    return LearnedScores(
        scores,
        model,
        MODELS[model],
        tuple(part.chosen for part in parts),
        tuple(LEARNERS[name].penalties for name in MODELS[model]),
        tuple(np.mean([part.inner_auroc for part in parts], axis=0).tolist()),
    )


@dataclass(frozen=True)
class _Fitted:
    """Scores of one learner; penalty and AUROC of the inner scores for each fold."""

    scores: Floats
    chosen: tuple[float, ...]
    inner_auroc: tuple[float, ...]


def _fit_learner(
    table: Floats, member: NDArray[np.bool_], labels: NDArray[np.int64], learner: Learner, seed: int
) -> _Fitted:
    def fit_and_score(train: NDArray[np.bool_], test: NDArray[np.bool_], penalty: float) -> Floats:
        train_features, test_features = standardised(table[train], table[test])
        classifier = learner.build(penalty, table.shape[1], seed).fit(train_features, member[train])
        return np.asarray(classifier.decision_function(test_features), dtype=np.float64)

    parts = list(splits(labels, member))
    # inner[k]: for each penalty, scores of the images outside fold k by models fitted neither on their fold nor on k;
    # NaN where no model can be fitted without the two folds, because they hold all of one set.
    inner = {fold: np.full((len(learner.penalties), member.size), np.nan) for fold in np.unique(labels)}
    for first, second, train in pairs(labels):
        if np.unique(member[train]).size < 2:
            continue
        for i, penalty in enumerate(learner.penalties):
            fold_scores = np.zeros(member.size)
            fold_scores[~train] = fit_and_score(train, ~train, penalty)  # one fit serves both folds
            inner[labels[first][0]][i, second] = fold_scores[second]
            inner[labels[second][0]][i, first] = fold_scores[first]
    scores, chosen, inner_auroc = np.empty(member.size), [], []
    for (held_out, others), inner_scores in zip(parts, inner.values(), strict=True):
        areas = _areas(inner_scores, member, labels)
        best = int(np.argmax(areas))
        penalty = learner.penalties[best]
        reference = inner_scores[best, ~np.isnan(inner_scores[best]) & ~member]
        if not reference.size:
            reference = fit_and_score(others, others & ~member, penalty)
        sd = float(reference.std())
        scores[held_out] = (fit_and_score(others, held_out, penalty) - reference.mean()) / (sd if sd > 0 else 1.0)
        chosen.append(penalty)
        inner_auroc.append(float(areas[best]))
    return _Fitted(scores, tuple(chosen), tuple(inner_auroc))


def _areas(inner: Floats, member: NDArray[np.bool_], labels: NDArray[np.int64]) -> Floats:
    """AUROC of the inner scores with each penalty, averaged over folds; NaN without inner scores.

    Returns:
        ``(penalties,)``. ``np.argmax`` of NaN takes the first penalty.
    """
    known = ~np.isnan(inner[0])
    parts = [known & (labels == fold) for fold in np.unique(labels[known])]
    parts = [part for part in parts if np.unique(member[part]).size == 2]
    if not parts:
        return np.full(len(inner), np.nan)
    return np.array([np.mean([auroc(row[part], member[part]) for part in parts]) for row in inner])
