"""How often the procedure finds something where there is nothing: non-members against non-members.

This checks the procedure, with its choice among the candidates. It cannot check that the real suspects differ from
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
"""Of each repeat; levels down to 0.5 % are then resolved."""
MAX_OBSERVATIONS = 2000
"""Maximum number of observations that take part; a rate does not get better with more."""
MIN_OBSERVATIONS = 4
"""Minimum number of observations, of which two take the place of suspects."""


@dataclass(frozen=True)
class NullRates:
    """Shares of repeats in which something was found.

    Attributes:
        set_test: The set test gave p <= alpha.
        images: Some image was flagged at the false discovery rate.
        repeats: Number of splits.
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
    """Split the non-members at random into pseudo-suspects and the rest, many times, and judge each split.

    Args:
        nonmembers: Non-members, on which the candidates have been scored anew.
        suspects: Observations of the real suspects; at most half of the non-members take their place.
        folds: Folds of the set test.
        alpha: Level of the set test.
        rate: False discovery rate of the images.
        repeats: Number of splits.
        generator: Generator of the splits.

    Returns:
        Shares with exact 95 % intervals; NaN with a reason for fewer than 4 observations, or a level that the
        permutations of a repeat do not resolve.
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
    used = max(1, min(folds, pseudo, count - pseudo))
    is_suspect = np.arange(count) < pseudo
    deal = np.where(is_suspect, np.arange(count), np.arange(count) - pseudo) % used
    found = np.zeros(2, dtype=np.int64)
    for _ in range(repeats):
        part = _some(nonmembers, generator.permutation(len(nonmembers.units))[:count])
        found[0] += set_test(part.units, is_suspect, deal, PERMUTATIONS, generator).p <= alpha
        found[1] += image_tests(part, is_suspect).flagged(rate) > 0
    note = None if pseudo == suspects else fact("fewer_pseudo_suspects", images=pseudo)
    return NullRates(_share(int(found[0]), repeats, note), _share(int(found[1]), repeats, note), repeats)


def _some(observed: Observations, order: NDArray[np.int64]) -> Observations:
    """Some of the observations, in another order."""
    place = np.full(len(observed.units), -1)
    place[order] = np.arange(len(order))
    unit = place[observed.unit]
    return Observations(observed.images[unit >= 0], unit[unit >= 0], observed.units[order])


def _share(k: int, n: int, reason: Fact | None) -> Estimate:
    low, high = (float(clopper_pearson(k, n, 0.025, side)) for side in ("lower", "upper"))
    return Estimate(k / n, low, high, reason)
