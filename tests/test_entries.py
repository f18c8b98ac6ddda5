"""Tables become one score an image: chosen on the other folds, the same level for every mask."""

from __future__ import annotations

import numpy as np
import pytest

from privaudit.attacks import parse_attacks
from privaudit.entries import calibrated, learned, plain
from privaudit.evaluation import assign_folds, auroc
from privaudit.geometry import MASKS
from privaudit.scorers import Evidence, Table, parse_methods

MEMBERS, COUNT = 60, 120
IS_MEMBER = np.arange(COUNT) < MEMBERS
FOLDS = assign_folds([str(n) for n in range(COUNT)], IS_MEMBER, folds=5)


def table(
    name: str, levels: tuple[int, ...], strengths: tuple[float, ...], seed: int = 0, learned: bool = False
) -> Table:
    """Minus errors; members' are smaller by the strength of a column."""
    generator = np.random.default_rng(seed)
    by_mask = {}
    for number, mask in enumerate(MASKS):
        noise = generator.normal(size=(COUNT, len(strengths)))
        by_mask[mask] = -np.exp(noise - IS_MEMBER[:, None] * np.array(strengths)) * (1 + number)
    return Table(name, "level", tuple(map(float, levels)), by_mask, "energy", learned)


def attack(spec: str):
    (made,) = parse_attacks([spec])
    return made


SIMA = attack("sima:levels=20,60,100")
LEVELS = table("sima", (20, 60, 100), (0.0, 2.0, 0.3))


class TestPlain:
    def test_the_best_level_on_the_other_folds_is_taken_for_every_mask(self):
        entry = plain(SIMA, LEVELS, IS_MEMBER, FOLDS, 0)
        assert entry.chosen == (60.0,) * 5
        assert entry.columns == (20.0, 60.0, 100.0)
        assert (entry.level_of_image == 60).all()
        for mask in MASKS:
            np.testing.assert_array_equal(entry.scores[mask], LEVELS.by_mask[mask][:, 1])
        assert "for each of 5 folds, the level of highest unmasked AUROC on the other folds" in entry.selected_on

    def test_the_mask_has_no_say_in_the_level(self):
        masked = {**LEVELS.by_mask, "influence": LEVELS.by_mask["influence"][:, [1, 0, 2]]}
        entry = plain(SIMA, Table("sima", "level", LEVELS.columns, masked), IS_MEMBER, FOLDS, 0)
        assert entry.chosen == (60.0,) * 5
        assert abs(auroc(entry.scores["influence"], IS_MEMBER) - 0.5) < 0.15

    def test_no_score_depends_on_the_labels_of_its_own_fold(self):
        close = table("sima", (20, 60, 100), (0.8, 0.8, 0.8), seed=3)
        whole = plain(SIMA, close, IS_MEMBER, FOLDS, 0)
        assert len(set(whole.chosen)) > 1, "a choice that is close, or nothing is tested"
        for fold in np.unique(FOLDS):
            own = fold == FOLDS
            flipped = plain(SIMA, close, np.where(own, ~IS_MEMBER, IS_MEMBER), FOLDS, 0)
            np.testing.assert_array_equal(flipped.level_of_image[own], whole.level_of_image[own])

    def test_a_single_level_was_fixed_beforehand(self):
        entry = plain(attack("sima:levels=60"), table("sima", (60,), (1.0,)), IS_MEMBER, FOLDS, 0)
        assert entry.selected_on == "fixed beforehand"
        assert entry.chosen == (60.0,) * 5

    def test_an_attack_without_levels_has_nothing_to_choose(self):
        found = table("recon", (), (1.0,))
        entry = plain(attack("recon"), found, IS_MEMBER, FOLDS, 0)
        assert (entry.selected_on, entry.chosen, entry.columns) == ("nothing to choose", (), ())
        assert np.isnan(entry.level_of_image).all()
        np.testing.assert_array_equal(entry.scores["weighted"], found.by_mask["weighted"][:, 0])

    def test_features_are_classified_out_of_fold_under_every_mask(self):
        found = table("gsa", (), (1.0, 1.0, 0.0), learned=True)
        three = assign_folds([str(n) for n in range(COUNT)], IS_MEMBER, folds=3)
        entry = plain(attack("gsa"), found, IS_MEMBER, three, 0)
        assert entry.fitted
        assert set(entry.scores) == set(MASKS)
        assert auroc(entry.scores["none"], IS_MEMBER) > 0.7
        assert entry.selected_on.startswith("cross-fitting: ")
        own = three == 2
        flipped = plain(attack("gsa"), found, np.where(own, ~IS_MEMBER, IS_MEMBER), three, 0)
        np.testing.assert_allclose(flipped.scores["none"][own], entry.scores["none"][own])

    @pytest.mark.parametrize(("spec", "kind"), [("sima", "published"), ("mirror", "ours")])
    def test_what_was_published_is_told_from_ours(self, spec, kind):
        assert plain(attack(f"{spec}:levels=20,60,100"), LEVELS, IS_MEMBER, FOLDS, 0).kind == kind

    def test_an_axis_of_its_own_is_named(self):
        found = Table("clid", "loss weight / 1000", (0.0, 30.0, 100.0), LEVELS.by_mask)
        entry = plain(attack("clid:weights=0,30,100"), found, IS_MEMBER, FOLDS, 0)
        assert entry.axis == "loss weight / 1000"
        assert "the loss weight / 1000 of highest" in entry.selected_on


class TestCalibrated:
    def test_is_the_error_minus_the_references_at_the_level_that_is_best_for_the_difference(self):
        reference = table("sima", (20, 60, 100), (0.0, 2.0, 0.0), seed=1)
        told = IS_MEMBER[:, None] * np.array([5.0, 0.0, 0.0])  # the target's first level tells, if compared
        target = {mask: values + told for mask, values in reference.by_mask.items()}
        entry = calibrated(SIMA, Table("sima", "level", LEVELS.columns, target), reference, IS_MEMBER, FOLDS, 0)
        assert (entry.name, entry.kind) == ("sima-reference", "reference")
        assert entry.chosen == (20.0,) * 5
        for mask in MASKS:
            np.testing.assert_allclose(entry.scores[mask], 5.0 * IS_MEMBER)

    @pytest.mark.parametrize("spec", ["sima:levels=20,60,100", "gsa"])
    def test_the_target_as_its_own_reference_leaves_nothing(self, spec):
        found = LEVELS if spec != "gsa" else table("gsa", (), (1.0, 1.0), learned=True)
        folds = assign_folds([str(n) for n in range(COUNT)], IS_MEMBER, folds=3)
        entry = calibrated(attack(spec), found, found, IS_MEMBER, folds, 0)
        for scores in entry.scores.values():
            assert np.ptp(scores) == 0
            assert auroc(scores, IS_MEMBER) == 0.5


def test_a_scorer_becomes_an_entry_of_its_own():
    (scorer,) = parse_methods(["sima", "combined"]).scorers
    evidence = Evidence(
        tables=(LEVELS,),
        references=(),
        chosen={("sima", mask): LEVELS.by_mask[mask][:, 1] for mask in MASKS},
        published=("sima",),
        distortion=np.zeros(COUNT),
        images=np.zeros((COUNT, 1)),
        is_member=IS_MEMBER,
        folds=FOLDS,
        seed=0,
    )
    entry = learned(scorer, evidence)
    assert (entry.name, entry.kind, entry.fitted) == ("combined", "learned", True)
    assert set(entry.scores) == {"none"}
    assert np.isnan(entry.level_of_image).all()
    assert "cross-fitting over 1 attacks" in entry.selected_on
