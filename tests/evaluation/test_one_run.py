import numpy as np
import pytest
from scipy.stats import binom

from privaudit.errors import ConfigError, DataError
from privaudit.evaluation.intervals import clopper_pearson
from privaudit.evaluation.one_run import epsilon_one_run, p_value


@pytest.mark.parametrize(
    ("counts", "delta", "published"),
    [
        ((1000, 100, 75), 1e-4, 0.673),  # Appendix D of arXiv:2305.08846
        ((100_000, 1510, 1439), 1e-5, 2.675),  # Section 7, cut and not rounded there
    ],
)
def test_published_bounds(counts: tuple[int, int, int], delta: float, published: float) -> None:
    assert epsilon_one_run(*counts, confidence=0.95, delta=delta) == pytest.approx(published, abs=1e-3)


def test_randomised_response_attains_the_tail() -> None:
    # keeps each coin with probability q: exactly epsilon-private, and every guess is right with probability q
    rng, epsilon, guesses = np.random.default_rng(0), 0.8, 40
    q = np.e**epsilon / (1 + np.e**epsilon)
    right = (rng.random((20_000, guesses)) < q).sum(axis=1)
    for correct in (25, 28, 31, 34):
        seen = (right >= correct).mean()
        assert p_value(50, guesses, correct, epsilon) == pytest.approx(seen, abs=4 * np.sqrt(seen / 20_000) + 1e-4)


def test_a_training_that_fails_with_probability_delta_attains_the_delta_term() -> None:
    # with probability m delta it reveals what is needed for v right guesses, else it is randomised response:
    # (epsilon, m delta)-private at best, so that the bound must not be beaten at that delta
    rng, epsilon, m, delta = np.random.default_rng(1), 0.5, 20, 0.002
    q = np.e**epsilon / (1 + np.e**epsilon)
    right = (rng.random((50_000, m)) < q).sum(axis=1)
    right[rng.random(50_000) < delta] = m
    for correct in range(10, 21):
        seen = (right >= correct).mean()
        assert seen <= p_value(m, m, correct, epsilon, delta) + 4 * np.sqrt(max(seen, 1e-4) / 50_000)
    assert p_value(m, m, 20, epsilon) < delta / 2  # without its delta term the bound would be beaten


@pytest.mark.parametrize(("guesses", "correct"), [(1, 1), (5, 5), (30, 17), (30, 25), (400, 330)])
def test_the_delta_term_against_the_literal_formula(guesses: int, correct: int) -> None:
    m, delta = 500, 2e-4
    for epsilon in (0.0, 0.3, 1.7):
        q = np.e**epsilon / (1 + np.e**epsilon)

        def tail(k: int, q: float = q) -> float:
            return float(binom.pmf(np.arange(max(k, 0), guesses + 1), guesses, q).sum())

        most = max((tail(correct - i) - tail(correct)) / i for i in range(1, correct + 1))
        wanted = min(1.0, tail(correct) + 2 * m * delta * most)
        assert p_value(m, guesses, correct, epsilon, delta) == pytest.approx(wanted, rel=1e-9)
        assert p_value(m, guesses, correct, epsilon, delta) >= p_value(m, guesses, correct, epsilon)


def test_monotone_in_everything() -> None:
    epsilons = np.linspace(0, 4, 50)
    for delta in (0.0, 1e-5, 1e-3):
        assert (np.diff([p_value(200, 80, 70, e, delta) for e in epsilons]) >= 0).all()
        assert (np.diff([p_value(200, 80, v, 1.0, delta) for v in range(81)]) <= 1e-12).all()
        bounds = [epsilon_one_run(200, 80, v, delta=delta) for v in range(81)]
        assert (np.diff(bounds) >= 0).all()
        assert bounds[40] == 0.0
    by_delta = [epsilon_one_run(200, 80, 75, delta=d) for d in (0.0, 1e-6, 1e-4, 1e-3, 0.1)]
    assert (np.diff(by_delta) <= 0).all()
    assert by_delta[-1] == 0.0
    by_confidence = [epsilon_one_run(200, 80, 75, c) for c in (0.5, 0.9, 0.95, 0.999)]
    assert (np.diff(by_confidence) < 0).all()


@pytest.mark.parametrize("delta", [0.0, 1e-5, 1e-3])
def test_the_bound_is_where_the_p_value_crosses(delta: float) -> None:
    bound = epsilon_one_run(300, 120, 100, 0.95, delta)
    assert bound > 0.5
    assert p_value(300, 120, 100, bound, delta) == pytest.approx(0.05, rel=1e-6)
    assert p_value(300, 120, 100, bound - 1e-3, delta) < 0.05 < p_value(300, 120, 100, bound + 1e-3, delta)


def test_without_delta_it_is_the_logit_of_clopper_pearson() -> None:
    low = float(clopper_pearson(100, 120, 0.05, "lower"))
    assert epsilon_one_run(300, 120, 100) == pytest.approx(np.log(low / (1 - low)))


def test_no_right_guess_shows_nothing() -> None:
    assert p_value(10, 5, 0, 0.0, 0.1) == 1.0
    assert epsilon_one_run(10, 5, 0) == 0.0


@pytest.mark.parametrize("counts", [(10, 11, 5), (10, 5, 6), (10, 0, 0), (10, 5, -1)])
def test_counts_that_do_not_fit(counts: tuple[int, int, int]) -> None:
    with pytest.raises(DataError, match="expected 0 <= right guesses <= guesses <= canaries"):
        p_value(*counts, 1.0)
    with pytest.raises(DataError, match="count audited canaries only"):
        epsilon_one_run(*counts)


def test_parameters_out_of_range() -> None:
    with pytest.raises(ConfigError, match="an epsilon of at least 0, got -1"):
        p_value(10, 5, 5, -1)
    with pytest.raises(ConfigError, match="an epsilon of at least 0, got nan"):
        p_value(10, 5, 5, float("nan"))
    with pytest.raises(ConfigError, match=r"delta in \[0, 1\), got 1"):
        p_value(10, 5, 5, 1.0, 1)
    with pytest.raises(ConfigError, match=r"confidence in \(0, 1\), got 1"):
        epsilon_one_run(10, 5, 5, 1)
