import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.evaluation import apply_choice, assign_folds, auroc, cross_fit

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


def table(seed: int = 0, levels: int = 4) -> tuple:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(103, levels)) * np.array([1.0, 10.0, 0.1, 5.0])[:levels]
    return scores, assign_folds(IDS, MEMBER)


def test_a_single_level_needs_no_folds() -> None:
    scores, _ = table()
    fitted = cross_fit(scores[:, :1], [30], MEMBER, None)
    np.testing.assert_array_equal(fitted.scores, scores[:, 0])
    assert (fitted.chosen, fitted.search_space) == ((30.0,), (30.0,))
    np.testing.assert_array_equal(apply_choice(-scores[:, :1], fitted, MEMBER, None), -scores[:, 0])


def test_each_fold_gets_the_best_level_of_the_others() -> None:
    scores, folds = table()
    fitted = cross_fit(scores, [1, 2, 3, 4], MEMBER, folds)
    for fold, level in enumerate(fitted.chosen):
        others = folds != fold
        areas = [auroc(scores[others, j], MEMBER[others]) for j in range(4)]
        assert level == 1 + int(np.argmax(areas))
        assert (fitted.index[folds == fold] == int(np.argmax(areas))).all()


@pytest.mark.parametrize("fold", range(5))
def test_a_fold_has_no_part_in_its_own_choice(fold: int) -> None:
    scores, folds = table()
    before = cross_fit(scores, [1, 2, 3, 4], MEMBER, folds)
    changed, labels = scores.copy(), MEMBER.copy()
    own = folds == fold
    changed[own] = 100 * np.random.default_rng(fold).normal(size=(own.sum(), 4))
    changed[own, 2] = np.where(MEMBER[own], 1e3, -1e3)
    labels[own] = ~labels[own]
    assert cross_fit(changed, [1, 2, 3, 4], MEMBER, folds).chosen[fold] == before.chosen[fold]
    assert cross_fit(scores, [1, 2, 3, 4], labels, folds).chosen[fold] == before.chosen[fold]


def test_selection_on_noise_is_not_rewarded() -> None:
    areas, best = [], []
    rng = np.random.default_rng(0)
    folds = assign_folds(IDS, MEMBER)
    for _ in range(60):
        scores = rng.normal(size=(103, 8))
        areas.append(auroc(cross_fit(scores, range(8), MEMBER, folds).scores, MEMBER))
        best.append(max(auroc(column, MEMBER) for column in scores.T))
    assert np.mean(areas) < 0.5 + 3 * np.std(areas) / np.sqrt(60)
    assert np.mean(best) > 0.55


def test_one_choice_leaves_scores_as_they_are() -> None:
    scores, folds = table()
    scores[MEMBER, 1] += 100
    fitted = cross_fit(scores, [1, 2, 3, 4], MEMBER, folds)
    assert fitted.chosen == (2.0,) * 5
    np.testing.assert_array_equal(fitted.scores, scores[:, 1])


def test_different_choices_are_standardised_on_the_other_folds() -> None:
    member = np.tile([True, False], 20)
    folds = np.arange(40) // 20
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(40, 2)) * [1.0, 1000.0] + [0.0, 5000.0]
    scores[(folds == 0) & member, 0] += 50  # fold 0 prefers level 0, so fold 1 is scored with it
    scores[(folds == 1) & member, 1] += 50000
    fitted = cross_fit(scores, [10, 20], member, folds)
    assert fitted.chosen == (20.0, 10.0)
    for fold, column in ((0, 1), (1, 0)):
        reference = scores[(folds != fold) & ~member, column]
        expected = (scores[folds == fold, column] - reference.mean()) / reference.std()
        np.testing.assert_allclose(fitted.scores[folds == fold], expected)
    other = apply_choice(3 * scores + 1, fitted, member, folds)
    np.testing.assert_allclose(other, fitted.scores)  # every table is standardised by its own moments


def test_infinite_and_constant_scores_survive_standardisation() -> None:
    member = np.tile([True, False], 20)
    folds = np.arange(40) // 20
    scores = np.zeros((40, 2))
    scores[(folds == 0) & member, 0] = np.inf
    scores[(folds == 1) & member, 1] = np.inf
    scores[1, 0] = -np.inf
    fitted = cross_fit(scores, [10, 20], member, folds)
    assert fitted.chosen == (20.0, 10.0)
    assert not np.isnan(fitted.scores).any()


def test_bad_tables() -> None:
    scores, folds = table()
    with pytest.raises(DataError, match="a column a level"):
        cross_fit(scores, [1, 2], MEMBER, folds)
    with pytest.raises(DataError, match="fold 0 holds all"):
        cross_fit(scores, [1, 2, 3, 4], MEMBER, None)
    with pytest.raises(NonFiniteError, match="got 1 NaN"):
        cross_fit(np.where(np.arange(103)[:, None] == 7, [[np.nan, 0, 0, 0]], scores), [1, 2, 3, 4], MEMBER, folds)
    with pytest.raises(DataError, match="as in the choice"):
        apply_choice(scores[:, :2], cross_fit(scores, [1, 2, 3, 4], MEMBER, folds), MEMBER, folds)
