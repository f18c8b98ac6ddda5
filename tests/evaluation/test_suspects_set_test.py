from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from privaudit.evaluation.suspects.normal_scores import normal_scores, observe
from privaudit.evaluation.suspects.set_permutation import set_test


class Recorded:
    """A generator that keeps the labels that it deals."""

    def __init__(self, seed):
        self.generator, self.dealt = np.random.default_rng(seed), []

    def permuted(self, labels, axis):
        self.dealt.append(self.generator.permuted(labels, axis=axis))
        return self.dealt[-1]


def difference(scores, is_suspect):
    return scores[is_suspect].mean(axis=0) - scores[~is_suspect].mean(axis=0)


def literal(scores, is_suspect, folds):
    """Both statistics by loops, refitting everything."""
    whole = max(difference(scores, is_suspect))
    total = 0.0
    for fold in np.unique(folds):
        own = folds == fold
        best = int(np.argmax(difference(scores[~own], is_suspect[~own])))
        total += is_suspect[own].sum() * difference(scores[own], is_suspect[own])[best]
    return whole, total


@pytest.mark.parametrize(("suspects", "nonmembers", "folds"), [(3, 5, 2), (6, 9, 3), (2, 2, 2), (5, 40, 5)])
def test_every_permutation_repeats_the_whole_choice(suspects, nonmembers, folds):
    generator = np.random.default_rng(suspects)
    count = suspects + nonmembers
    scores, is_suspect = normal_scores(generator.normal(size=(count, 4))), np.arange(count) < suspects
    deal = np.r_[np.arange(suspects), np.arange(nonmembers)] % folds
    recorded = Recorded(0)
    found = set_test(scores, is_suspect, deal, 60, recorded)
    reached = np.zeros(2)
    for draw in range(60):
        labels = np.zeros(count, bool)
        for fold, dealt in enumerate(recorded.dealt):
            labels[deal == fold] = dealt[draw] > 0.5
        assert [labels[deal == fold].sum() for fold in range(folds)] == [
            is_suspect[deal == fold].sum() for fold in range(folds)
        ]
        pairs = zip(literal(scores, labels, deal), literal(scores, is_suspect, deal), strict=True)
        reached += [drawn >= observed - 1e-9 for drawn, observed in pairs]
    assert found.p == (1 + reached[0]) / 61
    assert found.out_of_fold_p == (1 + reached[1]) / 61
    assert found.chosen == int(np.argmax(difference(scores, is_suspect)))
    assert found.chosen_by_fold == tuple(
        int(np.argmax(difference(scores[deal != fold], is_suspect[deal != fold]))) for fold in range(folds)
    )
    for fold, column in enumerate(found.chosen_by_fold):
        np.testing.assert_array_equal(found.scores[deal == fold], scores[deal == fold, column])


def test_labels_held_in_parts_give_the_same_distribution(monkeypatch):
    scores, is_suspect = normal_scores(np.random.default_rng(0).normal(size=(30, 3))), np.arange(30) < 10
    deal = np.arange(30) % 2
    whole = set_test(scores, is_suspect, deal, 4000, np.random.default_rng(1))
    monkeypatch.setattr("privaudit.evaluation.suspects.set_permutation.MAX_LABELS", 30 * 7)
    parts = set_test(scores, is_suspect, deal, 4000, np.random.default_rng(2))
    assert abs(whole.p - parts.p) < 0.05


def uniform(p_values, permutations, generator):
    """P-values with the steps of the permutations smoothed out."""
    return np.asarray(p_values) - generator.random(len(p_values)) / (permutations + 1)


@pytest.mark.parametrize("kind", ["plain", "ties", "groups"])
def test_p_values_are_uniform_where_nobody_is_a_member(kind):
    generator = np.random.default_rng(11)
    whole, out_of_fold, permutations, repeats = [], [], 99, 500
    is_suspect, folds = np.arange(36) < 12, np.arange(36) % 3
    for _ in range(repeats):
        table = generator.normal(size=(36, 6)) + generator.normal(size=(36, 1))
        keys = [f"{i}" for i in range(36)]
        if kind == "ties":
            table = np.round(table)
        if kind == "groups":
            table = np.repeat(table, 3, axis=0) + 0.5 * generator.normal(size=(108, 6))
            keys = [key for key in keys for _ in range(3)]
        found = set_test(observe(normal_scores(table), keys).units, is_suspect, folds, permutations, generator)
        whole.append(found.p)
        out_of_fold.append(found.out_of_fold_p)
    for p_values in (whole, out_of_fold):
        assert kstest(uniform(p_values, permutations, generator), "uniform").pvalue > 0.01
        for level in (0.01, 0.05, 0.1):
            assert binomtest(int((np.array(p_values) <= level).sum()), repeats, level).pvalue > 0.005


def test_welch_alone_would_reject_too_often():
    generator, rejected, repeats = np.random.default_rng(5), 0, 400
    is_suspect, folds = np.arange(60) < 30, np.arange(60) % 5
    for _ in range(repeats):
        table = generator.normal(size=(60, 40))
        rejected += set_test(normal_scores(table), is_suspect, folds, 1, generator).welch_p <= 0.05
    assert binomtest(int(rejected), repeats, 0.05, alternative="greater").pvalue < 0.001


def test_a_single_fold_has_no_out_of_fold_test():
    scores, is_suspect = normal_scores(np.random.default_rng(0).normal(size=(12, 3))), np.arange(12) < 3
    found = set_test(scores, is_suspect, np.zeros(12, int), 99, np.random.default_rng(0))
    assert np.isnan(found.out_of_fold_p)
    assert np.isnan(found.welch_p)
    assert not found.held_out
    assert found.distinct == pytest.approx(220)
    one = set_test(scores[:, :1], is_suspect, np.zeros(12, int), 99, np.random.default_rng(0))
    assert one.held_out
    assert 0 < one.welch_p < 1


def test_normal_scores():
    table = np.array([[1.0, 5.0], [1.0, np.inf], [2.0, -np.inf]])
    scores = normal_scores(table)
    assert scores.shape == (3, 3)
    assert scores[0, 0] == scores[1, 0] < scores[2, 0]
    np.testing.assert_allclose(scores[:, 1], [0.0, 0.674490, -0.674490], atol=1e-6)
    assert np.isfinite(scores).all()
    assert (normal_scores(np.ones((5, 2))) == 0).all()


def test_observations_are_means():
    observed = observe(np.array([[1.0], [2.0], [5.0], [4.0]]), ["b", "a", "b", "c"])
    np.testing.assert_array_equal(observed.units, [[3.0], [2.0], [4.0]])
    np.testing.assert_array_equal(observed.unit, [0, 1, 0, 2])
    np.testing.assert_array_equal(observed.first, [0, 1, 3])
    np.testing.assert_array_equal(observed.sizes, [2, 1, 1])
