"""How much wider a cross-fitted choice spreads: what is simulated against what happens."""

from __future__ import annotations

import numpy as np
import pytest

from privaudit.evaluation import auroc, choice_inflation, cross_fit

IMAGES = 200
MEMBER = np.arange(IMAGES) % 2 == 0
FOLDS = np.arange(IMAGES) // 2 % 5


def draw(seed: int, candidates: int, shared: float = 0.0, told: float = 0.0) -> np.ndarray:
    """Candidates with a part in common; the first tells members."""
    rng = np.random.default_rng(seed)
    common, own = rng.normal(size=(IMAGES, 1)), rng.normal(size=(IMAGES, candidates))
    scores = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    scores[MEMBER, 0] += told
    return scores


@pytest.mark.parametrize(("candidates", "shared"), [(2, 0.0), (8, 0.0), (8, 0.6), (8, 0.97)])
def test_is_what_happens_among_candidates_that_tell_nothing(candidates: int, shared: float) -> None:
    tables = [draw(seed, candidates, shared) for seed in range(300)]
    areas = [auroc(cross_fit(table, range(candidates), MEMBER, FOLDS).scores, MEMBER) for table in tables]
    fixed = np.sqrt((IMAGES + 1) / (3 * IMAGES * IMAGES))  # of the Mann-Whitney statistic without ties
    factors = [choice_inflation(table, MEMBER, FOLDS) for table in tables[:20]]
    assert np.std(areas) / fixed == pytest.approx(np.mean(factors), rel=0.15)
    assert abs(np.mean(areas) - 0.5) < 4 * np.std(areas) / np.sqrt(300)


def test_grows_with_the_candidates_and_shrinks_with_what_they_share() -> None:
    few, many, alike = (choice_inflation(draw(0, *given), MEMBER, FOLDS) for given in ((2, 0.0), (20, 0.0), (20, 0.97)))
    assert 1.0 < alike < few < many < 1.8


def test_a_candidate_that_is_clearly_best_is_as_good_as_fixed() -> None:
    assert choice_inflation(draw(0, 8, told=1.5), MEMBER, FOLDS) == pytest.approx(1.0, abs=0.03)


def test_nothing_to_choose_widens_nothing() -> None:
    table = draw(0, 3)
    assert choice_inflation(table[:, :1], MEMBER, FOLDS) == 1.0
    assert choice_inflation(table, MEMBER, np.zeros(IMAGES)) == 1.0
    assert choice_inflation(np.zeros((IMAGES, 3)), MEMBER, FOLDS) == 1.0
    assert choice_inflation(table, np.ones(IMAGES, dtype=bool), FOLDS) == 1.0
    assert choice_inflation(table[:, [0, 0, 0]], MEMBER, FOLDS) == pytest.approx(1.0, abs=0.05)


def test_ranks_are_all_that_matters() -> None:
    table = draw(0, 4)
    table[3, 1], table[4, 2] = np.inf, -np.inf
    found = choice_inflation(table, MEMBER, FOLDS)
    moved = np.stack([table[:, 0] ** 3, np.arctan(table[:, 1]), 7 * table[:, 2] - 1, table[:, 3]], axis=1)
    assert choice_inflation(moved, MEMBER, FOLDS) == pytest.approx(found)
    order = np.random.default_rng(0).permutation(IMAGES)
    assert choice_inflation(table[order], MEMBER[order], FOLDS[order]) == pytest.approx(found)
