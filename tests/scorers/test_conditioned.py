"""The best attack judged against non-members like the image: which attack, under which masks, by whom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from privaudit.evaluation import assign_folds, auroc
from privaudit.geometry import MASKS
from privaudit.scorers import Evidence, Table, parse_methods

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
        Table("strong", "level", (20.0, 60.0), {mask: energy * (1 + n) for n, mask in enumerate(MASKS)}, "energy"),
        Table("weak", "level", (), {mask: weak[:, None] for mask in MASKS}),
        Table("ours", "level", (), {mask: (4 * IS_MEMBER + weak)[:, None] for mask in MASKS}),
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
    scores, how = found
    assert tuple(scores) == MASKS
    assert how.startswith("strong at level 60: by AUROC on the other folds")
    assert all(np.isfinite(values).all() for values in scores.values())


def test_what_the_distortion_explains_no_longer_hides_members(given, found):
    alone = auroc(given.tables[0].by_mask["none"][:, 1], IS_MEMBER)
    assert auroc(found[0]["none"], IS_MEMBER) > alone + 0.1


def test_no_score_depends_on_the_labels_of_its_own_fold(given, found):
    own = given.folds == 1
    flipped, _ = score(replace(given, is_member=np.where(own, ~IS_MEMBER, IS_MEMBER)))
    for mask in MASKS:
        np.testing.assert_allclose(flipped[mask][own], found[0][mask][own], rtol=1e-9)


def test_members_shape_nothing_but_the_choice_of_the_attack(given, found):
    strange = given.tables[0].by_mask["weighted"].copy()
    strange[IS_MEMBER & (given.folds == 1)] = -1e-3
    strong = replace(given.tables[0], by_mask={**given.tables[0].by_mask, "weighted": strange})
    other, how = score(replace(given, tables=(strong, *given.tables[1:])))
    assert how == found[1]
    untouched = ~(IS_MEMBER & (given.folds == 1))
    np.testing.assert_allclose(other["weighted"][untouched], found[0]["weighted"][untouched], rtol=1e-9)


def test_features_of_a_learned_attack_are_no_score(given):
    gsa = replace(given.tables[2], name="gsa", learned=True)
    _, how = score(replace(given, tables=(*given.tables[:2], gsa), published=("strong", "weak", "gsa")))
    assert how.startswith("strong at level 60")
