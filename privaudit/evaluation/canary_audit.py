"""Audit with canaries: which score and how many guesses are chosen on a pilot, then the rest is guessed once.

A random part of the canaries, the pilot, reveals its coins; score and number of guesses are chosen there. On the
others, the audited canaries, the highest scores are guessed in, the lowest out, and nothing else is tried. Why that is
valid: given the pilot's coins the other coins are still independent and fair, and a training that is
(epsilon, delta)-private stays so in each of them; the guesses depend on the model, the images and the pilot's coins
alone, so Theorem 5.2 of Steinke, Nasr, Jagielski 2023 (arXiv:2305.08846, `privaudit.evaluation.one_run`) holds with
m = audited canaries. For the same reason every rearrangement of the audited coins was equally likely if the model knows
nothing of them, which makes the test of no leakage exact. Both hold for any images and any number of scores, as long as
no score was made with the help of the coins.

Differs from the paper: its guessers fix score and number of guesses beforehand.
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
_ENTRIES = 1 << 22
"""Coins rearranged at once."""


@dataclass(frozen=True)
class CanaryReport:
    """What canaries show about a training.

    Attributes:
        canaries: All of them.
        pilot: Canaries whose coins were looked at to choose.
        audited: The others.
        included: Audited canaries that were trained on.
        chosen: Score that the pilot chose; None if nothing was measured.
        search_space: Scores that it chose from.
        guesses_in: Audited canaries guessed to be in, those with the highest scores.
        guesses_out: Audited canaries guessed to be out, those with the lowest scores.
        correct: Right guesses.
        epsilon_lower: Lower bound on epsilon.
        epsilon_most: What the bound would be, had every guess been right.
        confidence: Confidence level of the bound.
        delta: Delta of the privacy definition.
        p: P-value of the hypothesis that the model knows nothing of the audited coins, by ``draws`` rearrangements of
            them.
        draws: Number of rearrangements; p is at least 1 / (draws + 1).
        seed: Seed of pilot and rearrangements.
        reason: Why numbers are NaN, if so.
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
        """Guesses in all."""
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

    Compared on the pilot: every column, and the mean of all columns after each is brought to normal scores (the
    quantile of its rank, which no infinite or outlying score can dominate); each with every pair of shares that
    `privaudit.evaluation.pilot` knows.

    Args:
        table: ``(n, c)``, higher = more likely a member. No coin may have had a part in it: attacks at their levels
            qualify, cross-fitted or learned scores do not.
        labels: ``c``, the columns.
        included: ``(n,)``, the coins.
        ids: One id per image, distinct; with the seed they decide who is in the pilot.
        pilot: Share of canaries in the pilot.
        confidence: Confidence level of the bound.
        delta: Delta of the privacy definition.
        seed: Seed of pilot and rearrangements.
        draws: Rearrangements of the coins for the p-value.

    Returns:
        The report, which does not depend on the order of the canaries; with a reason where there are too few of them.

    Raises:
        ConfigError: A parameter is out of range.
        DataError: The shapes do not fit together, or an id stands twice.
        NonFiniteError: A score is NaN.
    """
    _check_parameters(pilot, confidence, delta, draws)
    scores, coins = _checked(table, labels, included, ids)
    order = sorted(range(len(ids)), key=lambda i: hashlib.sha256(f"{seed} {ids[i]}".encode()).digest())
    scores, coins = scores[order], coins[order]  # from here on in random order, which also breaks ties
    names = tuple(labels)
    if len(names) > 1:
        scores = np.column_stack([scores, _normal_scores(scores).mean(axis=1)])
        names += (MEAN,)
    first = round(pilot * len(coins))
    audited = len(coins) - first
    needed = fewest_guesses(confidence) + 1  # of an odd number one is never guessed
    if first < MIN_PILOT or audited < needed:
        sizes = {"pilot": first, "needed_pilot": MIN_PILOT, "audited": audited, "needed_audited": needed}
        reason = fact("too_few_canaries", **sizes, confidence=confidence)
        return _unmeasured(len(coins), first, int(coins[first:].sum()), names, confidence, delta, seed, reason)
    choice = choose_guesses(scores[:first], coins[:first], audited, confidence)
    found, bits = scores[first:, choice.column], coins[first:]
    top, bottom = how_many(choice.share_in, audited), how_many(choice.share_out, audited)
    ranked = bits[np.argsort(-found, kind="stable")]
    correct = int(ranked[:top].sum()) + int((~ranked[audited - bottom :]).sum())
    guesses = top + bottom
    epsilon = epsilon_one_run(audited, guesses, correct, confidence, delta)
    one_side = bits.all() or not bits.any()
    p = float("nan") if one_side else _rearranged(found, bits, draws, seed)
    side = "in" if bits.all() else "out"
    return CanaryReport(
        canaries=len(coins),
        pilot=first,
        audited=audited,
        included=int(bits.sum()),
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
        reason=fact("coins_on_one_side", canaries=audited, side=side) if one_side else None,
    )


def _rearranged(scores: NDArray[np.float64], coins: NDArray[np.bool_], draws: int, seed: int) -> float:
    """Exact test: how often do rearranged coins give included canaries as large a sum of ranks? Ties count half."""
    from scipy.stats import rankdata  # slow to import

    ranks = rankdata(scores) * 2.0  # midranks become whole numbers, whose sums are exact
    seen = ranks[coins].sum()
    generator = np.random.default_rng(seed)
    chunk = max(1, _ENTRIES // len(coins))
    as_large = 0
    for start in range(0, draws, chunk):
        rows = min(chunk, draws - start)
        shuffled = generator.permuted(np.broadcast_to(coins, (rows, len(coins))), axis=1)
        as_large += int((shuffled @ ranks >= seen).sum())
    return (1 + as_large) / (draws + 1)


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
            f"expected scores of shape (canaries, labels) = ({len(ids)}, {len(labels)}) and one coin a canary, got "
            f"{scores.shape} and {coins.shape}; pass a row a canary and at least one column"
        )
    if len(set(ids)) < len(ids):
        raise DataError("expected distinct ids of canaries, but one stands twice; leave out such images")
    if np.isnan(scores).any():
        bad = sorted({ids[i] for i in np.flatnonzero(np.isnan(scores).any(axis=1)).tolist()})
        raise NonFiniteError(
            f"expected scores that are numbers, got NaN for {len(bad)} of {len(ids)} canaries, the first {bad[0]}",
            private=bad[:1],
        )
    return scores, coins


def _check_parameters(pilot: float, confidence: float, delta: float, draws: int) -> None:
    problems = []
    if not 0.0 < pilot < 1.0:
        problems.append(f"expected a pilot share in (0, 1), got {pilot}; 0.25 is usual")
    if not 0.0 < confidence < 1.0:
        problems.append(f"expected a confidence in (0, 1), got {confidence}; 0.95 is usual")
    if not 0.0 <= delta < 1.0:
        problems.append(f"expected delta in [0, 1), got {delta}; 0 is usual")
    if draws < 1:
        problems.append(f"expected at least 1 rearrangement of the coins, got {draws}; 9999 is usual")
    if problems:
        raise ConfigError(problems)
