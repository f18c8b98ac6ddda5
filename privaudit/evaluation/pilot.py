"""Choice of the score and of the number of guesses on the pilot, the canaries whose coins are revealed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation.intervals import clopper_pearson

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Candidates for the fraction of the canaries guessed to be in, and for that guessed to be out."""


@dataclass(frozen=True)
class Guesses:
    """Rule by which coins are guessed.

    Attributes:
        column: Column of the score.
        share_in: Fraction of the canaries that is guessed to be in, those with the highest scores.
        share_out: Fraction of the canaries that is guessed to be out, those with the lowest scores.
    """

    column: int
    share_in: float
    share_out: float


def choose_guesses(scores: NDArray[np.float64], coins: NDArray[np.bool_], audited: int, confidence: float) -> Guesses:
    """Choose the score and the pair of `SHARES` with the largest lower limit on the fraction of right guesses.

    This is the Clopper-Pearson limit, whose logit is the bound on epsilon for delta = 0. It favours many guesses of
    which most are right over a few that are all right. Pairs with too few guesses for a bound above 0 are left out.

    Args:
        scores: ``(n, c)``, scores of the pilot, in random order, which breaks ties.
        coins: ``(n,)``, coins of the pilot.
        audited: Number of canaries to be guessed afterwards, at least one more than `fewest_guesses`.
        confidence: Confidence level of the limit.

    Returns:
        The choice; the first of equally good ones.
    """
    size, needed = len(coins), fewest_guesses(confidence)
    pilot_counts, audited_counts = ([how_many(share, count) for share in SHARES] for count in (size, audited))
    all_pairs = [(i, j) for i in range(len(SHARES)) for j in range(len(SHARES))]
    # On the pilot, no canary may be guessed both in and out; afterwards, a bound above 0 must be possible.
    pairs = [
        (i, j)
        for i, j in all_pairs
        if pilot_counts[i] + pilot_counts[j] <= size and audited_counts[i] + audited_counts[j] >= needed
    ]
    best, chosen = -1.0, Guesses(0, SHARES[-1], SHARES[-1])
    for column, values in enumerate(scores.T):
        ranked = coins[np.argsort(-values, kind="stable")]
        right_in = np.concatenate([[0], np.cumsum(ranked)])[pilot_counts]
        right_out = np.concatenate([[0], np.cumsum(~ranked[::-1])])[pilot_counts]
        limits = []
        for i, j in pairs:
            right, guesses = right_in[i] + right_out[j], pilot_counts[i] + pilot_counts[j]
            limits.append(float(clopper_pearson(right, guesses, 1.0 - confidence, "lower")))
        best_pair = int(np.argmax(limits))
        if limits[best_pair] > best:
            i, j = pairs[best_pair]
            best, chosen = limits[best_pair], Guesses(column, SHARES[i], SHARES[j])
    return chosen


def how_many(share: float, count: int) -> int:
    """Number of canaries in a fraction of them, rounded down, but at least 1 unless the fraction is 0."""
    return 0 if share == 0.0 else max(1, int(share * count))


def fewest_guesses(confidence: float) -> int:
    """Minimum number of guesses, all of them right, for a bound above 0: the smallest r with 2^-r < 1 - confidence."""
    return int(np.floor(-np.log2(1.0 - confidence))) + 1
