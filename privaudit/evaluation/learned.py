"""A score learnt from many features, by models that never saw the image, its duplicates or its group.

Stacked generalisation without its second level (Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1): each image is
scored by models fitted on the other folds, and whatever is chosen or estimated about these models (the penalty, the
unit of their scores) comes from folds within the other folds. Folds of `assign_folds` keep duplicates and groups
together, inside as well as outside.
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
    """Out-of-fold scores, and how they came about.

    Attributes:
        scores: ``(n,)``, higher = member; in standard deviations of the other folds' non-members.
        model: As asked for.
        learners: What it is the mean of.
        chosen: For each learner, the penalty of each fold, in ascending order of the folds.
        search_space: For each learner, the penalties that were compared.
        merit: For each fold, the mean over learners and inner folds of the AUROC of inner scores, by which features can
            be compared without looking at the fold; NaN where there are none.
    """

    scores: Floats
    model: str
    learners: tuple[str, ...]
    chosen: tuple[tuple[float, ...], ...]
    search_space: tuple[tuple[float, ...], ...]
    merit: tuple[float, ...]

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The penalty of each learner that was compared with others, by fold."""
        return tuple(
            Choice("penalty", space, chosen, "inner_auroc", learner=name)
            for name, chosen, space in zip(self.learners, self.chosen, self.search_space, strict=True)
            if len(space) > 1
        )


class Classifier(Protocol):
    """What scikit-learn's classifiers have in common."""

    def fit(self, features: Floats, is_member: NDArray[np.bool_]) -> Classifier:
        """Learn from images."""

    def decision_function(self, features: Floats) -> Floats:
        """Score images, higher = more like a member."""


@dataclass(frozen=True)
class Learner:
    """A kind of classifier.

    Attributes:
        penalties: What is compared, the one to take without a comparison first; a larger one makes a simpler model.
        build: From (penalty, number of features, seed) to a classifier that is yet to be fitted.
    """

    penalties: tuple[float, ...]
    build: Callable[[float, int, int], Classifier]


def _logistic(penalty: float, width: int, seed: int) -> Classifier:
    from sklearn.linear_model import LogisticRegression  # slow to import

    made: Classifier = LogisticRegression(C=1.0 / penalty, solver="newton-cholesky", max_iter=200)
    return made


def _trees(penalty: float, width: int, seed: int) -> Classifier:
    from sklearn.ensemble import HistGradientBoostingClassifier

    made: Classifier = HistGradientBoostingClassifier(
        max_iter=200,
        learning_rate=0.05,
        max_depth=3,
        max_bins=63,
        max_features=0.2,
        l2_regularization=penalty,
        early_stopping=False,
        random_state=seed,
    )
    return made


def _kernel(penalty: float, width: int, seed: int) -> Classifier:
    from sklearn.svm import SVC

    made: Classifier = SVC(C=1.0 / penalty, gamma=0.5 / width, kernel="rbf")
    return made


LEARNERS: Mapping[str, Learner] = {
    "logistic": Learner((100.0, 10.0, 1.0, 1000.0), _logistic),
    "trees": Learner((1.0,), _trees),
    "kernel": Learner((0.3,), _kernel),
}
"""Linear log odds; boosted trees of depth 3; a support vector machine with a Gaussian kernel."""
MODELS: Mapping[str, tuple[str, ...]] = {"mean": tuple(LEARNERS), **{name: (name,) for name in LEARNERS}}
"""Names that `out_of_fold` takes, and the learners that each is the mean of."""


