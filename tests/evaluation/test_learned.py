import numpy as np
import pytest

from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.evaluation import LearnedScores, assign_folds, auroc, out_of_fold
from privaudit.evaluation.learned import LEARNERS, MODELS

N = 150
MEMBER = np.arange(N) < 70
GROUPS = [f"group {i // 3 % 20}" if i % 2 else None for i in range(N)]
FOLDS = assign_folds([str(i) for i in range(N)], MEMBER, GROUPS, folds=3)


def table(strength: float = 1.0, seed: int = 0, n: int = N, width: int = 5) -> np.ndarray:
    """Members are shifted in the first feature and spread in the second."""
    x = np.random.default_rng(seed).normal(size=(n, width))
    member = np.arange(n) < 70 * n // N
    x[member, 0] += strength
    x[member, 1] *= 1 + strength
    return x


@pytest.fixture(scope="module")
def scored() -> dict[str, np.ndarray]:
    return {model: out_of_fold(table(), MEMBER, FOLDS, model).scores for model in MODELS}


@pytest.mark.parametrize("model", MODELS)
class TestHonesty:
    def test_a_fold_has_no_part_in_its_own_scores(self, model, scored) -> None:
        own = FOLDS == 2
        flipped = out_of_fold(table(), MEMBER ^ own, FOLDS, model)
        np.testing.assert_array_equal(flipped.scores[own], scored[model][own])
        assert not np.allclose(flipped.scores[~own], scored[model][~own]), "the other folds did learn from it"

    def test_a_group_has_no_part_in_the_scores_of_its_images(self, model, scored) -> None:
        image = 1
        twins = np.array([name == GROUPS[image] for name in GROUPS])
        assert twins.sum() > 1
        changed = table()
        changed[twins] = 10 * np.random.default_rng(1).normal(size=(twins.sum(), 5))
        changed[image] = table()[image]
        labels = MEMBER ^ twins
        assert out_of_fold(changed, labels, FOLDS, model).scores[image] == scored[model][image]

    def test_the_order_of_the_images_changes_nothing(self, model, scored) -> None:
        order = np.random.default_rng(0).permutation(N)
        moved = out_of_fold(table()[order], MEMBER[order], FOLDS[order], model)
        np.testing.assert_array_equal(moved.scores, scored[model][order])

    def test_labels_without_meaning_are_not_learnt(self, model) -> None:
        areas = [auroc(out_of_fold(table(0.0, seed), MEMBER, FOLDS, model).scores, MEMBER) for seed in range(1, 6)]
        assert 0.4 < np.mean(areas) < 0.58


def test_no_choice_is_made_on_the_fold_that_it_serves() -> None:
    own = FOLDS == 0
    before = out_of_fold(table(), MEMBER, FOLDS, "logistic").chosen[0]
    changed = table()
    changed[own] = np.where(MEMBER[own], 1e3, -1e3)[:, None]
    after = out_of_fold(changed, MEMBER, FOLDS, "logistic").chosen[0]
    assert after[0] == before[0]


def test_the_penalty_follows_the_data() -> None:
    x = np.random.default_rng(3).normal(size=(N, 60))
    x[:, 0] += 3 * MEMBER  # one feature of many tells: little shrinkage costs more than much
    noisy = out_of_fold(x, MEMBER, FOLDS, "logistic").chosen[0]
    y = np.random.default_rng(3).normal(size=(N, 2))
    y[:, 0] += 5 * y[:, 1]
    y[:, 0] += 0.5 * MEMBER  # only the difference of two large features tells: shrinkage hides it
    clean = out_of_fold(y, MEMBER, FOLDS, "logistic").chosen[0]
    assert np.mean(np.log(noisy)) > np.mean(np.log(clean))


@pytest.mark.parametrize("model", MODELS)
def test_what_tells_members_is_found(model: str, scored: dict[str, np.ndarray]) -> None:
    assert auroc(scored[model], MEMBER) > 0.75


