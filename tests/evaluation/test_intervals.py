import numpy as np
import pytest
from scipy.stats import binomtest, norm

from privaudit.evaluation import advantage, auroc, stratified_bootstrap, tpr_at_fpr
from privaudit.evaluation.intervals import (
    advantage_limit,
    auroc_limit,
    clopper_pearson,
    percentile_limit,
    rate_limit,
)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (5, 10), (10, 10), (0, 1), (1, 1), (3, 1000)])
def test_clopper_pearson_agrees_with_scipy(k: int, n: int) -> None:
    exact = binomtest(k, n).proportion_ci(0.9, method="exact")
    assert clopper_pearson(k, n, 0.05, "lower") == pytest.approx(exact.low, abs=1e-10)
    assert clopper_pearson(k, n, 0.05, "upper") == pytest.approx(exact.high, abs=1e-10)


def test_percentile_needs_enough_replicates() -> None:
    draws = np.arange(99.0)
    assert percentile_limit(draws, 0.1, "lower") == pytest.approx(9.8)
    assert percentile_limit(draws, 0.1, "upper") == pytest.approx(88.2)
    assert np.isnan(percentile_limit(draws, 0.001, "lower"))


def test_auroc_at_the_edge_is_exact_for_pairs() -> None:
    ones = np.ones(100)
    assert auroc_limit(1.0, ones, 20, 0.025, "lower") == pytest.approx(0.025 ** (1 / 20))
    assert auroc_limit(1.0, ones, 20, 0.025, "upper") == 1.0
    assert auroc_limit(0.0, 0 * ones, 20, 0.025, "lower") == 0.0
    assert auroc_limit(0.0, 0 * ones, 20, 0.025, "upper") == pytest.approx(1 - 0.025 ** (1 / 20))


def test_rates_at_the_edge_are_widened() -> None:
    assert rate_limit(0.0, np.zeros(100), 50, 0.025, "upper") == pytest.approx(1 - 0.025 ** (1 / 50))
    assert rate_limit(0.0, np.zeros(100), 50, 0.025, "lower") == 0.0
    assert rate_limit(1.0, np.ones(100), 50, 0.025, "lower") == pytest.approx(0.025 ** (1 / 50))
    assert np.isnan(rate_limit(0.0, np.zeros(100), 50, 1e-4, "upper"))


def test_advantage_at_the_edge_and_beyond_the_replicates() -> None:
    ones, zeros = np.ones(100), np.zeros(100)
    assert 0.5 < advantage_limit(1.0, ones, zeros, 50, 0.025, "lower") < 1.0
    assert advantage_limit(0.1, ones, ones, 50, 0.025, "lower") == 0.0
    assert np.isnan(advantage_limit(0.5, ones, zeros, 50, 1e-4, "lower"))


def test_intervals_cover() -> None:
    # 200 samples: .90 and .99 are 3 standard errors from .95. The advantage's interval is conservative by design.
    n, shift, target, sims = 200, 1.2, 0.05, 200
    rng = np.random.default_rng(0)
    member = np.arange(2 * n) < n
    truth = (norm.cdf(shift / np.sqrt(2)), norm.sf(norm.isf(target) - shift), 2 * norm.cdf(shift / 2) - 1)
    covered = np.zeros(3)
    for seed in range(sims):
        scores = rng.normal(size=2 * n) + shift * member
        drawn = stratified_bootstrap({"a": scores}, member, (target,), 300, seed)
        values = auroc(scores, member), tpr_at_fpr(scores, member, target).tpr, advantage(scores, member)
        low = (
            auroc_limit(values[0], drawn.auroc[0], n, 0.025, "lower"),
            rate_limit(values[1], drawn.tpr_strict[0, 0], n, 0.025, "lower"),
            advantage_limit(values[2], drawn.advantage[0], drawn.excess[0], n, 0.025, "lower"),
        )
        high = (
            auroc_limit(values[0], drawn.auroc[0], n, 0.025, "upper"),
            rate_limit(values[1], drawn.tpr[0, 0], n, 0.025, "upper"),
            advantage_limit(values[2], drawn.advantage[0], drawn.excess[0], n, 0.025, "upper"),
        )
        covered += [lo <= t <= hi for lo, t, hi in zip(low, truth, high, strict=True)]
    assert 0.90 <= covered[0] / sims <= 0.99
    assert 0.90 <= covered[1] / sims <= 0.99
    assert covered[2] / sims >= 0.90
