import numpy as np
import pytest
from scipy.stats import norm, spearmanr

from privaudit.errors import DataError, NonFiniteError
from privaudit.evaluation import assign_folds, auroc, conditional_distribution, conditional_scores
from privaudit.evaluation.conditional import MEDIANS, normal_scores

N = 600
MEMBER = np.arange(N) % 2 == 0
FOLDS = assign_folds([str(i) for i in range(N)], MEMBER, folds=3)


def scenario(seed: int = 0, strength: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Level and spread of the scores follow the first of two conditions; members score higher by some spreads."""
    rng = np.random.default_rng(seed)
    conditions = rng.normal(size=(N, 2))
    spread = np.exp(0.5 * conditions[:, 0])
    scores = 3 * np.sin(conditions[:, 0]) + spread * (rng.normal(size=N) + strength * MEMBER)
    return scores, conditions


@pytest.fixture(scope="module")
def found() -> np.ndarray:
    return conditional_scores(*scenario(), MEMBER, FOLDS)


class TestPower:
    def test_what_the_conditions_explain_no_longer_hides_members(self, found: np.ndarray) -> None:
        assert auroc(found, MEMBER) > auroc(scenario()[0], MEMBER) + 0.08

    def test_one_threshold_gives_one_false_positive_rate_at_all_conditions(self, found: np.ndarray) -> None:
        raw, conditions = scenario()
        low = conditions[~MEMBER, 0] < np.median(conditions[~MEMBER, 0])
        gaps = []
        for scores in (raw, found):
            above = scores[~MEMBER] > np.quantile(scores[~MEMBER], 0.85)
            gaps.append(above[~low].mean() - above[low].mean())
        assert gaps[0] > 0.25
        assert abs(gaps[1]) < gaps[0] / 2

    def test_without_members_there_is_nothing_to_find(self) -> None:
        scores, conditions = scenario(strength=0.0)
        assert 0.42 < auroc(conditional_scores(scores, conditions, MEMBER, FOLDS), MEMBER) < 0.58

    def test_location_and_spread_are_those_of_non_members(self) -> None:
        rng = np.random.default_rng(1)
        conditions = rng.uniform(-1, 1, size=(N, 1))
        scale = np.where(conditions[:, 0] > 0, 2.0, 0.5)
        scores = conditions[:, 0] + scale * rng.normal(size=N)
        law = conditional_distribution(scores, conditions, MEMBER, FOLDS)
        outside = ~MEMBER
        assert abs(((law.values - law.location) > 0)[outside].mean() - 0.5) < 0.06, "a median"
        deviations = np.abs(law.values - law.location)
        for part in (conditions[:, 0] > 0, conditions[:, 0] <= 0):
            assert abs((deviations > law.spread)[outside & part].mean() - 0.5) < 0.12, "a median absolute deviation"

    def test_the_spread_is_that_of_images_never_seen(self) -> None:
        conditions = np.random.default_rng(3).normal(size=(N, 30))  # trees fit noise to them, which shrinks residuals
        law = conditional_distribution(np.random.default_rng(4).normal(size=N), conditions, MEMBER, FOLDS)
        beyond = np.abs(law.values - law.location) > law.spread
        assert abs(beyond[~MEMBER].mean() - 0.5) < 0.1

    def test_the_better_regression_is_taken(self) -> None:
        rng = np.random.default_rng(2)
        conditions = rng.normal(size=(N, 3))
        line = conditions @ [3.0, -2.0, 1.0] + 0.3 * rng.normal(size=N)
        steps = 3.0 * (np.abs(conditions[:, 0]) > 0.7) + 0.3 * rng.normal(size=N)
        assert set(conditional_distribution(line, conditions, MEMBER, FOLDS).chosen) == {"linear"}
        assert set(conditional_distribution(steps, conditions, MEMBER, FOLDS).chosen) == {"trees"}


class TestHonesty:
    def test_a_fold_has_no_part_in_its_own_law(self) -> None:
        scores, conditions = scenario()
        own = FOLDS == 2
        before = conditional_distribution(scores, conditions, MEMBER, FOLDS)
        after = conditional_distribution(np.where(own, -7 * scores, scores), conditions, MEMBER ^ own, FOLDS)
        np.testing.assert_array_equal(after.location[own], before.location[own])
        np.testing.assert_array_equal(after.spread[own], before.spread[own])
        assert after.chosen[2] == before.chosen[2]

    def test_no_member_has_a_part_in_anything(self) -> None:
        scores, conditions = scenario()
        strange = np.where(MEMBER, 1e3, scores), np.where(MEMBER[:, None], 5.0, conditions)
        before = conditional_distribution(scores, conditions, MEMBER, FOLDS)
        after = conditional_distribution(*strange, MEMBER, FOLDS)
        for one, other in ((before.location, after.location), (before.spread, after.spread)):
            np.testing.assert_array_equal(other[~MEMBER], one[~MEMBER])

    def test_the_order_of_the_images_changes_nothing(self, found: np.ndarray) -> None:
        scores, conditions = scenario()
        order = np.random.default_rng(0).permutation(N)
        moved = conditional_scores(scores[order], conditions[order], MEMBER[order], FOLDS[order])
        np.testing.assert_array_equal(moved, found[order])


class TestScale:
    def test_increasing_in_an_images_own_score(self, found: np.ndarray) -> None:
        scores, conditions = scenario()
        own = (FOLDS == 1) & MEMBER
        for step in (1e-3, 1.0, 1e3):
            raised = conditional_scores(np.where(own, scores + step, scores), conditions, MEMBER, FOLDS)
            assert (raised[own] > found[own]).all()
            np.testing.assert_array_equal(raised[~own], found[~own])

    def test_no_ties_beyond_all_non_members(self) -> None:
        scores, conditions = scenario()
        scores[MEMBER] = scores.max() + np.arange(MEMBER.sum())
        found = conditional_scores(scores, conditions, MEMBER, FOLDS)
        assert np.unique(found).size == N

    def test_unit_and_origin_of_the_scores_do_not_matter(self, found: np.ndarray) -> None:
        scores, conditions = scenario()
        np.testing.assert_allclose(conditional_scores(8 * scores - 64, conditions, MEMBER, FOLDS), found, rtol=1e-6)

    def test_energies_serve_as_well_as_their_logarithms(self, found: np.ndarray) -> None:
        scores, conditions = scenario()
        energies = conditional_scores(-np.exp(-scores), conditions, MEMBER, FOLDS)
        assert spearmanr(energies, found).statistic > 0.99
        assert abs(auroc(energies, MEMBER) - auroc(found, MEMBER)) < 0.01

    def test_infinite_scores_stay_so_and_teach_nothing(self, found: np.ndarray) -> None:
        scores, conditions = scenario()
        scores[[0, 1, 2, 3]] = np.inf, np.inf, -np.inf, -np.inf  # two members, two non-members
        got = conditional_scores(scores, conditions, MEMBER, FOLDS)
        np.testing.assert_array_equal(got[:4], scores[:4])
        assert np.isfinite(got[4:]).all()
        assert spearmanr(got[4:], found[4:]).statistic > 0.97

    def test_conditions_that_say_nothing_keep_the_ranks_of_a_fold(self) -> None:
        scores, _ = scenario()
        got = conditional_scores(scores, np.ones((N, 1)), MEMBER, FOLDS)
        for fold in np.unique(FOLDS):
            own = fold == FOLDS
            np.testing.assert_array_equal(np.argsort(got[own]), np.argsort(scores[own]))

    def test_equal_scores(self) -> None:
        got = conditional_scores(np.full(N, 0.3), scenario()[1], MEMBER, FOLDS)
        np.testing.assert_allclose(got, 0.0, atol=1e-9)


class TestNormalScores:
    def test_quantiles_of_the_ranks(self) -> None:
        got = normal_scores([[5.0, 1.0], [3.0, 4.0]], [3.0, 1.0, 5.0])
        np.testing.assert_allclose(got[[1, 0, 0], [0, 1, 0]], norm.ppf([3 / 6, 1 / 6, 5 / 6]), atol=1e-12)
        assert got[1, 1] == pytest.approx(norm.ppf(5 / 6) / 2)

    def test_ties_share_the_middle_of_their_ranks(self) -> None:
        got = normal_scores([0.0, 1.0], [0.0, 1.0, 1.0, 1.0])
        np.testing.assert_allclose(got, norm.ppf([1 / 8, 5 / 8]))

    def test_goes_on_beyond_the_reference(self) -> None:
        reference = np.random.default_rng(0).normal(size=100)
        far = np.array([-np.inf, -9.0, -8.0, reference.min(), 0.0, reference.max(), 8.0, 9.0, np.inf])
        got = normal_scores(far, reference)
        assert (np.diff(got) > 0).all()
        assert np.isinf(got[[0, -1]]).all()
        np.testing.assert_allclose(normal_scores(reference, reference).std(), 1.0, atol=0.05)

    def test_one_value_is_the_origin(self) -> None:
        np.testing.assert_array_equal(normal_scores([1.0, 2.0, 4.0], [2.0, 2.0]), [-1.0, 0.0, 2.0])


@pytest.mark.parametrize("count", [2, 3])
def test_few_images_and_few_folds(count: int) -> None:
    member = np.array([True, False] * 3)
    folds = assign_folds([str(i) for i in range(6)], member, folds=count)
    rng = np.random.default_rng(0)
    law = conditional_distribution(rng.normal(size=6), rng.normal(size=(6, 2)), member, folds)
    assert np.isfinite(law.location).all()
    assert (law.spread > 0).all()
    assert set(law.chosen) <= set(MEDIANS)
    assert len(law.chosen) == count


def test_refusals() -> None:
    scores, conditions = scenario()
    wrong = scores.copy()
    wrong[5] = np.nan
    with pytest.raises(NonFiniteError, match="first at position 5"):
        conditional_scores(wrong, conditions, MEMBER, FOLDS)
    with pytest.raises(NonFiniteError, match="NaN in 2 of 2 columns"):
        conditional_scores(scores, np.full_like(conditions, np.nan), MEMBER, FOLDS)
    with pytest.raises(DataError, match="one score per image"):
        conditional_scores(scores[1:], conditions, MEMBER, FOLDS)
    with pytest.raises(DataError, match="one row of at least one feature"):
        conditional_scores(scores, conditions[:, :0], MEMBER, FOLDS)
    alone = np.where((FOLDS == 1) | MEMBER, scores, np.inf)
    with pytest.raises(DataError, match="fold 1 holds all of them"):
        conditional_scores(alone, conditions, MEMBER, FOLDS)
