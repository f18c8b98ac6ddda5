from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from privaudit.evaluation.suspects.conformal import image_tests, needed_on_top, smallest_p
from privaudit.evaluation.suspects.normal_scores import normal_scores, observe


def images_of(table, is_suspect, keys=None):
    observed = observe(normal_scores(table), keys or [f"{i}" for i in range(len(table))])
    return image_tests(observed, is_suspect[observed.first]), observed


def test_every_image_is_tested_at_the_candidate_chosen_with_it_among_the_nonmembers():
    generator = np.random.default_rng(0)
    table, is_suspect = generator.normal(size=(14, 5)), np.arange(14) < 5
    found, _ = images_of(table, is_suspect)
    scores = normal_scores(table)
    for i in range(5):
        moved = is_suspect.copy()
        moved[i] = False
        best = int(np.argmax(scores[moved].mean(axis=0) - scores[~moved].mean(axis=0)))
        assert found.candidate[i] == best
        assert found.score[i] == scores[i, best]
        assert found.p[i] == (1 + (scores[5:, best] >= scores[i, best]).sum()) / 10


def test_groups_by_hand():
    table = np.array([3.0, 9.0, 1.0, 2.0, 3.0, 4.0, 5.0])[:, None]
    is_suspect = np.arange(7) < 2
    found, _ = images_of(table, is_suspect, ["s", "s", "a", "a", "a", "b", "c"])
    # Of the groups a (1, 2, 3), b (4) and c (5): a third of a, b and c are at or above 3.
    np.testing.assert_allclose(found.p, [(1 + 1 / 3 + 1 + 1) / 4, 1 / 4])


def test_ties_count_against_the_image():
    found, _ = images_of(np.array([1.0, 1.0, 1.0, 0.0])[:, None], np.array([True, False, False, False]))
    assert found.p.tolist() == [3 / 4]


@pytest.mark.parametrize("others", ["members", "nonmembers"])
def test_a_nonmember_among_suspects_has_a_uniform_p_value(others):
    generator, repeats = np.random.default_rng(2), 600
    is_suspect, p_values = np.arange(27) < 8, []
    for _ in range(repeats):
        table = generator.normal(size=(27, 5)) + generator.normal(size=(27, 1))
        if others == "members":
            table[1:8] += generator.normal(size=5)  # some candidates favour them, others the contrary
        p_values.append(images_of(table, is_suspect)[0].p[0])
    grid = np.array(p_values)
    assert kstest(grid - generator.random(repeats) / 20, "uniform").pvalue > 0.01
    for level in (0.05, 0.1, 0.25):
        assert binomtest(int((grid <= level + 1e-12).sum()), repeats, level).pvalue > 0.005


def test_a_nonmember_in_a_group_is_not_flagged_more_often():
    generator, repeats, hits = np.random.default_rng(4), 600, 0
    is_suspect, keys = np.arange(90) < 15, [f"{i // 3}" for i in range(90)]
    for _ in range(repeats):
        table = np.repeat(generator.normal(size=(30, 3)), 3, axis=0) + 0.3 * generator.normal(size=(90, 3))
        hits += images_of(table, is_suspect, keys)[0].p[0] <= 0.1
    assert binomtest(int(hits), repeats, 0.1, alternative="greater").pvalue > 0.01


def test_the_false_discovery_rate_holds():
    generator, repeats, shares, found = np.random.default_rng(6), 200, [], []
    is_suspect = np.arange(140) < 40
    for _ in range(repeats):
        table = generator.normal(size=(140, 6))
        table[:20] += 3.0 * (np.arange(6) == 2)
        flagged = images_of(table, is_suspect)[0].q <= 0.1
        shares.append(flagged[20:].sum() / max(1, flagged.sum()))
        found.append(flagged[:20].mean())
    error = np.std(shares) / np.sqrt(repeats)
    assert np.mean(shares) < 0.1 + 2 * error
    assert np.mean(found) > 0.6


def test_without_other_suspects_the_mean_of_all_is_taken():
    found, observed = images_of(np.random.default_rng(0).normal(size=(9, 3)), np.arange(9) < 1)
    assert found.candidate.tolist() == [3]
    assert found.score[0] == observed.images[0, 3]


def test_what_it_takes_to_flag_any():
    assert smallest_p(99) == 0.01
    assert needed_on_top(100, 99, 0.1) == 10
    assert needed_on_top(5, 1000, 0.1) == 1
    assert needed_on_top(5, 9, 0.1) == 5
    assert needed_on_top(5, 8, 0.1) == np.inf
