"""Candidate scores on one scale, and observations that count once.

Nothing here looks at who is a suspect, so a score made here keeps the exchangeability of the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Observations:
    """Images, and the groups of dependent ones that count as one observation each.

    Attributes:
        images: ``(n, c)``, candidate scores of the images.
        unit: ``(n,)``, the observation that each image belongs to, 0 to u - 1.
        units: ``(u, c)``, mean of each observation's images.
    """

    images: Floats
    unit: NDArray[np.int64]
    units: Floats

    @property
    def sizes(self) -> NDArray[np.int64]:
        """``(u,)``, images of each observation."""
        return np.bincount(self.unit, minlength=len(self.units))

    @property
    def first(self) -> NDArray[np.intp]:
        """``(u,)``, the first image of each observation."""
        return np.unique(self.unit, return_index=True)[1]


def normal_scores(table: Floats) -> Floats:
    """Van der Waerden's scores of every column, and of their mean, which becomes one more column.

    z_ic = Phi^-1(r_ic / (n + 1)), r the midrank of image i in column c; infinite scores and columns in any unit are as
    good as others, and a monotone map of a column changes nothing. All columns without ties have the same moments.

    Args:
        table: ``(n, c)``, higher = more likely a member.

    Returns:
        ``(n, c + 1)``.
    """
    columns = _scored(table)
    # Rounding makes rows with equal columns tie whatever the order of the sum.
    return np.column_stack([columns, _scored(np.round(columns.mean(axis=1, keepdims=True), 12))])


def observe(images: Floats, keys: Sequence[str]) -> Observations:
    """Average images that belong together.

    Args:
        images: ``(n, c)``.
        keys: ``n``, equal for images of one observation.

    Returns:
        The observations, in the order of their first images.
    """
    place = {key: position for position, key in enumerate(dict.fromkeys(keys))}
    unit = np.array([place[key] for key in keys], dtype=np.int64)
    sums = np.zeros((len(place), images.shape[1]))
    np.add.at(sums, unit, images)
    return Observations(images, unit, sums / np.bincount(unit)[:, None])


def _scored(columns: Floats) -> Floats:
    from scipy.special import ndtri  # keeps ``import privaudit`` fast
    from scipy.stats import rankdata

    return np.asarray(ndtri(rankdata(columns, axis=0) / (len(columns) + 1)), dtype=np.float64)
