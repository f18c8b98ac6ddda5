"""Scores that no label had a part in, side by side: what suspects and canaries are judged by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from privaudit.scorers import ErrorTable

MASKS = ("none", "weighted")
"""Under which masks: these two exist whatever share is dropped."""


def candidates(
    tables: Sequence[ErrorTable], references: Sequence[ErrorTable]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Every attack at every level under every mask.

    Returns:
        ``(n, c)``, higher = more likely a member, and the names of the columns.
    """
    columns, names = [], []
    others: Sequence[ErrorTable | None] = references or [None] * len(tables)
    for table, reference in zip(tables, others, strict=True):
        if table.learned:  # features, which are scores only once it is known which images are members
            continue
        for mask in MASKS:
            found = {table.name: table.by_mask[mask]}
            if reference is not None:
                found[f"{table.name}-reference"] = table.by_mask[mask] - reference.by_mask[mask]
            for name, values in found.items():
                columns.append(values)
                names += [f"{name}{at}/{mask}" for at in _where(table)]
    return np.concatenate(columns, axis=1), tuple(names)


def _where(table: ErrorTable) -> list[str]:
    return [f"@{label}" if isinstance(label, str) else f"@{label:g}" for label in table.labels] or [""]