def test_the_mean_is_of_learners_in_one_unit(scored: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(scored["mean"], np.mean([scored[name] for name in LEARNERS], axis=0))
    for name in LEARNERS:
        others = scored[name][~MEMBER]
        assert abs(others.mean()) < 0.7, "non-members lie around 0"
        assert 0.6 < others.std() < 1.7, "with a spread of 1"


def test_the_spread_of_members_is_found_by_trees_and_kernel_alone() -> None:
    x = np.random.default_rng(0).normal(size=(N, 1))
    x[MEMBER] *= 4
    areas = {name: auroc(out_of_fold(x, MEMBER, FOLDS, name).scores, MEMBER) for name in LEARNERS}
    assert min(areas["trees"], areas["kernel"]) > 0.7 > 0.6 > areas["logistic"]


def test_says_what_it_is() -> None:
    found = out_of_fold(table(), MEMBER, FOLDS)
    assert isinstance(found, LearnedScores)
    assert (found.model, found.learners) == ("mean", ("logistic", "trees", "kernel"))
    assert [len(chosen) for chosen in found.chosen] == [3, 3, 3]
    for chosen, space in zip(found.chosen, found.search_space, strict=True):
        assert set(chosen) <= set(space)
    assert [len(space) for space in found.search_space] == [4, 1, 1]
    (choice,) = found.choices  # only what was compared with others
    assert (choice.what, choice.learner, choice.criterion, choice.mask) == ("penalty", "logistic", "inner_auroc", None)
    assert (choice.search_space, choice.by_fold) == (found.search_space[0], found.chosen[0])
    trees = out_of_fold(table(), MEMBER, FOLDS, "trees")
    assert (trees.learners, trees.choices) == (("trees",), ())


@pytest.mark.parametrize("model", LEARNERS)
def test_constant_and_infinite_features(model: str, scored: dict[str, np.ndarray]) -> None:
    constant = np.full((N, 1), 1e9 / 3)
    found = out_of_fold(constant, MEMBER, FOLDS, model).scores
    assert np.isfinite(found).all()
    assert max(np.ptp(found[fold == FOLDS]) for fold in np.unique(FOLDS)) < 1e-9
    x = table()
    x[np.argmax(x[:, 0]), 0] = np.inf
    x[np.argmin(x[:, 0]), 0] = -np.inf
    x = np.column_stack([x, np.full(N, np.inf)])
    found = out_of_fold(x, MEMBER, FOLDS, model).scores
    assert np.isfinite(found).all()
    assert abs(auroc(found, MEMBER) - auroc(scored[model], MEMBER)) < 0.1


def test_an_outlier_is_cut_to_the_range_that_was_learnt() -> None:
    x, far = table(), table()
    image = int(np.argmax(x[:, 0]))
    far[image, 0] = 1e6
    one, other = (out_of_fold(values, MEMBER, FOLDS, "logistic").scores[image] for values in (x, far))
    assert one == other


@pytest.mark.parametrize("model", MODELS)
def test_few_images_and_two_folds(model: str) -> None:
    member = np.array([True, False] * 4)
    x = np.random.default_rng(0).normal(size=(8, 3)) + member[:, None]
    folds = assign_folds([str(i) for i in range(8)], member, folds=2)
    found = out_of_fold(x, member, folds, model)
    assert np.isfinite(found.scores).all()
    assert {chosen for chosen in found.chosen[0]} == {found.search_space[0][0]}
    flipped = out_of_fold(x, member ^ (folds == 0), folds, model).scores
    np.testing.assert_array_equal(flipped[folds == 0], found.scores[folds == 0])


def test_two_folds_may_hold_all_of_one_set() -> None:
    member = np.zeros(30, dtype=bool)
    member[[0, 1]] = True
    folds = np.arange(30) % 5
    x = np.random.default_rng(0).normal(size=(30, 2))
    assert np.isfinite(out_of_fold(x, member, folds, "logistic").scores).all()


def test_refusals() -> None:
    with pytest.raises(ConfigError, match=r"expected a model out of mean, logistic, trees, kernel, got forest"):
        out_of_fold(table(), MEMBER, FOLDS, "forest")
    x = table()
    x[3, 1] = np.nan
    with pytest.raises(NonFiniteError, match="NaN in 1 of 5 columns, the first at position 1"):
        out_of_fold(x, MEMBER, FOLDS)
    for wrong in (table()[:, 0], table()[1:], table()[:, :0]):
        with pytest.raises(DataError, match="one row of at least one feature per image"):
            out_of_fold(wrong, MEMBER, FOLDS)
    with pytest.raises(DataError, match="fold 1 holds all of one set"):
        out_of_fold(table(), FOLDS == 1, FOLDS)
