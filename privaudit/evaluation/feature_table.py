"""A table of features, one row per image, as models want it: checked, in one order, in one unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError, NonFiniteError


def checked_table(
    features: ArrayLike, is_member: ArrayLike, folds: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Bring features, labels and folds into one form.

    Args:
        features: ``(n, d)``, d >= 1; infinities are legal.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `privaudit.evaluation.assign_folds`.

    Returns:
        The same as float64, bool and integers.

    Raises:
        DataError: Shapes differ, or there are no features.
        NonFiniteError: A feature is NaN.
    """
    table = np.asarray(features, dtype=np.float64)
    member = np.asarray(is_member, dtype=np.bool_)
    labels = np.asarray(folds)
    if table.ndim != 2 or not table.shape[1] or not len(table) == member.size == labels.size:
        raise DataError(
            f"expected a row of at least one feature an image, got {table.shape} for {member.size} labels and "
            f"{labels.size} folds; pass the same images to all three"
        )
    if np.isnan(table).any():
        bad = np.flatnonzero(np.isnan(table).any(axis=0))
        raise NonFiniteError(
            f"expected features that are numbers, got NaN in {bad.size} of {table.shape[1]} columns, the first "
            f"at position {bad[0]}; leave these columns out or mend them"
        )
    return table, member, labels


def canonical_order(*columns: NDArray[np.generic]) -> NDArray[np.intp]:
    """An order of rows that does not depend on the one they come in, except among equal ones.

    Sums depend on the order of their terms in the last digit, and trees on the last digit of a sum.

    Args:
        columns: Each ``(n,)`` or ``(n, d)``.

    Returns:
        ``(n,)``, positions of the rows.
    """
    keys = [key for column in columns for key in np.atleast_2d(column.T)]
    return np.lexsort(keys)


def standardised(
    seen: NDArray[np.float64], unseen: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bring two tables to the mean, the standard deviation and the finite range of the first.

    Args:
        seen: ``(n, d)``, n >= 1, that a model is fitted on.
        unseen: ``(m, d)``, that it is applied to.

    Returns:
        Both, finite. Values beyond the range of ``seen``, infinite ones among them, are cut to its ends; a constant
        column is 0.
    """
    finite = np.isfinite(seen)
    low = np.where(finite, seen, np.inf).min(axis=0)
    high = np.where(finite, seen, -np.inf).max(axis=0)
    low, high = np.where(finite.any(axis=0), (low, high), 0.0)
    seen, unseen = np.clip(seen, low, high), np.clip(unseen, low, high)
    centre, spread = seen.mean(axis=0), seen.std(axis=0)
    spread = np.where(spread > 1e-12 * np.abs(centre), spread, np.inf)  # of a constant, all there is is rounding
    return (seen - centre) / spread, (unseen - centre) / spread
