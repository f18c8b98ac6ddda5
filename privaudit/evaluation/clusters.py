"""Units of dependent images, such as copies, frames of one film or images of one person.

A unit is a set of images drawn together; different units are independent. An image without a group is its own unit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError


def unit_codes(units: ArrayLike | None, images: int) -> NDArray[np.intp]:
    """Number the units from 0 in the order of their first image.

    Args:
        units: ``(n,)``, labels, or None if every image is its own unit.
        images: Number of images, n.

    Returns:
        ``(n,)``, number of each image's unit.

    Raises:
        DataError: There is not one label per image.
    """
    if units is None:
        return np.arange(images)
    labels = np.asarray(units)
    if labels.shape != (images,):
        raise DataError(
            f"expected one unit per image, got shape {labels.shape} for {images} images; label all images, "
            "those without a group with distinct labels"
        )
    _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    # Rank of each label by its first image, so that the numbers do not depend on how labels sort.
    return np.asarray(np.argsort(np.argsort(first))[codes])


def unit_counts(codes: NDArray[np.intp], member: NDArray[np.bool_]) -> tuple[int, int]:
    """Number of units that hold a member, and number of units that hold a non-member.

    Args:
        codes: ``(n,)``, from `unit_codes`.
        member: ``(n,)``.

    Returns:
        The two counts; the numbers of images if every image is its own unit.
    """
    return np.unique(codes[member]).size, np.unique(codes[~member]).size


def effective_sizes(codes: NDArray[np.intp], member: NDArray[np.bool_]) -> tuple[float, float]:
    """Effective sample size of each set.

    n_eff = (sum_u n_u)^2 / sum_u n_u^2, for units of n_u images (Kish 1965, "Survey Sampling"). This treats the images
    of a unit as copies of each other, which is conservative if they are less alike.

    Args:
        codes: ``(n,)``, from `unit_codes`.
        member: ``(n,)``.

    Returns:
        Sizes for members and for non-members; 0 for an empty set, the numbers of images if every image is its own unit.
    """
    sizes = [np.unique(codes[part], return_counts=True)[1].astype(np.float64) for part in (member, ~member)]
    first, second = (float(size.sum() ** 2 / (size**2).sum()) if size.size else 0.0 for size in sizes)
    return first, second
