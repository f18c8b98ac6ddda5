"""The best single score, chosen for each fold on the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from privaudit.decoder_geometry import MASKS
from privaudit.errors import DataError
from privaudit.evaluation import assign_folds, auroc
from privaudit.scorers import ErrorTable, Evidence, Scored, parse_methods

COUNT = 120
IS_MEMBER = np.arange(COUNT) % 2 == 0


def evidence(strengths: dict[tuple[str, int, str], float], seed: int = 0) -> Evidence:
    """Two attacks, of which some columns under some masks tell members."""
    generator = np.random.default_rng(seed)
    tables = []
    for name, levels in (("sima", (20.0, 60.0)), ("pfami", ())):
        by_mask = {mask: generator.normal(size=(COUNT, len(levels) or 1)) for mask in MASKS}
        for (attack, column, mask), strength in strengths.items():
            if attack == name:
                by_mask[mask][IS_MEMBER, column] += strength
        tables.append(ErrorTable(name, "level", levels, by_mask))
    return Evidence(
        tables=tuple(tables),
        references=(),
        chosen={},
        published=("sima", "pfami"),
        distortion=np.zeros(COUNT),
        images=np.zeros((COUNT, 1)),
        is_member=IS_MEMBER,
        folds=assign_folds([str(n) for n in range(COUNT)], IS_MEMBER, folds=4),
        seed=0,
    )


def score(given: Evidence) -> Scored:
    (scorer,) = parse_methods(["sima", "selected"]).scorers
    return scorer.score(given)


def test_takes_the_attack_level_and_mask_that_is_best():
    given = evidence({("sima", 1, "weighted"): 3.0})
    found = score(given)
    (choice,) = found.choices
    assert choice.what == "attack, level and mask"
    assert choice.by_fold == ("sima, level 60, weighted mask",) * 4
    assert choice.search_space == (
        "sima, level 20",
        "sima, level 60",
        "sima, level 20, influence mask",
        "sima, level 60, influence mask",
        "sima, level 20, weighted mask",
        "sima, level 60, weighted mask",
        "pfami",
        "pfami, influence mask",
        "pfami, weighted mask",
    )
    assert set(found.scores) == {"none"}
    np.testing.assert_array_equal(found.scores["none"], given.tables[0].by_mask["weighted"][:, 1])
    assert (len(choice.search_space), choice.criterion) == (9, "auroc")
    assert found.inflation == pytest.approx(1.0, abs=0.05)


def test_the_random_mask_is_no_candidate():
    found = score(evidence({("sima", 0, "random"): 3.0}))
    assert not any("random" in label for label in found.choices[0].search_space)
    assert auroc(found.scores["none"], IS_MEMBER) < 0.65


def test_differences_from_a_reference_are_candidates():
    given = evidence({})
    own = {mask: values + 3.0 * IS_MEMBER[:, None] for mask, values in given.tables[1].by_mask.items()}
    told = (given.tables[0], replace(given.tables[1], by_mask=own))
    found = score(replace(given, references=given.tables, tables=told))
    assert found.choices[0].by_fold == ("pfami-reference",) * 4


def test_of_several_shares_to_drop_each_is_a_candidate():
    given = evidence({})
    by_mask = {mask: given.tables[1].by_mask["none"] for mask in ("none", "weighted", "random@0.2", "random@0.6")}
    by_mask |= {"influence@0.2": by_mask["none"], "influence@0.6": by_mask["none"] + 4 * IS_MEMBER[:, None]}
    found = score(replace(given, tables=(replace(given.tables[1], by_mask=by_mask, drops=(0.2, 0.6)),)))
    assert found.choices[0].by_fold == ("pfami, influence@0.6 mask",) * 4


def test_no_score_depends_on_the_labels_of_its_own_fold():
    given = evidence({})  # nothing tells, so that every choice is close
    whole = score(given)
    for fold in range(4):
        own = given.folds == fold
        flipped = score(replace(given, is_member=np.where(own, ~IS_MEMBER, IS_MEMBER)))
        assert flipped.choices[0].by_fold[fold] == whole.choices[0].by_fold[fold]


def test_a_choice_among_scores_that_tell_nothing_is_judged_more_carefully():
    assert score(evidence({})).inflation > 1.1


def test_features_are_no_score():
    given = evidence({})
    with pytest.raises(DataError, match="expected an attack with a score of its own to select"):
        score(replace(given, tables=tuple(replace(table, learned=True) for table in given.tables)))
