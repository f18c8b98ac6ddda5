import numpy as np
import pytest

from privaudit.errors import DataError
from privaudit.evaluation.clusters import effective_sizes, unit_codes, unit_counts

MEMBER = np.array([True, True, True, False, False])


def test_units_are_numbered_by_their_first_image() -> None:
    assert unit_codes(["b", "a", "b", "c", "a"], 5).tolist() == [0, 1, 0, 2, 1]
    assert unit_codes([7, 7, -1, 3, 3], 5).tolist() == [0, 0, 1, 2, 2]
    assert unit_codes(None, 3).tolist() == [0, 1, 2]
    assert unit_codes([], 0).tolist() == []


def test_counts_and_effective_sizes() -> None:
    codes = unit_codes(["a", "a", "b", "b", "c"], 5)
    assert unit_counts(codes, MEMBER) == (2, 2)
    assert effective_sizes(codes, MEMBER) == (9 / 5, 2.0)
    assert effective_sizes(np.arange(5), MEMBER) == (3.0, 2.0)
    assert effective_sizes(np.zeros(5, int), MEMBER) == (1.0, 1.0)
    assert effective_sizes(np.arange(3), np.ones(3, bool)) == (3.0, 0.0)


def test_labels_must_fit() -> None:
    with pytest.raises(DataError, match=r"expected one unit per image, got shape \(2,\) for 3 images"):
        unit_codes(["a", "b"], 3)
