"""Feature tables, one row per image: validation, canonical row order and standardisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError, NonFiniteError


def checked_table(
    features: ArrayLike, is_member: ArrayLike, folds: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Validate features, labels and folds and convert them to arrays.

    Args:
        features: ``(n, d)``, d >= 1; infinities are allowed.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `privaudit.evaluation.assign_folds`.

    Returns:
        The arguments as arrays of float64, bool and integers.

    Raises:
        DataError: Shapes differ, or there are no features.
        NonFiniteError: A feature is NaN.
    """
    table = np.asarray(features, dtype=np.float64)
    member = np.asarray(is_member, dtype=np.bool_)
    labels = np.asarray(folds)
    if table.ndim != 2 or not table.shape[1] or not len(table) == member.size == labels.size:
        raise DataError(
            f"expected one row of at least one feature per image, got {table.shape} for {member.size} labels and "
            f"{labels.size} folds; pass the same images to all three"
        )
    if np.isnan(table).any():
        bad = np.flatnonzero(np.isnan(table).any(axis=0))
        raise NonFiniteError(
            f"expected features without NaN, got NaN in {bad.size} of {table.shape[1]} columns, the first "
            f"at position {bad[0]}; leave these columns out or fix their values"
        )
    return table, member, labels


def canonical_order(*columns: NDArray[np.generic]) -> NDArray[np.intp]:
    """Sort the rows, so that models fitted on them do not depend on the order in which images are passed.

    The order of the terms affects the last digit of a sum, and the last digit of a sum can affect the splits of a tree.

    Args:
        columns: Columns to sort by, each ``(n,)`` or ``(n, d)``; later ones take precedence.

    Returns:
        ``(n,)``, positions of the rows in sorted order.
    """
    keys = [key for column in columns for key in np.atleast_2d(column.T)]
    return np.lexsort(keys)


def standardised(
    train: NDArray[np.float64], test: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Clip and standardise two tables by the finite range, mean and standard deviation of the first.

    Args:
        train: ``(n, d)``, n >= 1, features that a model is fitted on.
        test: ``(m, d)``, features that it is applied to.

    Returns:
        Both tables, finite. Values beyond the finite range of ``train``, including infinite ones, are clipped to it;
        a column that is constant in ``train`` becomes 0.
    """
    finite = np.isfinite(train)
    low = np.where(finite, train, np.inf).min(axis=0)
    high = np.where(finite, train, -np.inf).max(axis=0)
    low, high = np.where(finite.any(axis=0), (low, high), 0.0)
    train, test = np.clip(train, low, high), np.clip(test, low, high)
    mean, sd = train.mean(axis=0), train.std(axis=0)
    # The standard deviation of a constant column is rounding error; infinity makes the column 0.
    sd = np.where(sd > 1e-12 * np.abs(mean), sd, np.inf)
    return (train - mean) / sd, (test - mean) / sd
