"""Normal scores, which put all candidates on one scale, and averages over dependent images.

Nothing here depends on which images are suspects, so that these scores preserve the exchangeability of the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Observations:
    """Scores of images and of observations, each a group of dependent images or a single image.

    Attributes:
        images: ``(n, c)``, candidate scores of the images.
        unit: ``(n,)``, observation of each image, 0 to u - 1.
        units: ``(u, c)``, mean score of each observation's images.
    """

    images: Floats
    unit: NDArray[np.int64]
    units: Floats

    @property
    def sizes(self) -> NDArray[np.int64]:
        """``(u,)``, number of images of each observation."""
        return np.bincount(self.unit, minlength=len(self.units))

    @property
    def first(self) -> NDArray[np.intp]:
        """``(u,)``, position of the first image of each observation."""
        return np.unique(self.unit, return_index=True)[1]


def normal_scores(table: Floats) -> Floats:
    """Van der Waerden's normal scores of every column, with the normal scores of their mean as an additional column.

    z_ic = Phi^-1(r_ic / (n + 1)), where r_ic is the midrank of image i in column c. Infinite scores are allowed,
    monotone maps of a column have no effect, and all columns without ties have the same moments.

    Args:
        table: ``(n, c)``, higher = more likely a member.

    Returns:
        ``(n, c + 1)``.
    """
    columns = _normal_quantiles(table)
    # Rounded, so that rows whose means are equal up to rounding tie.
    return np.column_stack([columns, _normal_quantiles(np.round(columns.mean(axis=1, keepdims=True), 12))])


def observe(images: Floats, keys: Sequence[str]) -> Observations:
    """Average the scores of the images of each observation.

    Args:
        images: ``(n, c)``.
        keys: ``n`` keys, equal for images of one observation.

    Returns:
        The observations, in the order of their first images.
    """
    number_of = {key: position for position, key in enumerate(dict.fromkeys(keys))}
    unit = np.array([number_of[key] for key in keys], dtype=np.int64)
    sums = np.zeros((len(number_of), images.shape[1]))
    np.add.at(sums, unit, images)
    return Observations(images, unit, sums / np.bincount(unit)[:, None])


def _normal_quantiles(columns: Floats) -> Floats:
    from scipy.special import ndtri  # keeps ``import privaudit`` fast
    from scipy.stats import rankdata

    return np.asarray(ndtri(rankdata(columns, axis=0) / (len(columns) + 1)), dtype=np.float64)
