import numpy as np
import pytest

from privaudit.errors import DataError, NonFiniteError
from privaudit.evaluation import apply_choice, assign_folds, auroc, cross_fit, fold_auroc, tpr_at_fpr

IDS = [f"{i:032x}" for i in range(103)]
MEMBER = np.arange(103) < 51


def table(seed: int = 0, levels: int = 4) -> tuple:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(103, levels)) * np.array([1.0, 10.0, 0.1, 5.0])[:levels]
    return scores, assign_folds(IDS, MEMBER)


def test_a_single_level_needs_no_folds() -> None:
    scores, _ = table()
    fitted = cross_fit(scores[:, :1], [30], MEMBER, None)
    np.testing.assert_array_equal(fitted.scores, scores[:, 0])
    assert (fitted.chosen, fitted.positions, fitted.search_space) == ((30,), (0,), (30,))
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
    with pytest.raises(DataError, match="one column per candidate"):
        cross_fit(scores, [1, 2], MEMBER, folds)
    with pytest.raises(DataError, match="fold 0 holds all"):
        cross_fit(scores, [1, 2, 3, 4], MEMBER, None)
    with pytest.raises(NonFiniteError, match="got 1 NaN"):
        cross_fit(np.where(np.arange(103)[:, None] == 7, [[np.nan, 0, 0, 0]], scores), [1, 2, 3, 4], MEMBER, folds)
    with pytest.raises(DataError, match="as in the choice"):
        apply_choice(scores[:, :2], cross_fit(scores, [1, 2, 3, 4], MEMBER, folds), MEMBER, folds)
    with pytest.raises(DataError, match="expected a criterion value for each of 5 folds and 4 candidates, got"):
        cross_fit(scores, [1, 2, 3, 4], MEMBER, folds, np.ones((4, 5)))


def test_a_candidate_is_called_whatever_it_is() -> None:
    scores, folds = table()
    names = ["order 2, level 20", "order 2, level 40", "order 4, level 20", "order 4, level 40"]
    by_name, by_number = cross_fit(scores, names, MEMBER, folds), cross_fit(scores, [1, 2, 3, 4], MEMBER, folds)
    np.testing.assert_array_equal(by_name.scores, by_number.scores)
    assert by_name.search_space == tuple(names)
    assert by_name.chosen == tuple(names[level - 1] for level in by_number.chosen)
    assert by_name.positions == tuple(level - 1 for level in by_number.chosen)


def test_fold_auroc_is_the_auroc_of_the_other_folds() -> None:
    scores, folds = table()
    found = fold_auroc(scores, MEMBER, folds)
    assert found.shape == (5, 4)
    assert found[2, 1] == auroc(scores[folds != 2, 1], MEMBER[folds != 2])


def test_what_a_fold_may_not_take_is_not_taken() -> None:
    scores, folds = table()
    scores[MEMBER, 1] += 100  # the best by far
    criterion = fold_auroc(scores, MEMBER, folds)
    criterion[3, 1] = -np.inf
    fitted = cross_fit(scores, [1, 2, 3, 4], MEMBER, folds, criterion)
    assert fitted.chosen[3] == 1 + int(np.argmax(criterion[3])) != 2
    assert [level for fold, level in enumerate(fitted.chosen) if fold != 3] == [2] * 4


def best_of(count: int, draws: int, images: int = 416) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and TPR at 1 % FPR under the null: of the best level, and of levels chosen on the other folds."""
    rng = np.random.default_rng(0)
    member = np.arange(2 * images) < images
    folds = np.arange(2 * images) % 5
    naive, honest = np.empty((draws, 2)), np.empty((draws, 2))
    for draw in range(draws):
        steps = rng.normal(size=(2 * images, count))
        levels = steps.copy()
        for level in range(1, count):  # neighbouring levels are alike, as those of an attack
            levels[:, level] = 0.9 * levels[:, level - 1] + np.sqrt(1 - 0.9**2) * steps[:, level]
        areas = [auroc(column, member) for column in levels.T]
        rates = [tpr_at_fpr(column, member, 0.01).tpr for column in levels.T]
        fitted = cross_fit(levels, range(count), member, folds).scores
        naive[draw] = max(areas), max(rates)
        honest[draw] = auroc(fitted, member), tpr_at_fpr(fitted, member, 0.01).tpr
    return naive, honest


def test_the_best_of_many_levels_is_better_than_it_is_and_a_cross_fitted_one_is_not() -> None:
    """The first pitfall: at n = 416 under the null, the best of 20 levels against levels chosen on the other folds."""
    naive, honest = best_of(20, 60)
    error = honest.std(axis=0) / np.sqrt(len(honest))
    assert (naive.mean(axis=0) > [0.52, 0.018]).all()
    assert abs(honest[:, 0].mean() - 0.5) < 3 * error[0]
    assert abs(honest[:, 1].mean() - 0.01) < 3 * error[1] + 0.003  # with 416 non-members, 4 of 416 and no more
