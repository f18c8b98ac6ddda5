import numpy as np
import pytest
from scipy.stats import beta, binom, binomtest, norm

from privaudit.errors import ConfigError
from privaudit.evaluation import auroc, fact, tpr_at_fpr
from privaudit.evaluation.rate import rate_at_threshold, rate_estimate, tpr_limit, unresolved
from privaudit.evaluation.roc import count

N = 400
MEMBER = np.arange(2 * N) < N


def case(seed: int = 0, decimals: int = 8) -> np.ndarray:
    return np.round(np.random.default_rng(seed).normal(size=2 * N) + 1.5 * MEMBER, decimals)


def literal_confidence(scores: np.ndarray, member: np.ndarray, fpr: float, rate: float) -> float:
    """Sum over every possible number of false positives, each with its probability."""
    x, y = scores[member], scores[~member]
    total = 0.0
    for false in range(y.size + 1):
        chance = binom(y.size, fpr).pmf(false)
        if chance < 1e-14:
            continue
        hits = []
        for allowed in (false - 1, false):
            fitting = [t for t in np.unique(scores) if (y >= t).sum() <= allowed]
            above = min(fitting, default=np.inf)
            block = max(scores[scores < above], default=-np.inf)  # of which some precede the next non-member
            share = (allowed - (y >= above).sum() + 1) / ((y == block).sum() + 1)
            hits.append((x >= above).sum() + (x == block).sum() * max(0.0, share))
        low = 1.0 if hits[0] == 0 else beta(hits[0], x.size - hits[0] + 1).cdf(rate)
        high = 0.0 if hits[1] == x.size else beta(hits[1] + 1, x.size - hits[1]).cdf(rate)
        total += chance * (low + high) / 2
    return total


@pytest.mark.parametrize("decimals", [0, 8])
@pytest.mark.parametrize("fpr", [0.1, 0.3])
def test_limits_are_quantiles_of_the_literal_sum(decimals: int, fpr: float) -> None:
    some = np.r_[0:70, N : N + 50]
    scores, member = case(decimals=decimals)[some], MEMBER[some]
    for alpha in (0.025, 0.01):
        low, high = (tpr_limit(count(scores, member), fpr, alpha, side) for side in ("lower", "upper"))
        assert 0.0 < low < tpr_at_fpr(scores, member, fpr).tpr < high < 1.0
        assert literal_confidence(scores, member, fpr, low) == pytest.approx(alpha, rel=1e-4)
        assert literal_confidence(scores, member, fpr, high) == pytest.approx(1 - alpha, abs=1e-6)


def test_wider_at_a_smaller_error_and_unmoved_by_monotone_maps() -> None:
    scores = case()
    limits = [tpr_limit(count(scores, MEMBER), 0.05, alpha, "lower") for alpha in (0.2, 0.05, 0.01, 1e-4)]
    assert limits == sorted(limits, reverse=True)
    assert tpr_limit(count(np.exp(scores), MEMBER), 0.05, 0.05, "lower") == limits[1]


def test_at_the_edge() -> None:
    apart = count(MEMBER.astype(float), MEMBER)
    assert tpr_limit(apart, 0.01, 0.025, "upper") == 1.0
    low = tpr_limit(apart, 0.01, 0.025, "lower")
    assert 0.5 < low < 1.0  # with a probability of .018 no non-member exceeds the threshold
    reverse = count(~MEMBER, MEMBER)
    assert tpr_limit(reverse, 0.01, 0.025, "lower") == 0.0
    assert tpr_limit(reverse, 0.01, 0.025, "upper") == pytest.approx(1 - 0.05 ** (1 / N))  # mid-p: (1 + F) / 2 = .975


