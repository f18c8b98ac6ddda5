"""One score an image for each line of a report: a level chosen by cross-fitting, or a model fitted to other folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from privaudit.attacks import Attack
from privaudit.evaluation import apply_choice, cross_fit
from privaudit.evaluation.learned import out_of_fold
from privaudit.geometry import MASKS
from privaudit.scorers import Evidence, Scorer, Table

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]
Kind = Literal["published", "ours", "reference", "learned"]


@dataclass(frozen=True)
class Entry:
    """What becomes one line of the report.

    Attributes:
        name: In the report.
        kind: Published attack, attack minus reference, or learned from other images.
        method: The attack or scorer.
        axis: What was chosen.
        columns: The values that were compared.
        chosen: The value of each fold.
        level_of_image: ``(n,)``, the value that each image's score came from; NaN without a choice.
        selected_on: How it was chosen, in words.
        scores: Mask to ``(n,)``, higher = more likely a member.
        fitted: Whether its scores come from models that were fitted to the other folds.
    """

    name: str
    kind: Kind
    method: Attack | Scorer
    axis: str
    columns: tuple[float, ...]
    chosen: tuple[float, ...]
    level_of_image: Floats
    selected_on: str
    scores: Mapping[str, Floats]
    fitted: bool = False

    @property
    def reference(self) -> str:
        """Where it was published."""
        return self.method.reference


def plain(attack: Attack, table: Table, is_member: Booleans, folds: Integers, seed: int) -> Entry:
    """Choose the level of an attack for each fold on the others, on its unmasked score, for all masks.

    Args:
        attack: The attack.
        table: What it found.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        seed: Of what is fitted to the features of a learned attack.

    Returns:
        Its entry.
    """
    return _entry(
        table.name, "published" if attack.published else "ours", attack, table.by_mask, is_member, folds, seed
    )


def calibrated(
    attack: Attack, table: Table, reference: Table, is_member: Booleans, folds: Integers, seed: int
) -> Entry:
    """Subtract from every error the same error on the reference model, with the same noise.

    Args:
        attack: The attack.
        table: What it found on the target.
        reference: What it found on the reference.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        seed: Of what is fitted to the features of a learned attack.

    Returns:
        The entry of the difference.
    """
    gains = {mask: values - reference.by_mask[mask] for mask, values in table.by_mask.items()}
    return _entry(f"{table.name}-reference", "reference", attack, gains, is_member, folds, seed)


def learned(scorer: Scorer, evidence: Evidence) -> Entry:
    """Let a scorer score.

    Args:
        scorer: The scorer.
        evidence: What the attacks found.

    Returns:
        Its entry.
    """
    scores, how = scorer.score(evidence)
    unknown = np.full(len(evidence.is_member), np.nan)
    return Entry(scorer.title, "learned", scorer, "level", (), (), unknown, how, scores, fitted=scorer.fitted)


def _entry(
    name: str,
    kind: Kind,
    attack: Attack,
    by_mask: Mapping[str, Floats],
    is_member: Booleans,
    folds: Integers,
    seed: int,
) -> Entry:
    tables = {mask: by_mask[mask] for mask in MASKS}
    unknown = np.full(len(is_member), np.nan)
    if attack.learned:
        models = {mask: out_of_fold(table, is_member, folds, seed=seed) for mask, table in tables.items()}
        how = f"cross-fitting: {models['none'].summary}"
        scores = {mask: model.scores for mask, model in models.items()}
        return Entry(name, kind, attack, attack.axis, (), (), unknown, how, scores, fitted=True)
    if not attack.columns:
        scores = {mask: table[:, 0] for mask, table in tables.items()}
        return Entry(name, kind, attack, attack.axis, (), (), unknown, "nothing to choose", scores)
    choice = cross_fit(tables["none"], attack.columns, is_member, folds)
    scores = {mask: apply_choice(table, choice, is_member, folds) for mask, table in tables.items()}
    at = np.asarray(attack.columns)[choice.index]
    count = len(np.unique(folds))
    how = "fixed beforehand"
    if len(attack.columns) > 1:
        how = (
            f"cross-fitting: for each of {count} folds, the {attack.axis} of highest unmasked AUROC on the other folds"
        )
    return Entry(name, kind, attack, attack.axis, attack.columns, choice.chosen, at, how, scores)
