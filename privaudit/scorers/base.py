"""What a scorer is: it makes a new score of what the attacks found, without asking the model again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privaudit.spec import Named

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """What one attack found.

    Attributes:
        name: Of the attack, in reports.
        axis: What its columns are.
        columns: Their values; empty if there is one score, or if they are features.
        by_mask: Mask to ``(n, columns)``, higher = more likely a member; features of a learned attack.
        scale: What minus a score is: an ``energy``, positive; the ``log`` of one; or ``other``.
        learned: Whether these are features.
    """

    name: str
    axis: str
    columns: tuple[float, ...]
    by_mask: Mapping[str, Floats]
    scale: str = "other"
    learned: bool = False


@dataclass(frozen=True)
class Evidence:
    """Everything that a scorer may look at.

    Attributes:
        tables: What each attack found on the target.
        references: The same on the reference model, if there is one.
        chosen: (attack, mask) to ``(n,)``: every reported score, those minus the reference's among them.
        published: Names of the published attacks among them.
        distortion: ``(n,)``, local distortion of the decoder.
        images: ``(n, d)``, statistics of the images alone.
        is_member: ``(n,)``; a scorer may use it for images of other folds only.
        folds: ``(n,)``, groups kept together.
        seed: Of the audit.
    """

    tables: tuple[Table, ...]
    references: tuple[Table, ...]
    chosen: Mapping[tuple[str, str], Floats]
    published: tuple[str, ...]
    distortion: Floats
    images: Floats
    is_member: NDArray[np.bool_]
    folds: NDArray[np.int64]
    seed: int


@dataclass(frozen=True)
class Scorer(Named, ABC):
    """Base of all scorers: frozen dataclasses of parameters.

    Attributes:
        fitted: Whether members, too, are what it is fitted to, so that its scores share training images.
    """

    fitted: ClassVar[bool] = False

    @property
    def title(self) -> str:
        """Name in reports and on the command line."""
        return self.name

    @abstractmethod
    def score(self, evidence: Evidence) -> tuple[dict[str, Floats], str]:
        """Score every image by a model that has not seen its fold.

        Args:
            evidence: What the attacks found.

        Returns:
            Mask to ``(n,)``, higher = more likely a member, and in words how the score was chosen.
        """


REGISTRY: dict[str, type[Scorer]] = {}


def register(kind: type[Scorer]) -> type[Scorer]:
    """Add a scorer to the registry under its ``name``; its file is found by `privaudit.scorers`."""
    REGISTRY[kind.name] = kind
    return kind
