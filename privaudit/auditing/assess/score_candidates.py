"""Scores that no label had a part in, side by side: what suspects and canaries are judged by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation import Candidate
from privaudit.scorers import ErrorTable

MASKS = ("none", "weighted")
"""Under which masks: these two exist whatever share is dropped."""


def candidates(
    tables: Sequence[ErrorTable], references: Sequence[ErrorTable]
) -> tuple[NDArray[np.float64], tuple[Candidate, ...]]:
    """Every attack at every level under every mask.

    Returns:
        ``(n, c)``, higher = more likely a member, and what the columns are.
    """
    columns: list[NDArray[np.float64]] = []
    listed: list[Candidate] = []
    others: Sequence[ErrorTable | None] = references or [None] * len(tables)
    for table, reference in zip(tables, others, strict=True):
        if table.learned:  # features, which are scores only once it is known which images are members
            continue
        for mask in MASKS:
            scores = {table.name: table.by_mask[mask]}
            if reference is not None:
                scores[f"{table.name}-reference"] = table.by_mask[mask] - reference.by_mask[mask]
            for name, values in scores.items():
                columns.append(values)
                listed += [Candidate(name, label, mask) for label in table.labels or (None,)]
    return np.concatenate(columns, axis=1), tuple(listed)
