import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from privaudit.errors import ConfigError
from privaudit.evaluation.delong import auroc_covariance, auroc_estimate, delong_test
from privaudit.evaluation.facts import fact

LEVELS = st.lists(
    st.tuples(
        st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf]),
        st.sampled_from([-3.0, 0.0, 1.0, np.inf]),
        st.booleans(),
    ),
    min_size=4,
    max_size=30,
).filter(lambda rows: 2 <= sum(row[2] for row in rows) <= len(rows) - 2)


def literal(scores: list, member: np.ndarray) -> np.ndarray:
    """Structural components from all pairs, as in the paper."""
    rows = [[], []]
    for score in scores:
        x, y = score[member][:, None], score[~member][None, :]
        wins = (x > y) + 0.5 * (x == y)
        rows[0].append(wins.mean(axis=1))
        rows[1].append(wins.mean(axis=0))
    return np.cov(rows[0]) / member.sum() + np.cov(rows[1]) / (~member).sum()


@settings(deadline=None)
@given(LEVELS)
def test_equals_the_literal_covariance(rows: list) -> None:
    first, second, labels = (np.array(column) for column in zip(*rows, strict=True))
    found = auroc_covariance({"a": first, "b": second}, labels)
    np.testing.assert_allclose(found.covariance, literal([first, second], labels), atol=1e-14)
    as_ranks = np.unique(first, return_inverse=True)[1]  # scikit-learn refuses infinities
    assert found.value("a") == pytest.approx(roc_auc_score(labels, as_ranks), abs=1e-12)
    turned = auroc_covariance({"a": -first, "b": np.arctan(second) ** 3}, labels)
    assert turned.value("a") == pytest.approx(1.0 - found.value("a"), abs=1e-12)
    assert turned.sd("a") == pytest.approx(found.sd("a"), abs=1e-7)
    assert turned.value("b") == found.value("b")
    assert turned.sd("b") == found.sd("b")


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (1.0, 1.0), (1.5, 2.0)])
def test_agrees_with_the_binormal_law(shift: float, scale: float) -> None:
    """AUROC Phi(a / sqrt(1 + b^2)); var(V10) = P(both of two non-members below a member) - A^2, the same for V01."""
    n, draws = 1000, 200
    rng, member = np.random.default_rng(0), np.arange(2 * n) < n
    at = shift / np.hypot(1.0, scale)
    area = norm.cdf(at)
    variance = 0.0
    for shared in (scale**2, 1.0):
        rho = shared / (1.0 + scale**2)
        variance += (multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf([at, at]) - area**2) / n
    found = []
    for _ in range(draws):
        scores = rng.normal(size=2 * n) * np.where(member, scale, 1.0) + shift * member
        areas = auroc_covariance({"": scores}, member)
        found.append((areas.value(""), areas.sd("")))
    values, errors = np.array(found).T
    assert np.mean(errors) == pytest.approx(np.sqrt(variance), rel=0.01)
    assert values.mean() == pytest.approx(area, abs=4 * np.sqrt(variance / draws))
    assert values.std() == pytest.approx(np.sqrt(variance), rel=4 / np.sqrt(2 * draws))


def test_copies_of_every_image_change_nothing_once_they_are_units() -> None:
    rng, member = np.random.default_rng(1), np.arange(60) < 25
    scores = {"a": np.round(rng.normal(size=60) + member, 1), "b": rng.normal(size=60)}
    once = auroc_covariance(scores, member)
    unit = np.repeat(np.arange(60), 3)
    thrice = auroc_covariance({name: values[unit] for name, values in scores.items()}, member[unit], unit)
    np.testing.assert_allclose(thrice.auroc, once.auroc, atol=1e-14)
    np.testing.assert_allclose(thrice.covariance, once.covariance, atol=1e-14)
    assert once.pairs == thrice.pairs == 25
    ignored = auroc_covariance({name: values[unit] for name, values in scores.items()}, member[unit])
    assert ignored.sd("a") < 0.6 * once.sd("a")


