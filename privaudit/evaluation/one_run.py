"""Lower bound on the epsilon of differential privacy from one training run, whose members were drawn by fair coins.

m canaries were included independently with probability 1/2. An auditor who sees the model guesses the coins of r of
them, in or out, and v guesses are right. Theorem 5.2 and Corollary 5.4 of Steinke, Nasr, Jagielski 2023,
"Privacy Auditing with One (1) Training Run" (arXiv:2305.08846): if the training is (epsilon, delta)-private with
respect to adding or removing one canary, then

    P[correct >= v] <= f(v) + 2 m delta max_{1 <= i <= v} (f(v - i) - f(v)) / i,   f(k) = P[Binomial(r, q) >= k],
    q = e^epsilon / (1 + e^epsilon).

Why. delta = 0: given the model and the coins of canaries 1 .. i - 1, a coin that was fair before is, by Bayes' rule and
the definition of privacy, one side or the other with odds of at most e^epsilon, so that each guess is right with
probability at most q whatever happened to the guesses before it; the number of right guesses is therefore dominated
by Binomial(r, q). delta > 0: outside a part of each coin's law of mass delta the same holds, so that the number is
dominated by Binomial(r, q) plus F, where F counts guesses that came for free and E[F] <= 2 m delta. The tail is then at
most E[f(v - F)], and f(v - F) - f(v) <= F max_i (f(v - i) - f(v)) / i.

The bound is on the training as it was run, with everything random in it; it needs no second model and no assumption on
the images. It holds for whatever the guesses depend on, except the coins that are guessed.

Differs from the paper: nothing. Its code doubles a bracket and bisects; where 2 m delta > 1 the right-hand side need
not increase in epsilon, so here the bracket is the first crossing found on a grid from 0.
"""

from __future__ import annotations

import numpy as np

from privaudit.errors import ConfigError, DataError
from privaudit.evaluation.intervals import clopper_pearson

GRID = 64
"""Steps in which the first crossing is looked for."""
BISECTIONS = 50


def p_value(m: int, guesses: int, correct: int, epsilon: float, delta: float = 0.0) -> float:
    """Bound the chance of so many right guesses about an (epsilon, delta)-private training.

    Returns:
        A p-value of the hypothesis that the training is (epsilon, delta)-private, in [0, 1].

    Raises:
        ConfigError: ``epsilon`` or ``delta`` is out of range.
        DataError: The counts do not fit together.
    """
    _check(m, guesses, correct, delta)
    if not epsilon >= 0.0:
        raise ConfigError([f"expected an epsilon of at least 0, got {epsilon}"])
    return _p_value(m, guesses, correct, epsilon, delta)


def epsilon_one_run(m: int, guesses: int, correct: int, confidence: float = 0.95, delta: float = 0.0) -> float:
    """Bound epsilon from below: every smaller one has a p-value of at most 1 - confidence.

    For delta = 0 this is the logit of the Clopper-Pearson lower limit of the share of right guesses, or 0.

    Returns:
        The bound, at least 0.

    Raises:
        ConfigError: ``confidence`` or ``delta`` is out of range.
        DataError: The counts do not fit together.
    """
    _check(m, guesses, correct, delta)
    if not 0.0 < confidence < 1.0:
        raise ConfigError([f"expected a confidence in (0, 1), got {confidence}; 0.95 is usual"])
    alpha = 1.0 - confidence
    share = float(clopper_pearson(correct, guesses, alpha, "lower"))
    if share <= 0.5:
        return 0.0
    highest = float(np.log(share) - np.log1p(-share))
    if delta == 0.0:
        return highest
    # The p-value at a positive delta is never smaller, so the bound is not larger.
    grid = np.linspace(0.0, highest, GRID + 1)
    crossed = next((i for i, epsilon in enumerate(grid) if _p_value(m, guesses, correct, epsilon, delta) > alpha), GRID)
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
    below = np.cumsum(binom.pmf(np.arange(correct - 1, -1, -1), guesses, accuracy))
    free = float((below / np.arange(1, correct + 1)).max())
    return min(1.0, tail + 2.0 * m * delta * free)


def _check(m: int, guesses: int, correct: int, delta: float) -> None:
    if not 0 <= correct <= guesses <= m or guesses < 1:
        raise DataError(
            f"expected 0 <= right guesses <= guesses <= canaries and at least one guess, got {correct}, {guesses} and "
            f"{m}; count the audited canaries alone"
        )
    if not 0.0 <= delta < 1.0:
        raise ConfigError([f"expected delta in [0, 1), got {delta}; 0 is usual"])
