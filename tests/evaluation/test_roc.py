import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.evaluation import advantage, auroc, consistent, roc_points, tpr_at_fpr
from privaudit.evaluation.roc import count, expected_hits

LEVELS = st.lists(
    st.tuples(st.sampled_from([-np.inf, -2.0, -0.5, 0.0, 0.5, 1.0, 3.0, np.inf]), st.booleans()),
    min_size=2,
    max_size=40,
).filter(lambda rows: len({member for _, member in rows}) == 2)


def split(rows: list) -> tuple:
    return np.array([s for s, _ in rows]), np.array([m for _, m in rows])


def literal_tpr(scores: np.ndarray, member: np.ndarray, fpr: float) -> tuple:
    """Try every threshold; below the lowest that does not exceed the target, toss a coin for each image of a block."""
    best = (0.0, 0.0, np.inf)
    for threshold in sorted(set(scores), reverse=True):
        false, true = (scores[~member] >= threshold).mean(), (scores[member] >= threshold).mean()
        if false <= fpr + 1e-12:
            best = (true, false, threshold)
        elif true > best[0] and fpr > best[1]:
            coin = (fpr - best[1]) / (false - best[1])
            return (best[0] + coin * (true - best[0]), fpr, best[2])
        else:
            return best
    return best


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_agrees_with_scikit_learn(decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    member = rng.random(300) < 0.4
    scores = np.round(rng.normal(size=300) + member, decimals)
    assert auroc(scores, member) == pytest.approx(roc_auc_score(member, scores), abs=1e-12)
    fpr, tpr, _ = roc_curve(member, scores, drop_intermediate=False)
    ours = roc_points(scores, member)
    np.testing.assert_allclose(ours[0], fpr, atol=1e-15)
    np.testing.assert_allclose(ours[1], tpr, atol=1e-15)
    assert advantage(scores, member) == pytest.approx((tpr - fpr).max(), abs=1e-12)
    for target in (0.0, 0.01, 0.1, 0.5, 1.0):
        # np.interp takes the lower end of a vertical piece; the rate is that of its upper end
        assert tpr_at_fpr(scores, member, target).tpr == pytest.approx(np.interp(target + 1e-12, fpr, tpr), abs=1e-9)


def test_tied_scores_are_one_step_of_the_curve() -> None:
    # Two-level scores: a ROC that keeps the first of tied scores gives .133 here instead of .479.
    member = np.array([True] * 48 + [False] * 48)
    scores = np.array([1.0] * 4 + [0.0] * 44 + [1.0] * 6 + [0.0] * 42)
    assert auroc(scores, member) == pytest.approx(roc_auc_score(member, scores)) == pytest.approx(0.479, abs=5e-4)
    assert roc_points(scores, member)[0].tolist() == [0.0, 6 / 48, 1.0]


def test_coins_are_tossed_in_a_top_block_beyond_the_target() -> None:
    point = tpr_at_fpr([1.0, 1.0, 1.0, 0.0], [True, True, False, False], 0.1)
    assert (point.tpr, point.fpr_realised, point.threshold, point.k, point.n) == (0.2, 0.1, np.inf, 0, 2)
    alone = tpr_at_fpr([2.0, 2.0, 1.0, 0.0], [False, False, True, False], 0.1)
    assert (alone.tpr, alone.fpr_realised, alone.threshold, alone.k) == (0.0, 0.0, np.inf, 0)


def test_a_coin_reaches_the_rate_that_is_reported() -> None:
    """100 of 2 000 members share the top score with 40 of 2 000 non-members: one heads in two gives .025 at 1 %."""
    member = np.arange(4000) < 2000
    scores = np.where(np.arange(4000) % 2000 < np.where(member, 100, 40), 1.0, 0.0)
    point = tpr_at_fpr(scores, member, 0.01)
    assert (point.tpr, point.fpr_realised, point.k) == (0.025, 0.01, 0)
    generator, rates = np.random.default_rng(0), []
    for _ in range(400):  # ties broken at random have no ties
        rates.append(tpr_at_fpr(scores + 0.1 * generator.random(4000), member, 0.01).tpr)
    assert np.mean(rates) == pytest.approx(0.025, abs=5 * np.std(rates) / 20 + 1 / 2000)


def test_mean_number_of_members_before_a_nonmember() -> None:
    member = np.array([True, False, True, True, True, False, False, True, False])
    scores = np.array([5.0, 5.0, 4.0, 3.0, 3.0, 3.0, 3.0, 1.0, 0.0])
    generator, drawn = np.random.default_rng(0), []
    for _ in range(4000):
        ranked = member[np.lexsort([generator.random(9), -scores])]
        before = np.cumsum(ranked)[~ranked]
        drawn.append([0, *before, member.sum()])
    hits = expected_hits(count(scores, member), np.arange(-1, 5))
    assert hits.tolist() == [0.0, 0.5, 2.0 + 2 / 3, 2.0 + 4 / 3, 5.0, 5.0]
    np.testing.assert_allclose(hits, np.mean(drawn, axis=0), atol=0.06)


def test_constant_scores() -> None:
    member = np.arange(10) < 5
    assert auroc(np.ones(10), member) == 0.5
    assert advantage(np.ones(10), member) == 0.0
    assert tpr_at_fpr(np.ones(10), member, 0.2).tpr == 0.2  # coins alone
    assert tpr_at_fpr(np.ones(10), member, 1.0).tpr == 1.0


def test_infinite_scores_are_ordered() -> None:
    member = np.array([True, True, False, False])
    assert auroc([np.inf, 0.0, -np.inf, -1.0], member) == 1.0
    assert auroc([np.inf, -np.inf, np.inf, -np.inf], member) == 0.5


@pytest.mark.parametrize("member", [np.ones(4, bool), np.zeros(4, bool)])
def test_one_class(member: np.ndarray) -> None:
    scores = np.arange(4.0)
    assert np.isnan(auroc(scores, member))
    assert np.isnan(advantage(scores, member))
    point = tpr_at_fpr(scores, member, 0.5)
    assert np.isnan(point.tpr) or np.isnan(point.fpr_realised)
    with pytest.raises(DataError, match="expected members and non-members"):
        roc_points(scores, member)


def test_target_counts_are_safe_against_rounding() -> None:
    scores, member = np.arange(200.0), np.arange(200) < 100
    assert tpr_at_fpr(scores, member, 0.29).k == 29  # 0.29 * 100 is 28.999999999999996


def test_bad_input() -> None:
    with pytest.raises(NonFiniteError, match="got NaN for 1 of 2 images, the first at position 1"):
        auroc([0.0, np.nan], [True, False])
    with pytest.raises(DataError, match="expected one score per image"):
        auroc([0.0, 1.0, 2.0], [True, False])
    with pytest.raises(ConfigError, match="false-positive rate in"):
        tpr_at_fpr([0.0, 1.0], [True, False], 1.5)


@settings(deadline=None)
@given(LEVELS, st.sampled_from([0.0, 0.05, 0.1, 0.34, 0.5, 0.9, 1.0]))
def test_operating_point_is_the_literal_one(rows: list, fpr: float) -> None:
    scores, member = split(rows)
    point = tpr_at_fpr(scores, member, fpr)
    tpr, realised, threshold = literal_tpr(scores, member, fpr)
    assert (point.tpr, point.fpr_realised) == pytest.approx((tpr, realised), abs=1e-12)
    assert point.threshold == threshold
    assert consistent(auroc(scores, member), point.tpr, point.fpr_realised)
    assert point.fpr_realised <= fpr + 1e-12


@settings(deadline=None)
@given(LEVELS)
def test_properties_of_the_curve(rows: list) -> None:
    scores, member = split(rows)
    area = auroc(scores, member)
    pairs = scores[member][:, None], scores[~member][None, :]
    assert area == pytest.approx(((pairs[0] > pairs[1]) + 0.5 * (pairs[0] == pairs[1])).mean(), abs=1e-12)
    assert auroc(-scores, member) == pytest.approx(1.0 - area, abs=1e-12)
    assert auroc(scores, ~member) == pytest.approx(1.0 - area, abs=1e-12)
    monotone = np.arctan(scores) ** 3
    assert auroc(monotone, member) == area
    assert advantage(monotone, member) == advantage(scores, member)
    assert tpr_at_fpr(monotone, member, 0.3).tpr == tpr_at_fpr(scores, member, 0.3).tpr
    for fpr, tpr in zip(*roc_points(scores, member), strict=True):
        assert consistent(area, tpr, fpr)


def test_impossible_pairs_are_recognised() -> None:
    assert not consistent(0.6, 0.9, 0.01)
    assert consistent(float("nan"), 0.9, 0.01)
