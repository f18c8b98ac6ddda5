import numpy as np
import pytest

from privaudit.evaluation.feature_table import canonical_order, checked_table, standardised


def test_in_units_of_the_first_table() -> None:
    rng = np.random.default_rng(0)
    seen, unseen = 5 + 3 * rng.normal(size=(50, 2)), 5 + 3 * rng.normal(size=(20, 2))
    inside, outside = standardised(seen, unseen)
    np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(inside.std(axis=0), 1)
    expected = (np.clip(unseen, seen.min(axis=0), seen.max(axis=0)) - seen.mean(axis=0)) / seen.std(axis=0)
    np.testing.assert_allclose(outside, expected)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9 / 3, 1e-30])
def test_a_constant_column_is_nothing(value: float) -> None:
    seen = np.full((67, 1), value)
    inside, outside = standardised(seen, np.array([[value], [value + 1], [-np.inf]]))
    np.testing.assert_array_equal(inside, 0)
    np.testing.assert_array_equal(outside, 0)


def test_infinities_are_cut_to_the_finite_range() -> None:
    seen = np.array([[0.0, np.inf], [1.0, np.inf], [np.inf, -np.inf], [-np.inf, np.inf]])
    inside, outside = standardised(seen, np.array([[np.inf, 3.0], [0.5, -np.inf]]))
    np.testing.assert_allclose(inside, [[-1, 0], [1, 0], [1, 0], [-1, 0]])
    np.testing.assert_allclose(outside, [[1, 0], [0, 0]])


def test_one_order_for_all_orders_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    labels, rows = rng.integers(0, 2, size=30), rng.integers(0, 2, size=(30, 3)).astype(float)
    first = canonical_order(labels, rows)
    shuffle = rng.permutation(30)
    second = canonical_order(labels[shuffle], rows[shuffle])
    np.testing.assert_array_equal(np.sort(first), np.arange(30))
    np.testing.assert_array_equal(labels[first], labels[shuffle][second])
    np.testing.assert_array_equal(rows[first], rows[shuffle][second])


def test_types() -> None:
    table, member, labels = checked_table([[1, 2], [3, np.inf]], [1, 0], [0, 1])
    assert (table.dtype, member.dtype) == (np.float64, np.bool_)
    np.testing.assert_array_equal(labels, [0, 1])
