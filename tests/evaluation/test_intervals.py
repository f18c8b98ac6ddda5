import numpy as np
import pytest
from scipy.stats import binomtest

from privaudit.evaluation.intervals import (
    advantage_limit,
    auroc_limit,
    clopper_pearson,
    enough_replicates,
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
    assert percentile_limit(draws, 0.1, "lower") == pytest.approx(9.0)  # the tenth of 99
    assert percentile_limit(draws, 0.1, "upper") == pytest.approx(89.0)
    assert np.isnan(percentile_limit(draws, 0.001, "lower"))


def test_auroc_at_the_edge_is_exact_for_pairs() -> None:
    assert auroc_limit(1.0, 0.0, 20, 0.025, "lower") == pytest.approx(0.025 ** (1 / 20))
    assert auroc_limit(1.0, 0.0, 20, 0.025, "upper") == 1.0
    assert auroc_limit(0.0, 0.0, 20, 0.025, "lower") == 0.0
    assert auroc_limit(0.0, 0.0, 20, 0.025, "upper") == pytest.approx(1 - 0.025 ** (1 / 20))


def test_auroc_has_no_limit_without_spread() -> None:
    assert np.isnan(auroc_limit(0.5, 0.0, 20, 0.025, "lower"))
    assert np.isnan(auroc_limit(0.5, float("nan"), 20, 0.025, "upper"))


def test_clopper_pearson_of_an_effective_number_lies_between_whole_ones() -> None:
    limits = [float(clopper_pearson(k, 20.0, 0.05, "lower")) for k in (0.0, 0.4, 1.0, 1.6, 2.0)]
    assert limits == sorted(limits)
    assert limits[0] == 0.0 < limits[1] < limits[2]
    assert float(clopper_pearson(19.7, 20.0, 0.05, "upper")) < 1.0


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


@pytest.mark.parametrize(("tests", "expected"), [(1, 2000), (50, 2000), (114, 4560)])
def test_replicates_resolve_a_limit_that_is_corrected(tests, expected):
    assert enough_replicates(2000, 0.95, tests) == expected
    assert not np.isnan(percentile_limit(np.arange(float(expected)), 0.05 / tests, "lower"))
