import numpy as np
import pytest

from privaudit.errors import ConfigError, DataError
from privaudit.evaluation import epsilon_lower
from privaudit.evaluation.epsilon_bound import HeldOutCounts, Outcomes, bound_from_counts, held_out_counts
from privaudit.evaluation.facts import fact
from privaudit.evaluation.intervals import clopper_pearson

N = 300
MEMBER = np.arange(2 * N) < N
FOLDS = np.arange(2 * N) % 5


def test_counts_become_the_formula() -> None:
    counts = HeldOutCounts(Outcomes(60, 2), Outcomes(95, 40), 100, 200)
    low, high = clopper_pearson(60, 100, 0.0125, "lower"), clopper_pearson(2, 200, 0.0125, "upper")
    first = np.log((low - 0.01) / high)
    low, high = clopper_pearson(95, 100, 0.0125, "lower"), clopper_pearson(40, 200, 0.0125, "upper")
    second = np.log((1 - high - 0.01) / (1 - low))
    assert bound_from_counts(counts, 0.95, 0.01).value == pytest.approx(max(first, second))


def test_zero_without_leakage_and_positive_with() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=2 * N)
    assert epsilon_lower(noise, MEMBER, FOLDS).value < 0.1
    assert epsilon_lower(noise + MEMBER, MEMBER, FOLDS).value > 0.5
    assert epsilon_lower(noise + 20 * MEMBER, MEMBER, FOLDS).value > 3
    assert epsilon_lower(noise - 20 * MEMBER, MEMBER, FOLDS).value == 0.0


def test_valid_under_the_null() -> None:
    rng = np.random.default_rng(1)
    wrong = sum(epsilon_lower(rng.normal(size=2 * N), MEMBER, FOLDS).value > 0 for _ in range(60))
    assert wrong <= 8  # binomial(60, .05) exceeds 8 in .2 % of runs


def test_valid_for_randomised_response() -> None:
    # A bit kept with probability e / (1 + e) is exactly 1-private.
    rng = np.random.default_rng(2)
    keep = np.e / (1 + np.e)
    values = [
        epsilon_lower(np.where(rng.random(2 * N) < keep, MEMBER, ~MEMBER), MEMBER, FOLDS).value for _ in range(60)
    ]
    assert np.mean(np.array(values) > 1.0) <= 0.14
    assert np.median(values) > 0.5


def test_thresholds_come_from_the_other_folds() -> None:
    rng = np.random.default_rng(3)
    scores = np.round(rng.normal(size=2 * N) + MEMBER, 1)
    called = np.zeros((2, 2 * N), dtype=bool)
    for fold in range(5):
        x, y = scores[fold != FOLDS], MEMBER[fold != FOLDS]
        best = [(-1.0, np.nan), (-1.0, np.nan)]
        for threshold in sorted(set(x), reverse=True):
            low = float(clopper_pearson((x[y] >= threshold).sum(), y.sum(), 0.025, "lower"))
            high = float(clopper_pearson((x[~y] >= threshold).sum(), (~y).sum(), 0.025, "upper"))
            for form, ratio in enumerate((low / high, (1 - high) / (1 - low))):
                best[form] = max(best[form], (max(ratio, 1.0), threshold), key=lambda pair: pair[0])
        for form in range(2):
            called[form, fold == FOLDS] = scores[fold == FOLDS] >= best[form][1]
    ours = held_out_counts(scores, MEMBER, FOLDS)
    assert ours.hit == Outcomes((called[0] & MEMBER).sum(), (called[0] & ~MEMBER).sum())
    assert ours.miss == Outcomes((called[1] & MEMBER).sum(), (called[1] & ~MEMBER).sum())


def test_copies_count_once() -> None:
    rng = np.random.default_rng(4)
    scores, unit = rng.normal(size=2 * N) + 2 * MEMBER, np.repeat(np.arange(2 * N), 4)
    found = held_out_counts(scores[unit], MEMBER[unit], FOLDS[unit], units=unit)
    assert found.effective == (N, N)
    quarter = HeldOutCounts(
        Outcomes(found.hit.tp // 4, found.hit.fp // 4), Outcomes(found.miss.tp // 4, found.miss.fp // 4), N, N
    )
    assert bound_from_counts(found).value == pytest.approx(bound_from_counts(quarter).value)
    assert epsilon_lower(scores[unit], MEMBER[unit], FOLDS[unit], units=unit).value == bound_from_counts(found).value
    assert epsilon_lower(scores[unit], MEMBER[unit], FOLDS[unit]).value > bound_from_counts(found).value


def test_too_few_images_have_a_reason() -> None:
    bound = epsilon_lower([1.0, 0.0, 0.5], [True, False, False], [0, 0, 1])
    assert np.isnan(bound.value)
    assert bound.reason == fact("folds_need_images", members=0, nonmembers=1)
    single = epsilon_lower(np.arange(4.0), [True, True, False, False], [0, 0, 0, 0])
    assert np.isnan(single.value)
    assert single.reason == fact("folds_need_images", members=0, nonmembers=0)
    none = epsilon_lower([], [], [])
    assert np.isnan(none.value)
    assert none.reason == fact("folds_need_images", members=0, nonmembers=0)


def test_bad_input() -> None:
    with pytest.raises(DataError, match="one fold per image"):
        epsilon_lower([0.0, 1.0], [True, False], [0])
    with pytest.raises(ConfigError, match=r"confidence in \(0, 1\), got 1; .*delta in \[0, 1\), got -1"):
        bound_from_counts(HeldOutCounts(Outcomes(1, 1), Outcomes(1, 1), 2, 2), 1, -1)
