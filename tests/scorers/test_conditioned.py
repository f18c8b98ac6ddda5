"""The best attack judged against non-members like the image: which attack, under which masks, by whom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from privaudit.evaluation import assign_folds, auroc
from privaudit.geometry import MASKS
from privaudit.scorers import Evidence, parse_methods

COUNT = 300
IS_MEMBER = np.arange(COUNT) % 2 == 0


def evidence() -> Evidence:
    """A weak attack, and a strong one whose level and spread follow the distortion of the image."""
    generator = np.random.default_rng(0)
    distortion = generator.normal(size=COUNT)
    strong = 2 * IS_MEMBER + 3 * distortion + generator.normal(size=COUNT)
    weak = 0.1 * IS_MEMBER + generator.normal(size=COUNT)
    chosen = {("strong", mask): strong * (1 + n) for n, mask in enumerate(MASKS)}
    chosen |= {("weak", mask): weak for mask in MASKS}
    return Evidence(
        tables=(),
        references=(),
        chosen=chosen,
        published=("strong", "weak"),
        distortion=distortion,
        images=generator.normal(size=(COUNT, 1)),
        is_member=IS_MEMBER,
        folds=assign_folds([str(n) for n in range(COUNT)], IS_MEMBER, folds=5),
        seed=0,
    )


@pytest.fixture(scope="module")
def given() -> Evidence:
    return evidence()


def score(given: Evidence):
    (scorer,) = parse_methods(["sima", "conditioned"]).scorers
    return scorer.score(given)


def test_scores_under_every_mask_by_the_attack_that_is_best_on_the_other_folds(given):
    found, how = score(given)
    assert tuple(found) == MASKS
    assert how == "strong, chosen by AUROC on the other folds"
    assert all(np.isfinite(scores).all() for scores in found.values())


def test_what_the_distortion_explains_no_longer_hides_members(given):
    found, _ = score(given)
    assert auroc(found["none"], IS_MEMBER) > auroc(given.chosen["strong", "none"], IS_MEMBER) + 0.05


def test_no_score_depends_on_the_labels_of_its_own_fold(given):
    found, _ = score(given)
    own = given.folds == 1
    flipped, _ = score(replace(given, is_member=np.where(own, ~IS_MEMBER, IS_MEMBER)))
    np.testing.assert_allclose(flipped["none"][own], found["none"][own], rtol=1e-9)


def test_members_of_other_folds_shape_nothing_but_the_choice(given):
    found, _ = score(given)
    strange = {name: np.where(IS_MEMBER & (given.folds == 1), 1e3, values) for name, values in given.chosen.items()}
    other, _ = score(replace(given, chosen=strange))
    untouched = given.folds != 1
    np.testing.assert_allclose(other["none"][untouched], found["none"][untouched], rtol=1e-9)
