"""Images that were not drawn one by one: copies, frames of one film, pictures of one person.

What was drawn independently is called a unit. An image that belongs to no group is a unit by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError


def unit_codes(units: ArrayLike | None, images: int) -> NDArray[np.intp]:
    """Number the units from 0 in the order of their first image.

    Args:
        units: ``(n,)``, labels, or None if every image is a unit by itself.
        images: n.

    Returns:
        ``(n,)``.

    Raises:
        DataError: There is not one label per image.
    """
    if units is None:
        return np.arange(images)
    labels = np.asarray(units)
    if labels.shape != (images,):
        raise DataError(
            f"expected one unit an image, got shape {labels.shape} for {images} images; label every image, "
            "one that belongs to no group with a label of its own"
        )
    _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[codes])


def unit_counts(codes: NDArray[np.intp], member: NDArray[np.bool_]) -> tuple[int, int]:
    """Units that hold a member, and units that hold a non-member.

    Args:
        codes: ``(n,)``, from `unit_codes`.
        member: ``(n,)``.

    Returns:
        The two counts; the numbers of images if all units are single.
    """
    return np.unique(codes[member]).size, np.unique(codes[~member]).size


def effective_sizes(codes: NDArray[np.intp], member: NDArray[np.bool_]) -> tuple[float, float]:
    """Independent images that vary as little as these do at worst, in each set.

    n_eff = (sum_u n_u)^2 / sum_u n_u^2, for units of n_u images (Kish 1965, "Survey Sampling"). That takes the images
    of a unit for copies of each other; the less alike they are, the more careful it is.

    Args:
        codes: ``(n,)``, from `unit_codes`.
        member: ``(n,)``.

    Returns:
        For members and non-members; 0 for an empty set, the numbers of images if all units are single.
    """
    sizes = [np.unique(codes[part], return_counts=True)[1].astype(np.float64) for part in (member, ~member)]
    first, second = (float(size.sum() ** 2 / (size**2).sum()) if size.size else 0.0 for size in sizes)
    return first, second
