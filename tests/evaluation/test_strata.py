import numpy as np
import pytest

from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.evaluation import auroc, by_quartile, quartiles

N = 200
MEMBER = np.arange(2 * N) < N


def test_edges_are_over_both_sets_and_every_image_is_in_one() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=2 * N) + MEMBER
    scores = rng.normal(size=2 * N) + np.where(values > 0.5, 2, 0) * MEMBER
    strata = by_quartile(values, scores, MEMBER)
    edges = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    assert [s.lower for s in strata] == edges[:4].tolist()
    assert [s.upper for s in strata] == edges[1:].tolist()
    assert sum(s.members for s in strata) == sum(s.nonmembers for s in strata) == N
    assert all(s.members + s.nonmembers == N // 2 for s in strata)
    last = values >= edges[3]
    assert strata[3].auroc.value == auroc(scores[last], MEMBER[last])
    assert strata[3].auroc.lo > strata[0].auroc.hi


def test_empty_strata_have_a_reason() -> None:
    strata = by_quartile(np.where(MEMBER, 1.0, 0.0), np.arange(2.0 * N), MEMBER)
    assert all(np.isnan(s.auroc.value) and s.auroc.reason for s in strata)
    assert sum(s.members + s.nonmembers for s in strata) == 2 * N


def test_bad_input() -> None:
    scores = np.arange(2.0 * N)
    with pytest.raises(DataError, match="one value per image"):
        by_quartile(scores[1:], scores, MEMBER)
    with pytest.raises(DataError, match="at least one image"):
        by_quartile([], [], np.zeros(0, bool))
    with pytest.raises(NonFiniteError, match="got 1 that are not"):
        by_quartile(np.where(scores == 3, np.inf, scores), scores, MEMBER)
    with pytest.raises(ConfigError, match="confidence"):
        by_quartile(scores, scores, MEMBER, confidence=95)


def test_units_widen_the_intervals() -> None:
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(N // 2), 4)
    scores, values = rng.normal(size=N // 2)[unit], rng.normal(size=N // 2)[unit]
    alone, together = (by_quartile(values, scores, MEMBER, units=units) for units in (None, unit))
    for single, grouped in zip(alone, together, strict=True):
        assert grouped.auroc.value == single.auroc.value
        assert grouped.auroc.hi - grouped.auroc.lo > 1.5 * (single.auroc.hi - single.auroc.lo)


def test_quartiles_put_minus_infinity_lowest_and_equal_values_together():
    values = np.array([3.0, -np.inf, 1.0, 2.0, -np.inf, 4.0, 5.0, 6.0])
    assert quartiles(values).tolist() == [2, 0, 1, 1, 0, 2, 3, 3]
    assert set(quartiles(np.ones(9))) == {3}
    assert quartiles(np.arange(8.0)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
