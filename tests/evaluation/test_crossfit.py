import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from privaudit.errors import ConfigError, DataError
from privaudit.evaluation import assign_folds, splits
from privaudit.evaluation.crossfit import pairs

IDS = [f"{i:032x}" for i in range(103)]
MEMBER = np.arange(103) < 51


def test_folds_are_balanced_in_both_sets() -> None:
    folds = assign_folds(IDS, MEMBER)
    for part in (MEMBER, ~MEMBER):
        sizes = np.bincount(folds[part], minlength=5)
        assert sizes.max() - sizes.min() <= 1


def test_folds_do_not_depend_on_the_order() -> None:
    groups = [None if i % 3 else f"g{i % 10}" for i in range(103)]
    folds = assign_folds(IDS, MEMBER, groups, seed=4)
    order = np.random.default_rng(0).permutation(103)
    shuffled = assign_folds([IDS[i] for i in order], MEMBER[order], [groups[i] for i in order], seed=4)
    np.testing.assert_array_equal(folds[order], shuffled)
    assert (assign_folds(IDS, MEMBER, groups, seed=5) != folds).any()


def test_a_group_stays_in_one_fold() -> None:
    groups = [f"g{i // 4}" for i in range(103)]
    folds = assign_folds(IDS, MEMBER, groups)
    for name in set(groups):
        assert len({fold for fold, group in zip(folds, groups, strict=True) if group == name}) == 1


def test_few_images_make_fewer_folds() -> None:
    member = np.array([True] * 3 + [False] * 20)
    assert np.unique(assign_folds(IDS[:23], member)).tolist() == [0, 1, 2]
    assert np.unique(assign_folds(IDS[:4], [True, True, False, False])).tolist() == [0, 1]


def test_one_mixed_group_and_two_images_can_be_spread() -> None:
    # StratifiedGroupKFold puts all members into one fold here.
    member = np.array([True] * 10 + [False] * 10 + [True, False])
    groups = ["mixed"] * 20 + [None, None]
    folds = assign_folds(IDS[:22], member, groups)
    assert np.unique(folds[member]).size == np.unique(folds[~member]).size == 2
    theirs = [test for _, test in StratifiedGroupKFold(2).split(member, member, ["m"] * 20 + ["a", "b"])]
    assert any(member[test].sum() in {0, 11} for test in theirs)


def test_folds_of_too_few() -> None:
    with pytest.raises(DataError, match="expected at least 2 members that are not of one group"):
        assign_folds(IDS[:4], [True, False, False, False])
    with pytest.raises(DataError, match="expected at least 2 non-members"):
        assign_folds(IDS[:6], [True, True, True, False, False, False], [None, None, None, "a", "a", "a"])
    with pytest.raises(ConfigError, match="at least 2 folds"):
        assign_folds(IDS, MEMBER, folds=1)
    with pytest.raises(DataError, match="one id, label and group"):
        assign_folds(IDS[:3], MEMBER)


def test_where_nothing_is_chosen_sets_that_cannot_be_dealt_are_one_fold() -> None:
    member = np.array([True, True, False, False])
    together = ["a", "a", None, None]
    with pytest.raises(DataError, match="expected at least 2 members that are not of one group"):
        assign_folds(IDS[:4], member, together)
    assert assign_folds(IDS[:4], member, together, needed=False).tolist() == [0] * 4
    np.testing.assert_array_equal(assign_folds(IDS, MEMBER, needed=False), assign_folds(IDS, MEMBER))


def test_splits_part_the_images() -> None:
    folds = assign_folds(IDS, MEMBER)
    found = list(splits(folds, MEMBER))
    assert len(found) == 5
    for fold, (own, others) in enumerate(found):
        np.testing.assert_array_equal(own, folds == fold)
        np.testing.assert_array_equal(others, folds != fold)


def test_splits_of_folds_that_cannot_be_held_out() -> None:
    with pytest.raises(DataError, match="fold 0 holds all"):
        next(splits(np.zeros(103, dtype=int), MEMBER))
    with pytest.raises(DataError, match="fold 2 holds all"):
        list(splits(np.where(MEMBER, 2, np.arange(103) % 2), MEMBER))
    with pytest.raises(DataError, match="one fold and label per image"):
        next(splits(np.zeros(3), MEMBER))


def test_pairs_leave_both_folds_out() -> None:
    folds = np.array([0, 1, 2, 2, 1, 4])
    found = [tuple(part.nonzero()[0].tolist() for part in parts) for parts in pairs(folds)]
    assert len(found) == 6
    assert found[0] == ([0], [1, 4], [2, 3, 5])
    assert found[-1] == ([2, 3], [5], [0, 1, 4])
