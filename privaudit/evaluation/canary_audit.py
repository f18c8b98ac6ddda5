"""Audit with canaries: choose the score and the number of guesses on a pilot, then guess all other coins once.

A coin says whether a canary was included in training. The coins of a random part of the canaries, the pilot, are
revealed; the score and the number of guesses are chosen on it. Of the other canaries, the audited ones, those with the
highest scores are guessed to be in and those with the lowest to be out; nothing else is tried.

Validity: given the pilot's coins, the audited coins are still independent and fair, and a training that is
(epsilon, delta)-private remains so with respect to each of them. The guesses depend only on the model, the images and
the pilot's coins, so Theorem 5.2 of Steinke, Nasr, Jagielski 2023 (arXiv:2305.08846, `privaudit.evaluation.one_run`)
holds with m = number of audited canaries. For the same reason all permutations of the audited coins are equally likely
if the model is independent of them, which makes the permutation test of "no leakage" exact. Both hold for any images
and any number of scores, provided that no score was computed with the help of the coins.

Differs from the paper: there, score and number of guesses are fixed beforehand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.evaluation.facts import Fact, fact
from privaudit.evaluation.one_run import epsilon_one_run
from privaudit.evaluation.pilot import choose_guesses, fewest_guesses, how_many
from privaudit.evaluation.selection import MEAN, Candidate

MIN_PILOT = 2
"""Minimum number of canaries in a pilot."""
SIGNIFICANCE = 0.05
"""Level at which the p-value counts as evidence."""
_MAX_PERMUTED_COINS = 1 << 22
"""Maximum number of permuted coins in memory."""


@dataclass(frozen=True)
class CanaryReport:
    """What canaries show about a training.

    Attributes:
        canaries: Number of canaries.
        pilot: Number of canaries whose coins were revealed to choose the score and the number of guesses.
        audited: Number of all other canaries.
        included: Number of audited canaries that were trained on.
        chosen: Score that was chosen on the pilot; None if nothing was measured.
        search_space: Scores that were compared on the pilot.
        guesses_in: Number of audited canaries guessed to be in, those with the highest scores.
        guesses_out: Number of audited canaries guessed to be out, those with the lowest scores.
        correct: Number of right guesses.
        epsilon_lower: Lower bound on epsilon.
        epsilon_most: Lower bound on epsilon if every guess had been right.
        confidence: Confidence level of the bound.
        delta: Delta of the privacy definition.
        p: P-value of the hypothesis that the model is independent of the audited coins, by ``draws`` random
            permutations of them.
        draws: Number of permutations; p is at least 1 / (draws + 1).
        seed: Seed of the pilot and of the permutations.
        reason: Why numbers are NaN; None if none is.
    """

    canaries: int
    pilot: int
    audited: int
    included: int
    chosen: Candidate | None
    search_space: tuple[Candidate, ...]
    guesses_in: int
    guesses_out: int
    correct: int
    epsilon_lower: float
    epsilon_most: float
    confidence: float
    delta: float
    p: float
    draws: int
    seed: int
    reason: Fact | None = None

    @property
    def guesses(self) -> int:
        """Total number of guesses."""
        return self.guesses_in + self.guesses_out


def audit_canaries(
    table: ArrayLike,
    labels: Sequence[Candidate],
    included: ArrayLike,
    ids: Sequence[str],
    *,
    pilot: float = 0.25,
    confidence: float = 0.95,
    delta: float = 0.0,
    seed: int = 0,
    draws: int = 9999,
) -> CanaryReport:
    """Bound epsilon from below and test for leakage, from scores of canaries.

    The candidates compared on the pilot are all columns and the mean of their normal scores (the normal quantiles of
    their ranks, so that no infinite or outlying score dominates), each with every pair of fractions in
    `privaudit.evaluation.pilot.SHARES`.

    Args:
        table: ``(n, c)``, higher = more likely a member. Must not depend on the coins: attacks at fixed levels
            qualify, cross-fitted or learned scores do not.
        labels: ``c`` candidates, one per column.
        included: ``(n,)``, the coins: whether each canary was included in training.
        ids: One id per image, distinct; with the seed they decide which canaries form the pilot.
        pilot: Fraction of the canaries in the pilot.
        confidence: Confidence level of the bound.
        delta: Delta of the privacy definition.
        seed: Seed of the pilot and of the permutations.
        draws: Number of permutations of the coins for the p-value.

    Returns:
        The report, which does not depend on the order of the canaries; with a reason if there are too few of them.

    Raises:
        ConfigError: A parameter is out of range.
        DataError: The shapes do not match, or an id is repeated.
        NonFiniteError: A score is NaN.
    """
    _check_parameters(pilot, confidence, delta, draws)
    scores, coins = _checked(table, labels, included, ids)
    order = sorted(range(len(ids)), key=lambda i: hashlib.sha256(f"{seed} {ids[i]}".encode()).digest())
    scores, coins = scores[order], coins[order]  # in random order, so that the stable sorts below break ties at random
    names = tuple(labels)
    if len(names) > 1:
        scores = np.column_stack([scores, _normal_scores(scores).mean(axis=1)])
        names += (MEAN,)
    pilot_size = round(pilot * len(coins))
    audited = len(coins) - pilot_size
    # At most 1/2 is guessed in and 1/2 out, so that of an odd number one canary is never guessed.
    needed = fewest_guesses(confidence) + 1
    if pilot_size < MIN_PILOT or audited < needed:
        sizes = {"pilot": pilot_size, "needed_pilot": MIN_PILOT, "audited": audited, "needed_audited": needed}
        reason = fact("too_few_canaries", **sizes, confidence=confidence)
        return _unmeasured(
            len(coins), pilot_size, int(coins[pilot_size:].sum()), names, confidence, delta, seed, reason
        )
    choice = choose_guesses(scores[:pilot_size], coins[:pilot_size], audited, confidence)
    audited_scores, audited_coins = scores[pilot_size:, choice.column], coins[pilot_size:]
    top, bottom = how_many(choice.share_in, audited), how_many(choice.share_out, audited)
    ranked = audited_coins[np.argsort(-audited_scores, kind="stable")]
    correct = int(ranked[:top].sum()) + int((~ranked[audited - bottom :]).sum())
    guesses = top + bottom
    epsilon = epsilon_one_run(audited, guesses, correct, confidence, delta)
    constant_coins = audited_coins.all() or not audited_coins.any()
    p = float("nan") if constant_coins else _permutation_p(audited_scores, audited_coins, draws, seed)
    side = "in" if audited_coins.all() else "out"
    return CanaryReport(
        canaries=len(coins),
        pilot=pilot_size,
        audited=audited,
        included=int(audited_coins.sum()),
        chosen=names[choice.column],
        search_space=names,
        guesses_in=top,
        guesses_out=bottom,
        correct=correct,
        epsilon_lower=epsilon,
        epsilon_most=epsilon_one_run(audited, guesses, guesses, confidence, delta),
        confidence=confidence,
        delta=delta,
        p=p,
        draws=draws,
        seed=seed,
        reason=fact("coins_on_one_side", canaries=audited, side=side) if constant_coins else None,
    )


def _permutation_p(scores: NDArray[np.float64], coins: NDArray[np.bool_], draws: int, seed: int) -> float:
    """Test the rank sum of the included canaries by random permutations of the coins; tied scores have midranks.

    Returns:
        (1 + #{permutations with at least the observed rank sum}) / (draws + 1), a valid p-value for any ``draws``.
    """
    from scipy.stats import rankdata  # slow to import

    ranks = rankdata(scores) * 2.0  # twice the midranks: whole numbers, so that equal sums compare equal
    observed_sum = ranks[coins].sum()
    generator = np.random.default_rng(seed)
    chunk = max(1, _MAX_PERMUTED_COINS // len(coins))
    at_least_as_large = 0
    for start in range(0, draws, chunk):
        rows = min(chunk, draws - start)
        shuffled = generator.permuted(np.broadcast_to(coins, (rows, len(coins))), axis=1)
        at_least_as_large += int((shuffled @ ranks >= observed_sum).sum())
    return (1 + at_least_as_large) / (draws + 1)


def _normal_scores(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(scores, axis=0) - 0.5) / len(scores)), dtype=np.float64)


def _unmeasured(
    canaries: int,
    pilot: int,
    included: int,
    names: tuple[Candidate, ...],
    confidence: float,
    delta: float,
    seed: int,
    reason: Fact,
) -> CanaryReport:
    nan = float("nan")
    return CanaryReport(
        canaries=canaries,
        pilot=pilot,
        audited=canaries - pilot,
        included=included,
        chosen=None,
        search_space=names,
        guesses_in=0,
        guesses_out=0,
        correct=0,
        epsilon_lower=nan,
        epsilon_most=nan,
        confidence=confidence,
        delta=delta,
        p=nan,
        draws=0,
        seed=seed,
        reason=reason,
    )


def _checked(
    table: ArrayLike, labels: Sequence[Candidate], included: ArrayLike, ids: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    scores, coins = np.asarray(table, dtype=np.float64), np.asarray(included, dtype=np.bool_)
    if scores.ndim != 2 or scores.shape != (coins.size, len(labels)) or coins.shape != (len(ids),) or not len(labels):
        raise DataError(
            f"expected scores of shape (canaries, labels) = ({len(ids)}, {len(labels)}) and one coin per canary, got "
            f"{scores.shape} and {coins.shape}; pass one row per canary and at least one column"
        )
    if len(set(ids)) < len(ids):
        raise DataError("expected distinct ids of canaries, but at least one is repeated; leave out repeated images")
    if np.isnan(scores).any():
        bad = sorted({ids[i] for i in np.flatnonzero(np.isnan(scores).any(axis=1)).tolist()})
        raise NonFiniteError(
            f"expected scores without NaN, got NaN for {len(bad)} of {len(ids)} canaries, the first {bad[0]}",
            private=bad[:1],
        )
    return scores, coins


def _check_parameters(pilot: float, confidence: float, delta: float, draws: int) -> None:
    problems = []
    if not 0.0 < pilot < 1.0:
        problems.append(f"expected a pilot fraction in (0, 1), got {pilot}; 0.25 is usual")
    if not 0.0 < confidence < 1.0:
        problems.append(f"expected a confidence in (0, 1), got {confidence}; 0.95 is usual")
    if not 0.0 <= delta < 1.0:
        problems.append(f"expected delta in [0, 1), got {delta}; 0 is usual")
    if draws < 1:
        problems.append(f"expected at least 1 permutation of the coins, got {draws}; 9999 is usual")
    if problems:
        raise ConfigError(problems)
