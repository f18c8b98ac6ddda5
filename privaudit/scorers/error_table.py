"""Scores of one attack, as columns of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from privaudit.decoder_geometry import hard_mask
from privaudit.evaluation import Label

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ErrorTable:
    """Scores of one attack on every image, one column per candidate.

    Attributes:
        name: Name of the attack in reports.
        axis: Meaning of the columns, such as ``level``.
        candidates: Values of the columns; empty if there is one score, or if the columns are features.
        by_mask: Scores by mask name, each ``(n, columns)``, higher = more likely a member; features of a learned
            attack.
        scale: Kind of the errors, which are minus the scores: a positive ``energy``, the ``log`` of one, or ``other``.
        learned: Whether the columns are features.
        drops: Fractions that the hard masks drop, if several are compared. ``by_mask`` then has one mask of each kind
            per fraction (see `privaudit.decoder_geometry.mask_names`).
        names: Names of the columns, if their values do not name them.
    """

    name: str
    axis: str
    candidates: tuple[float, ...]
    by_mask: Mapping[str, Floats]
    scale: str = "other"
    learned: bool = False
    drops: tuple[float, ...] = ()
    names: tuple[Label, ...] = ()

    @property
    def labels(self) -> tuple[Label, ...]:
        """Names of the candidates; empty if there is one score, or if the columns are features."""
        return self.names or self.candidates

    def hard(self, mask: str) -> dict[float | None, Floats]:
        """Scores under a hard mask, by the fraction that it drops; the key is None if only one is used."""
        if not self.drops:
            return {None: self.by_mask[mask]}
        return {drop: self.by_mask[hard_mask(mask, drop, self.drops)] for drop in self.drops}


def minus(table: ErrorTable, reference: ErrorTable) -> ErrorTable:
    """Subtract from every error the same error on another model."""
    gains = {mask: values - reference.by_mask[mask] for mask, values in table.by_mask.items()}
    return replace(table, name=f"{table.name}-reference", by_mask=gains, scale="other")


def join(name: str, tables: Sequence[ErrorTable], prefixes: Sequence[str]) -> ErrorTable:
    """Put the candidates of several attacks next to each other, to choose among them all.

    Args:
        name: Name of the result.
        tables: Tables of the same images under the same masks, either all of scores or all of features.
        prefixes: Prefix for the candidate names of each table, such as ``order 4``.

    Returns:
        One table, with NaN as the value of a column that has none. Masks that some table lacks, such as influence
        deciles, are left out.
    """
    shared = [mask for mask in tables[0].by_mask if all(mask in table.by_mask for table in tables)]
    names: list[Label] = []
    for table, prefix in zip(tables, prefixes, strict=True):
        names += [f"{prefix}, {table.axis} {column:g}" for column in table.candidates] or [prefix]
    learned = any(table.learned for table in tables)
    return ErrorTable(
        name=name,
        axis=tables[0].axis,
        candidates=() if learned else tuple(v for table in tables for v in table.candidates or (float("nan"),)),
        by_mask={mask: np.hstack([table.by_mask[mask] for table in tables]) for mask in shared},
        learned=learned,
        drops=tables[0].drops,
        names=() if learned else tuple(names),
    )
