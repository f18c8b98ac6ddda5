"""On canaries whose coins are known: which score to guess by, and how many guesses to make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation.intervals import clopper_pearson

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Shares of the canaries that may be guessed in, and that may be guessed out."""


@dataclass(frozen=True)
class Guesses:
    """How coins will be guessed.

    Attributes:
        column: Score that they are guessed by.
        share_in: Fraction of the canaries with the highest scores that are guessed in.
        share_out: Fraction of the canaries with the lowest scores that are guessed out.
    """

    column: int
    share_in: float
    share_out: float


def choose_guesses(scores: NDArray[np.float64], coins: NDArray[np.bool_], audited: int, confidence: float) -> Guesses:
    """Take the score and the pair of `SHARES` with the largest lower confidence limit on the share of right guesses.

    The limit is Clopper-Pearson's, which the bound on epsilon is the logit of (without delta): many guesses of which
    most are right beat a few that are all right. Pairs that give too few guesses to prove anything are left out.

    Args:
        scores: ``(n, c)``, of the pilot, in random order: equal scores stand as they come.
        coins: ``(n,)``, of the pilot.
        audited: Canaries that will be guessed afterwards, at least one more than `fewest_guesses`.
        confidence: Confidence level of the limit.

    Returns:
        The choice; of equally good ones the first.
    """
    size, needed = len(coins), fewest_guesses(confidence)
    now, later = ([how_many(share, count) for share in SHARES] for count in (size, audited))
    both = [(i, j) for i in range(len(SHARES)) for j in range(len(SHARES))]
    pairs = [(i, j) for i, j in both if now[i] + now[j] <= size and later[i] + later[j] >= needed]
    best, chosen = -1.0, Guesses(0, SHARES[-1], SHARES[-1])
    for column, values in enumerate(scores.T):
        ranked = coins[np.argsort(-values, kind="stable")]
        right_in = np.concatenate([[0], np.cumsum(ranked)])[now]
        right_out = np.concatenate([[0], np.cumsum(~ranked[::-1])])[now]
        limits = [
            float(clopper_pearson(right_in[i] + right_out[j], now[i] + now[j], 1.0 - confidence, "lower"))
            for i, j in pairs
        ]
        place = int(np.argmax(limits))
        if limits[place] > best:
            i, j = pairs[place]
            best, chosen = limits[place], Guesses(column, SHARES[i], SHARES[j])
    return chosen


def how_many(share: float, count: int) -> int:
    """Canaries in a share of some: rounded down, but at least one unless the share is 0."""
    return 0 if share == 0.0 else max(1, int(share * count))


def fewest_guesses(confidence: float) -> int:
    """Guesses that must all be right before a bound exceeds 0: the least r with 2^-r < 1 - confidence."""
    return int(np.floor(-np.log2(1.0 - confidence))) + 1
