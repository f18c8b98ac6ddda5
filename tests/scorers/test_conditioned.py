"""The best attack judged against non-members like the image: which attack, under which masks, by whom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from privaudit.decoder_geometry import MASKS
from privaudit.evaluation import assign_folds, auroc
from privaudit.scorers import ErrorTable, Evidence, parse_methods

COUNT = 200
IS_MEMBER = np.arange(COUNT) % 2 == 0


def evidence() -> Evidence:
    """A weak attack, and one whose second level is strong but follows the image's distortion more than anything."""
    generator = np.random.default_rng(0)
    distortion = generator.normal(size=COUNT)
    strong = 2 * IS_MEMBER + 3 * distortion + generator.normal(size=COUNT)
    energy = -np.exp(-np.stack([generator.normal(size=COUNT), strong], axis=1))
    weak = 0.1 * IS_MEMBER + generator.normal(size=COUNT)
    tables = (
        ErrorTable("strong", "level", (20.0, 60.0), {mask: energy * (1 + n) for n, mask in enumerate(MASKS)}, "energy"),
        ErrorTable("weak", "level", (), {mask: weak[:, None] for mask in MASKS}),
        ErrorTable("ours", "level", (), {mask: (4 * IS_MEMBER + weak)[:, None] for mask in MASKS}),
    )
    return Evidence(
        tables=tables,
        references=(),
        chosen={(table.name, mask): table.by_mask[mask][:, -1] for table in tables for mask in MASKS},
        published=("strong", "weak"),
        distortion=distortion,
        images=generator.normal(size=(COUNT, 1)),
        is_member=IS_MEMBER,
        folds=assign_folds([str(n) for n in range(COUNT)], IS_MEMBER, folds=3),
        seed=0,
    )


@pytest.fixture(scope="module")
def given() -> Evidence:
    return evidence()


@pytest.fixture(scope="module")
def found(given):
    return score(given)


def score(given: Evidence):
    (scorer,) = parse_methods(["sima", "conditioned"]).scorers
    return scorer.score(given)


def test_scores_under_every_mask_by_the_published_attack_that_is_best_on_the_other_folds(found):
    assert tuple(found.scores) == MASKS
    assert all(np.isfinite(values).all() for values in found.scores.values())
    which, regression = found.choices
    assert (which.what, which.by_fold) == ("attack and level", ("strong, level 60",) * 3)
    assert (which.criterion, regression.criterion) == ("auroc_no_mask", "residual")
    assert which.search_space == ("strong, level 20", "strong, level 60", "weak")
    assert set(regression.by_fold) <= set(regression.search_space) == {"trees", "linear"}


def test_what_the_distortion_explains_no_longer_hides_members(given, found):
    alone = auroc(given.tables[0].by_mask["none"][:, 1], IS_MEMBER)
    assert auroc(found.scores["none"], IS_MEMBER) > alone + 0.1


def test_no_score_depends_on_the_labels_of_its_own_fold(given, found):
    own = given.folds == 1
    flipped = score(replace(given, is_member=np.where(own, ~IS_MEMBER, IS_MEMBER))).scores
    for mask in MASKS:
        np.testing.assert_allclose(flipped[mask][own], found.scores[mask][own], rtol=1e-9)


def test_members_shape_nothing_but_the_choice_of_the_attack(given, found):
    strange = given.tables[0].by_mask["weighted"].copy()
    strange[IS_MEMBER & (given.folds == 1)] = -1e-3
    strong = replace(given.tables[0], by_mask={**given.tables[0].by_mask, "weighted": strange})
    other = score(replace(given, tables=(strong, *given.tables[1:])))
    assert other.choices == found.choices
    untouched = ~(IS_MEMBER & (given.folds == 1))
    np.testing.assert_allclose(other.scores["weighted"][untouched], found.scores["weighted"][untouched], rtol=1e-9)


def test_features_of_a_learned_attack_are_no_score(given):
    gsa = replace(given.tables[2], name="gsa", learned=True)
    found = score(replace(given, tables=(*given.tables[:2], gsa), published=("strong", "weak", "gsa")))
    assert found.choices[0].by_fold == ("strong, level 60",) * 3
    assert not any("gsa" in label for label in found.choices[0].search_space)


def test_of_several_shares_to_drop_one_is_chosen_for_each_fold(given, found):
    drops = (0.2, 0.6)
    shared = {mask: given.tables[0].by_mask[mask] for mask in ("none", "weighted")}
    noise = np.random.default_rng(5).normal(size=(COUNT, 2))
    hard = {"random@0.2": noise, "random@0.6": noise + 1, "influence@0.2": noise}
    strong = replace(given.tables[0], by_mask={**shared, **hard, "influence@0.6": shared["none"]}, drops=drops)
    other = score(replace(given, tables=(strong,)))
    assert [choice.what for choice in other.choices] == ["attack and level", "drop", "regression of the median"]
    assert other.choices[1].by_fold == (0.6,) * 3
    np.testing.assert_allclose(other.scores["influence"], found.scores["none"], rtol=1e-9)
