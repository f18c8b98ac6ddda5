"""What one attack found, as columns of candidates."""

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
    """What one attack found.

    Attributes:
        name: Name of the attack, in reports.
        axis: What its columns are.
        candidates: Values of its columns; empty if there is one score, or if they are features.
        by_mask: Mask to ``(n, columns)``, higher = more likely a member; features of a learned attack.
        scale: What minus a score is: an ``energy``, positive; the ``log`` of one; or ``other``.
        learned: Whether these are features.
        drops: Fractions that the hard masks drop, if several are compared: ``by_mask`` then has one of each kind per
            fraction (see `privaudit.decoder_geometry.mask_names`).
        names: What the columns are called, if not by their values.
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
        """What the candidates are called; empty if there is one score, or if they are features."""
        return self.names or self.candidates

    def hard(self, mask: str) -> dict[float | None, Floats]:
        """A hard mask by the fraction that it drops; None for the only one."""
        if not self.drops:
            return {None: self.by_mask[mask]}
        return {drop: self.by_mask[hard_mask(mask, drop, self.drops)] for drop in self.drops}


def minus(table: ErrorTable, reference: ErrorTable) -> ErrorTable:
    """Subtract from every error the same error on another model."""
    gains = {mask: values - reference.by_mask[mask] for mask, values in table.by_mask.items()}
    return replace(table, name=f"{table.name}-reference", by_mask=gains, scale="other")


def join(name: str, tables: Sequence[ErrorTable], called: Sequence[str]) -> ErrorTable:
    """Put the candidates of several attacks next to each other, to choose among them all.

    Args:
        name: Name of the result.
        tables: What each found; of scores, or all of features, on the same images under the same masks.
        called: Prefix of the names of each one's candidates, such as ``order 4``.

    Returns:
        One table; a column that has no value of its own has NaN. Influence deciles are left out.
    """
    shared = [mask for mask in tables[0].by_mask if all(mask in table.by_mask for table in tables)]
    names: list[Label] = []
    for table, prefix in zip(tables, called, strict=True):
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
