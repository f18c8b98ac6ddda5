"""Scores computed without membership labels, by which suspects and canaries are judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation import Candidate
from privaudit.scorers import ErrorTable

FIXED_MASKS = ("none", "weighted")
"""Masks of the scores; these exist whatever fractions are dropped."""


def candidates(
    tables: Sequence[ErrorTable], references: Sequence[ErrorTable]
) -> tuple[NDArray[np.float64], tuple[Candidate, ...]]:
    """Collect the scores of every attack at every level under the masks that do not depend on a fraction to drop.

    Args:
        tables: Scores of each attack.
        references: Scores of each attack on the reference model; empty without one.

    Returns:
        Scores ``(n, candidates)``, higher = more likely a member, and a description of each column.
    """
    columns: list[NDArray[np.float64]] = []
    listed: list[Candidate] = []
    others: Sequence[ErrorTable | None] = references or [None] * len(tables)
    for table, reference in zip(tables, others, strict=True):
        if table.learned:  # features become scores only through known membership
            continue
        for mask in FIXED_MASKS:
            scores = {table.name: table.by_mask[mask]}
            if reference is not None:
                scores[f"{table.name}-reference"] = table.by_mask[mask] - reference.by_mask[mask]
            for name, values in scores.items():
                columns.append(values)
                listed += [Candidate(name, label, mask) for label in table.labels or (None,)]
    return np.concatenate(columns, axis=1), tuple(listed)
