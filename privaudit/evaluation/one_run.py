"""Lower bound on the epsilon of differential privacy from one training run with randomly included canaries.

m canaries are included independently with probability 1/2 each. An auditor with access to the model guesses for r of
them whether they were included, and v guesses are right. Theorem 5.2 and Corollary 5.4 of Steinke, Nasr, Jagielski
2023, "Privacy Auditing with One (1) Training Run" (arXiv:2305.08846): if the training is (epsilon, delta)-private with
respect to adding or removing one canary, then

    P[correct >= v] <= f(v) + 2 m delta max_{1 <= i <= v} (f(v - i) - f(v)) / i,   f(k) = P[Binomial(r, q) >= k],
    q = e^epsilon / (1 + e^epsilon).

Proof sketch. delta = 0: given the model and the coins of canaries 1 .. i - 1, the posterior odds of a fair coin are at
most e^epsilon for either side, by Bayes' rule and the definition of privacy. Each guess is therefore right with
probability at most q, whatever the outcome of the guesses before it, and the number of right guesses is stochastically
dominated by Binomial(r, q). delta > 0: the same holds outside a part of each coin's distribution of mass delta, so that
the number is dominated by Binomial(r, q) + F, where F counts guesses that are right for free and E[F] <= 2 m delta. The
tail is then at most E[f(v - F)], and f(v - F) - f(v) <= F max_i (f(v - i) - f(v)) / i.

The bound holds for the training algorithm as it was run, including its randomness; it needs no second model and no
assumption on the images. The guesses may depend on anything except the coins that are guessed.

Differs from the paper in the numerical inversion only: the paper's code doubles a bracket and bisects, but for
2 m delta > 1 the right-hand side need not increase in epsilon. Here the bracket is the first crossing on a grid from 0.
"""

from __future__ import annotations

import numpy as np

from privaudit.errors import ConfigError, DataError
from privaudit.evaluation.intervals import clopper_pearson

GRID_STEPS = 64
"""Number of grid steps in the search for the first crossing."""
BISECTIONS = 50
"""Number of bisections of the bracket."""


def p_value(m: int, guesses: int, correct: int, epsilon: float, delta: float = 0.0) -> float:
    """P-value of the hypothesis that the training is (epsilon, delta)-private.

    Args:
        m: Number of audited canaries, whether their coins are guessed or not.
        guesses: Number of guesses, r.
        correct: Number of right guesses, v.
        epsilon: Epsilon of the hypothesis, >= 0.
        delta: Delta of the hypothesis, in [0, 1).

    Returns:
        Upper bound on the probability of at least ``correct`` right guesses, in [0, 1].

    Raises:
        ConfigError: ``epsilon`` or ``delta`` is out of range.
        DataError: The counts contradict each other.
    """
    _check(m, guesses, correct, delta)
    if not epsilon >= 0.0:
        raise ConfigError([f"expected an epsilon of at least 0, got {epsilon}"])
    return _p_value(m, guesses, correct, epsilon, delta)


def epsilon_one_run(m: int, guesses: int, correct: int, confidence: float = 0.95, delta: float = 0.0) -> float:
    """Lower bound on epsilon: every smaller epsilon has a p-value of at most 1 - confidence.

    For delta = 0 the bound is the logit of the lower Clopper-Pearson limit of the fraction of right guesses, or 0.

    Args:
        m: Number of audited canaries, whether their coins are guessed or not.
        guesses: Number of guesses.
        correct: Number of right guesses.
        confidence: Confidence level of the bound.
        delta: Delta of the privacy definition.

    Returns:
        The bound, at least 0.

    Raises:
        ConfigError: ``confidence`` or ``delta`` is out of range.
        DataError: The counts contradict each other.
    """
    _check(m, guesses, correct, delta)
    if not 0.0 < confidence < 1.0:
        raise ConfigError([f"expected a confidence in (0, 1), got {confidence}; 0.95 is usual"])
    alpha = 1.0 - confidence
    accuracy = float(clopper_pearson(correct, guesses, alpha, "lower"))
    if accuracy <= 0.5:
        return 0.0
    pure = float(np.log(accuracy) - np.log1p(-accuracy))
    if delta == 0.0:
        return pure
    # A positive delta only increases the p-value, so the bound is at most that of delta = 0.
    grid = np.linspace(0.0, pure, GRID_STEPS + 1)
    not_rejected = (i for i, epsilon in enumerate(grid) if _p_value(m, guesses, correct, epsilon, delta) > alpha)
    crossed = next(not_rejected, GRID_STEPS)
    if crossed == 0:
        return 0.0
    low, high = float(grid[crossed - 1]), float(grid[crossed])
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        if _p_value(m, guesses, correct, middle, delta) > alpha:
            high = middle
        else:
            low = middle
    return low


def _p_value(m: int, guesses: int, correct: int, epsilon: float, delta: float) -> float:
    from scipy.special import bdtrc, expit  # slow to import
    from scipy.stats import binom

    accuracy = float(expit(epsilon))
    if correct == 0:
        return 1.0
    tail = float(bdtrc(correct - 1, guesses, accuracy))
    if delta == 0.0:
        return tail
    # f(v - i) - f(v) for i = 1 .. v, as sums of probabilities: differences of the tails would cancel.
    increments = np.cumsum(binom.pmf(np.arange(correct - 1, -1, -1), guesses, accuracy))
    max_per_guess = float((increments / np.arange(1, correct + 1)).max())
    return min(1.0, tail + 2.0 * m * delta * max_per_guess)


def _check(m: int, guesses: int, correct: int, delta: float) -> None:
    if not 0 <= correct <= guesses <= m or guesses < 1:
        raise DataError(
            f"expected 0 <= right guesses <= guesses <= canaries and at least one guess, got {correct}, {guesses} and "
            f"{m}; count audited canaries only"
        )
    if not 0.0 <= delta < 1.0:
        raise ConfigError([f"expected delta in [0, 1), got {delta}; 0 is usual"])