def test_units_across_the_sets_cancel() -> None:
    """A film that is darker as a whole moves its members and its non-members alike."""
    rng = np.random.default_rng(2)
    unit, member = np.repeat(np.arange(100), 4), np.arange(400) % 2 == 0
    scores = rng.normal(size=100)[unit] + 0.1 * rng.normal(size=400)
    assert auroc_covariance({"": scores}, member, unit).sd("") < 0.3 * auroc_covariance({"": scores}, member).sd("")


def test_interval_is_symmetric_on_the_logit_scale() -> None:
    rng, member = np.random.default_rng(3), np.arange(80) < 30
    scores = rng.normal(size=80) + 2 * member
    found, areas = auroc_estimate(scores, member, 0.9), auroc_covariance({"": scores}, member)
    logit = np.log([found.lo / (1 - found.lo), found.value / (1 - found.value), found.hi / (1 - found.hi)])
    half = student(29).ppf(0.95) * areas.sd("") / (found.value * (1 - found.value))
    np.testing.assert_allclose(np.diff(logit), half, rtol=1e-9)
    assert found.reason is None


def test_edges_have_a_reason() -> None:
    member = np.arange(10) < 4
    apart = auroc_estimate(np.where(member, np.inf, 0.0), member)
    assert (apart.value, apart.lo, apart.hi) == (1.0, pytest.approx(0.025 ** (1 / 4)), 1.0)
    assert apart.reason == fact("sets_separated", pairs=4)
    equal = auroc_estimate(np.ones(10), member)
    assert equal.value == 0.5
    assert np.isnan([equal.lo, equal.hi]).all()
    assert equal.reason == fact("all_scores_equal")
    for members in (1, 0):
        few = auroc_estimate(np.arange(10.0), np.arange(10) < members)
        assert np.isnan([few.lo, few.hi]).all()
        assert few.reason == fact("too_few_independent", units=members)
    one_film = auroc_estimate(np.arange(10.0), member, units=np.where(member, 0, np.arange(10)))
    assert np.isnan(one_film.lo)
    assert one_film.reason == fact("too_few_independent", units=1)
    with pytest.raises(ConfigError, match="confidence"):
        auroc_estimate(np.arange(10.0), member, 95)


def test_paired_test() -> None:
    rng, member = np.random.default_rng(4), np.arange(200) < 100
    common = rng.normal(size=200)
    strong, weak = common + 1.5 * member, common + 0.3 * rng.normal(size=200) + member
    found, back = delong_test(strong, weak, member), delong_test(weak, strong, member)
    assert found.value == pytest.approx(roc_auc_score(member, strong) - roc_auc_score(member, weak))
    assert (back.value, back.lo, back.hi, back.p) == pytest.approx((-found.value, -found.hi, -found.lo, found.p))
    areas = auroc_covariance({"a": strong, "b": weak}, member)
    assert found.p == pytest.approx(2 * student(99).sf(found.value / areas.sd_of_difference("a", "b")))
    assert found.hi - found.lo < np.hypot(areas.sd("a"), areas.sd("b")) * 3.9
    same = delong_test(strong, np.exp(strong), member)
    assert (same.value, same.p) == (0.0, 1.0)
    assert np.isnan([same.lo, same.hi]).all()
    assert same.reason == fact("interval_without_width")
    none = delong_test(strong, weak, np.ones(200, bool))
    assert np.isnan([none.value, none.p]).all()
    assert none.reason == fact("too_few_independent", units=0)


def test_paired_test_holds_its_level() -> None:
    rng, member = np.random.default_rng(5), np.arange(80) < 40
    draws = 500
    p = []
    for _ in range(draws):
        common = rng.normal(size=80) + member
        p.append(delong_test(common + rng.normal(size=80), common + rng.normal(size=80), member).p)
    assert abs(np.mean(np.array(p) < 0.05) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / draws)
    assert abs(np.mean(p) - 0.5) < 3 / np.sqrt(12 * draws)
