from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import roc_curve

from privaudit.evaluation import evaluate
from privaudit.evaluation.curves import BINS, curve_grid, histogram, roc_curves
from privaudit.evaluation.roc import allowed_false_positives

MEMBER = np.arange(600) < 300
FOLDS = np.arange(600) % 5
SCORES = {"good": np.random.default_rng(0).normal(size=600) + 1.2 * MEMBER}


def evaluated(scores=SCORES, **options):
    return evaluate(scores, MEMBER, FOLDS, replicates=200, **options)


def test_the_grid_has_the_rates_that_are_reported():
    grid = curve_grid(1100)
    assert grid[0] == 0.0
    assert grid[-1] == 1.0
    assert {0.01, 0.001, 0.05, 0.5} <= set(grid)
    assert list(grid) == sorted(set(grid))
    assert 0.001 not in curve_grid(500)


@pytest.mark.parametrize("nonmembers", [1, 2, 3, 7, 500, 1000, 1100, 3000])
def test_the_first_rate_allows_one_false_positive(nonmembers):
    grid = curve_grid(nonmembers)
    assert allowed_false_positives(grid[1], nonmembers) == 1
    assert grid[-1] == 1.0
    assert all(left < right for left, right in zip(grid, grid[1:], strict=False))


def test_the_curve_is_that_of_scikit_learn():
    curve = roc_curves(evaluated(), SCORES, MEMBER)["good"]
    false, true, _ = roc_curve(MEMBER, SCORES["good"], drop_intermediate=False)
    for fpr, tpr in zip(curve.fpr, curve.tpr, strict=True):
        assert tpr == pytest.approx(true[false <= fpr + 1e-9].max(), abs=1e-6)


def test_limits_are_those_of_the_table():
    found = evaluated(fprs=(0.05, 0.1))
    curve = roc_curves(found, SCORES, MEMBER, limited=["good"])["good"]
    for fpr in (0.05, 0.1):
        at, rate = curve.fpr.index(fpr), found.metrics["good"].tpr_at_fpr[f"{fpr:g}"]
        assert (curve.tpr[at], curve.lo[at], curve.hi[at]) == pytest.approx((rate.value, rate.lo, rate.hi), abs=1e-6)
    assert (curve.lo[-1], curve.hi[-1]) == (1.0, 1.0)
    assert np.isnan(curve.lo[0])  # no image resolves a rate of 0


def test_no_limits_unless_asked_for():
    curve = roc_curves(evaluated(), SCORES, MEMBER)["good"]
    assert np.isnan(curve.lo).all()
    assert np.isnan(curve.hi).all()


def test_limits_of_images_that_were_drawn_together_are_wider():
    units = np.arange(600) // 6
    near = np.random.default_rng(1).normal(size=100)[units] + 0.1 * np.random.default_rng(2).normal(size=600)
    scores = {"alike": near + 0.5 * MEMBER}
    widths = []
    for given in (None, units):
        curve = roc_curves(evaluated(scores, units=given), scores, MEMBER, limited=["alike"], units=given)["alike"]
        at = curve.fpr.index(0.2)
        widths.append(curve.hi[at] - curve.lo[at])
    assert widths[1] > 1.5 * widths[0]


def test_no_curve_without_both_classes():
    everyone = np.ones(10, dtype=bool)
    found = evaluate({"a": np.arange(10.0)}, everyone, np.arange(10) % 2, replicates=200)
    assert roc_curves(found, {"a": np.arange(10.0)}, everyone) == {}


def test_scores_that_are_all_equal_have_no_limits():
    scores = {"flat": np.zeros(600)}
    curve = roc_curves(evaluated(scores), scores, MEMBER, limited=["flat"])["flat"]
    assert curve.tpr[-1] == 1.0
    assert curve.tpr[-2] == curve.fpr[-2] == 0.95  # coins alone
    assert np.isnan(curve.lo).all()


def test_every_image_is_counted_once():
    found = histogram(SCORES["good"], MEMBER)
    assert (sum(found.members), sum(found.nonmembers), len(found.members)) == (300, 300, BINS)
    assert_allclose(np.diff(found.edges), found.edges[1] - found.edges[0], rtol=1e-4)


def test_what_lies_far_outside_goes_to_the_outer_bins():
    scores = SCORES["good"].copy()
    scores[0], scores[-1] = np.inf, -np.inf
    found = histogram(scores, MEMBER)
    assert np.isfinite(found.edges).all()
    assert (sum(found.members), sum(found.nonmembers)) == (300, 300)
    assert found.members[-1] >= 1
    assert found.nonmembers[0] >= 1


@pytest.mark.parametrize("value", [0.0, 5.0, np.inf])
def test_equal_scores_share_a_bin(value):
    found = histogram(np.full(600, value), MEMBER)
    assert (sum(found.members), sum(found.nonmembers)) == (300, 300)
    assert len(found.edges) == len(found.members) + 1


def test_no_single_score_stands_in_a_histogram():
    found = histogram(SCORES["good"], MEMBER)
    assert not set(found.edges) & set(SCORES["good"].tolist())
