"""What a scorer is: it combines the scores of attacks into a new one, without running the model again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation import Choice
from privaudit.registry import KindRegistry, Named
from privaudit.scorers.error_table import ErrorTable, Floats


@dataclass(frozen=True)
class Evidence:
    """Everything that a scorer may use.

    Attributes:
        tables: Scores of each attack on the target.
        references: Scores of the same attacks on the reference model, if there is one.
        chosen: Every reported score by (attack, mask), ``(n,)``, including differences from the reference model.
        published: Names of the tables of published attacks.
        distortion: Local distortion of the decoder, ``(n,)``.
        images: Statistics of the images alone, ``(n, d)``.
        is_member: Membership, ``(n,)``; a scorer may use it for images of other folds only.
        folds: Fold of each image, ``(n,)``; a group of related images is never split.
        seed: Seed of the audit.
    """

    tables: tuple[ErrorTable, ...]
    references: tuple[ErrorTable, ...]
    chosen: Mapping[tuple[str, str], Floats]
    published: tuple[str, ...]
    distortion: Floats
    images: Floats
    is_member: NDArray[np.bool_]
    folds: NDArray[np.int64]
    seed: int


@dataclass(frozen=True)
class Scored:
    """Scores of a scorer, and how they were obtained.

    Attributes:
        scores: Scores by mask, each ``(n,)``, higher = more likely a member. A score that weighs dimensions or chooses
            a mask itself has the mask ``none`` alone.
        choices: All choices, with the value for each fold.
        inflation: Factor by which the choice of a candidate inflates the standard deviation of the AUROC.
        learners: Kinds of classifiers whose mean is the score; empty if none was fitted.
    """

    scores: Mapping[str, Floats]
    choices: tuple[Choice, ...] = ()
    inflation: float = 1.0
    learners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scorer(Named, ABC):
    """Base of all scorers: frozen dataclasses of parameters.

    Attributes:
        fitted: Whether a model is fitted to members and non-members. The scores of several images then depend on the
            same training images.
    """

    fitted: ClassVar[bool] = False

    @abstractmethod
    def score(self, evidence: Evidence) -> Scored:
        """Score all images, each by choices and fits that exclude its fold.

        Args:
            evidence: Scores of the attacks, geometry and image statistics.

        Returns:
            The scores, and how they were obtained.
        """


SCORERS = KindRegistry[Scorer]("a scorer", folder="privaudit.scorers", listed_by="privaudit attacks")
register = SCORERS.register