def test_what_the_nonmembers_cannot_resolve() -> None:
    assert unresolved(0.01, 367, 0.025) is not None
    assert unresolved(0.01, 368, 0.025) is None
    assert 0.99**367 > 0.025 > 0.99**368
    assert unresolved(0.005, 1000, 0.001) == fact(
        "limit_needs_nonmembers", fpr=0.005, error=0.001, needed=1379, nonmembers=1000.0
    )
    assert unresolved(0.0, 10**6, 0.025) == fact("rate_at_zero")
    assert unresolved(1.0, 2, 0.025) is None
    assert np.isnan(tpr_limit(count(case(), MEMBER), 0.001, 0.025, "lower"))


def test_estimate_says_what_is_missing() -> None:
    curve = count(case(), MEMBER)
    rate = rate_estimate(curve, 0.05)
    assert rate.lo == pytest.approx(tpr_limit(curve, 0.05, 0.025, "lower"), abs=1e-8)
    assert rate.hi == pytest.approx(tpr_limit(curve, 0.05, 0.025, "upper"), abs=1e-8)
    assert rate.reason is None
    few = rate_estimate(curve, 0.01)
    assert few.lo < few.value < few.hi
    assert few.reason == fact("few_false_positives", fpr=0.01, expected=4.0, nonmembers=N)
    fewer = rate_estimate(curve, 0.005)
    assert fewer.value > 0
    assert np.isnan([fewer.lo, fewer.hi]).all()
    assert fewer.reason.code == "limit_needs_nonmembers"
    assert fewer.reason.values == pytest.approx({"fpr": 0.005, "error": 0.025, "needed": 736, "nonmembers": N})
    none = rate_estimate(curve, 0.001)
    assert np.isnan(none.value)
    assert none.reason == fact("rate_needs_nonmembers", fpr=0.001, needed=1000, nonmembers=N)
    single = rate_estimate(count(case()[N - 1 :], MEMBER[N - 1 :]), 0.05)
    assert np.isnan(single.lo)
    assert single.reason == fact("interval_needs_members", members=1)


def test_rates_of_the_binormal_law() -> None:
    """AUROC Phi(a / sqrt(1 + b^2)) and TPR Phi(a + b Phi^-1(FPR)), a = shift / scale, b = 1 / scale."""
    n, shift, scale = 200_000, 1.2, 1.5
    rng, member = np.random.default_rng(0), np.arange(2 * n) < n
    scores = rng.normal(size=2 * n) * np.where(member, scale, 1.0) + shift * member
    a, b = shift / scale, 1 / scale
    assert auroc(scores, member) == pytest.approx(norm.cdf(a / np.hypot(1, b)), abs=0.004)
    for fpr in (0.001, 0.01, 0.1, 0.5):
        expected = norm.cdf(a + b * norm.ppf(fpr))
        slope = b * norm.pdf(a + b * norm.ppf(fpr)) / norm.pdf(norm.ppf(fpr))
        error = np.sqrt((expected * (1 - expected) + slope**2 * fpr * (1 - fpr)) / n)
        found = rate_estimate(count(scores, member), fpr)
        assert found.value == pytest.approx(expected, abs=4 * error)
        assert found.hi - found.lo == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_at_a_threshold_fixed_beforehand() -> None:
    scores = np.append(case(), [np.inf, -np.inf])
    member = np.append(MEMBER, [False, True])
    found = rate_at_threshold(scores, member, 2.0, 0.9)
    for estimate, part in ((found.tpr, member), (found.fpr, ~member)):
        k, n = int((scores[part] >= 2.0).sum()), int(part.sum())
        exact = binomtest(k, n).proportion_ci(0.9, method="exact")
        assert (estimate.value, estimate.lo, estimate.hi) == pytest.approx((k / n, exact.low, exact.high))
    none = rate_at_threshold([1.0, 2.0], [True, True], 1.5)
    assert none.tpr.value == 0.5
    assert np.isnan([none.fpr.value, none.fpr.lo, none.fpr.hi]).all()
    assert none.fpr.reason == fact("no_nonmembers")
    assert rate_at_threshold([1.0], [False], 1.5).tpr.reason == fact("no_members")
    with pytest.raises(ConfigError, match="confidence"):
        rate_at_threshold(scores, member, 2.0, 90)
