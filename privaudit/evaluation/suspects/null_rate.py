"""Measured type-I error rates of the tests of suspects, on splits of the non-members into two sets.

This validates the procedure, including the choice of the candidate. It cannot show that the real suspects differ from
the non-members in nothing but membership.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation.estimate import Estimate
from privaudit.evaluation.facts import Fact, fact
from privaudit.evaluation.intervals import clopper_pearson
from privaudit.evaluation.suspects.conformal import image_tests
from privaudit.evaluation.suspects.normal_scores import Observations
from privaudit.evaluation.suspects.set_permutation import set_test

PERMUTATIONS = 199
"""Number of permutations per repeat, enough for levels down to 0.5 %."""
MAX_OBSERVATIONS = 2000
"""Maximum number of observations that are used; more would not make the measured rates more precise."""
MIN_OBSERVATIONS = 4
"""Minimum number of observations, two of which serve as pseudo-suspects."""


@dataclass(frozen=True)
class NullRates:
    """Fractions of the repeats with a false positive.

    Attributes:
        set_test: Fraction of repeats in which the set test had p <= alpha.
        images: Fraction of repeats in which an image was flagged at the false discovery rate.
        repeats: Number of repeats.
    """

    set_test: Estimate
    images: Estimate
    repeats: int


def null_rates(
    nonmembers: Observations,
    suspects: int,
    folds: int,
    *,
    alpha: float,
    rate: float,
    repeats: int,
    generator: np.random.Generator,
) -> NullRates:
    """Repeatedly split the non-members at random into pseudo-suspects and non-members, and test each split.

    Args:
        nonmembers: Non-members, with normal scores computed among themselves.
        suspects: Number of observations among the real suspects; at most half of the non-members are pseudo-suspects.
        folds: Number of folds of the set test.
        alpha: Level of the set test.
        rate: False discovery rate of the images.
        repeats: Number of splits.
        generator: Generator of the splits.

    Returns:
        Fractions with exact 95 % intervals; NaN with a reason if there are fewer than `MIN_OBSERVATIONS`, no repeats,
        or a level that is too small for `PERMUTATIONS`.
    """
    count = min(len(nonmembers.units), MAX_OBSERVATIONS)
    pseudo = min(suspects, count // 2)
    reason: Fact | None = None
    if count < MIN_OBSERVATIONS:
        reason = fact("splits_need_nonmembers", needed=MIN_OBSERVATIONS, nonmembers=count)
    elif repeats < 1:
        reason = fact("no_splits_requested")
    elif (PERMUTATIONS + 1) * alpha < 1.0:
        reason = fact("splits_cannot_resolve", permutations=PERMUTATIONS, level=alpha)
    if reason is not None:
        unknown = Estimate(math.nan, math.nan, math.nan, reason)
        return NullRates(unknown, unknown, 0)
    fold_count = max(1, min(folds, pseudo, count - pseudo))
    is_suspect = np.arange(count) < pseudo
    # The same folds in every repeat, since the observations are shuffled instead.
    folds_of_observations = np.where(is_suspect, np.arange(count), np.arange(count) - pseudo) % fold_count
    detections = np.zeros(2, dtype=np.int64)
    for _ in range(repeats):
        subset = _subset(nonmembers, generator.permutation(len(nonmembers.units))[:count])
        detections[0] += set_test(subset.units, is_suspect, folds_of_observations, PERMUTATIONS, generator).p <= alpha
        detections[1] += image_tests(subset, is_suspect).flagged(rate) > 0
    note = None if pseudo == suspects else fact("fewer_pseudo_suspects", images=pseudo)
    return NullRates(
        _fraction(int(detections[0]), repeats, note), _fraction(int(detections[1]), repeats, note), repeats
    )


def _subset(observed: Observations, order: NDArray[np.int64]) -> Observations:
    """The observations at these positions, in this order."""
    new_position = np.full(len(observed.units), -1)
    new_position[order] = np.arange(len(order))
    unit = new_position[observed.unit]
    return Observations(observed.images[unit >= 0], unit[unit >= 0], observed.units[order])


def _fraction(k: int, n: int, reason: Fact | None) -> Estimate:
    low, high = (float(clopper_pearson(k, n, 0.025, side)) for side in ("lower", "upper"))
    return Estimate(k / n, low, high, reason)
