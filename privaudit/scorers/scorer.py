"""What a scorer is: it makes a new score of what the attacks found, without asking the model again."""

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
    """Everything that a scorer may look at.

    Attributes:
        tables: What each attack found on the target.
        references: The same on the reference model, if there is one.
        chosen: (attack, mask) to ``(n,)``: every reported score, those minus the reference's among them.
        published: Names of the tables of published attacks.
        distortion: ``(n,)``, local distortion of the decoder.
        images: ``(n, d)``, statistics of the images alone.
        is_member: ``(n,)``; a scorer may use it for images of other folds only.
        folds: ``(n,)``, groups kept together.
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
    """What a scorer made.

    Attributes:
        scores: Mask to ``(n,)``, higher = more likely a member; ``none`` alone for a score that weighs dimensions or
            chooses a mask itself.
        choices: All that was chosen, by fold.
        inflation: Factor by which the choice of a candidate inflates the standard deviation of the AUROC.
        learners: Kinds of classifiers that it is the mean of; empty if none was fitted.
    """

    scores: Mapping[str, Floats]
    choices: tuple[Choice, ...] = ()
    inflation: float = 1.0
    learners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scorer(Named, ABC):
    """Base of all scorers: frozen dataclasses of parameters.

    Attributes:
        fitted: Whether members, too, are what it is fitted to, so that its scores share training images.
    """

    fitted: ClassVar[bool] = False

    @abstractmethod
    def score(self, evidence: Evidence) -> Scored:
        """Score every image by what was chosen or fitted without its fold.

        Args:
            evidence: What the attacks found.

        Returns:
            The scores, and how they came about.
        """


SCORERS = KindRegistry[Scorer]("a scorer", folder="privaudit.scorers", listed_by="privaudit attacks")
register = SCORERS.register