def out_of_fold(
    features: ArrayLike, is_member: ArrayLike, folds: ArrayLike, model: str = "mean", seed: int = 0
) -> LearnedScores:
    """Score every image by models that were fitted on the other folds.

    For fold k and each learner, with the other folds j: models fitted without j and k score j, which gives every
    image outside k an inner score. The penalty with the largest mean AUROC of inner scores, fold by fold, is taken;
    a model with it is fitted on all other folds and scores k; that score is centred and scaled by the inner scores
    of non-members, so that folds can be ranked together and learners averaged. Features are brought to mean 0 and
    variance 1 of the images that a model is fitted on, and cut to the range that they had there.

    Where a model cannot be fitted without two folds (there are only two, or they hold all of one set), the first
    penalty and the unit of the images that the model was fitted on are taken.

    Args:
        features: ``(n, d)``; infinite values count as the largest or smallest finite one, constant columns as nothing.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `assign_folds`.
        model: ``logistic``, ``trees``, ``kernel``, or ``mean`` of the three.
        seed: Seed of the trees, which look at a random fifth of the features at each split.

    Returns:
        The scores and what was chosen; they do not depend on the order of the images.

    Raises:
        ConfigError: There is no such model.
        DataError: Shapes differ, there are no features, or a fold holds all members or all non-members.
        NonFiniteError: A feature is NaN.
    """
    if model not in MODELS:
        raise ConfigError([f"expected a model out of {', '.join(MODELS)}, got {model}"])
    table, member, labels = checked_table(features, is_member, folds)
    order = canonical_order(labels, member, table)
    table, member, labels = table[order], member[order], labels[order]
    parts = [_one(table, member, labels, LEARNERS[name], seed) for name in MODELS[model]]
    scores = np.empty(member.size)
    scores[order] = np.mean([part.scores for part in parts], axis=0)
    return LearnedScores(
        scores,
        model,
        MODELS[model],
        tuple(part.chosen for part in parts),
        tuple(LEARNERS[name].penalties for name in MODELS[model]),
        tuple(np.mean([part.merit for part in parts], axis=0).tolist()),
    )


@dataclass(frozen=True)
class _Fitted:
    """Scores of one learner; penalty and merit of each fold."""

    scores: Floats
    chosen: tuple[float, ...]
    merit: tuple[float, ...]


def _one(table: Floats, member: NDArray[np.bool_], labels: NDArray[np.int64], learner: Learner, seed: int) -> _Fitted:

    def fit(train: NDArray[np.bool_], own: NDArray[np.bool_], penalty: float) -> Floats:
        seen, unseen = standardised(table[train], table[own])
        fitted = learner.build(penalty, table.shape[1], seed).fit(seen, member[train])
        return np.asarray(fitted.decision_function(unseen), dtype=np.float64)

    parts = list(splits(labels, member))
    # inner[k] holds, for each penalty, scores of the images outside fold k by models that saw neither them nor k; NaN
    # where no model can be fitted without two folds, because they hold all of one set.
    inner = {fold: np.full((len(learner.penalties), member.size), np.nan) for fold in np.unique(labels)}
    for first, second, train in pairs(labels):
        if np.unique(member[train]).size < 2:
            continue
        for i, penalty in enumerate(learner.penalties):
            found = np.zeros(member.size)
            found[~train] = fit(train, ~train, penalty)
            inner[labels[first][0]][i, second] = found[second]
            inner[labels[second][0]][i, first] = found[first]
    scores, chosen, merit = np.empty(member.size), [], []
    for (own, others), seen in zip(parts, inner.values(), strict=True):
        areas = _areas(seen, member, labels)
        best = int(np.argmax(areas))
        reference, penalty = seen[best, ~np.isnan(seen[best]) & ~member], learner.penalties[best]
        if not reference.size:
            reference = fit(others, others & ~member, penalty)
        spread = float(reference.std())
        scores[own] = (fit(others, own, penalty) - reference.mean()) / (spread if spread > 0 else 1.0)
        chosen.append(penalty)
        merit.append(float(areas[best]))
    return _Fitted(scores, tuple(chosen), tuple(merit))


def _areas(inner: Floats, member: NDArray[np.bool_], labels: NDArray[np.int64]) -> Floats:
    """Mean AUROC over folds of the inner scores with each penalty; NaN, of which the first is taken, without any."""
    known = ~np.isnan(inner[0])
    parts = [known & (labels == fold) for fold in np.unique(labels[known])]
    parts = [part for part in parts if np.unique(member[part]).size == 2]
    if not parts:
        return np.full(len(inner), np.nan)
    return np.array([np.mean([auroc(row[part], member[part]) for part in parts]) for row in inner])
