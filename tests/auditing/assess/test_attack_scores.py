"""Tables become one score an image: chosen on the other folds, the same level for every mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from privaudit.attacks import parse_attacks
from privaudit.auditing.assess.attack_scores import (
    attack_entries,
    calibrated,
    learned,
    needs_folds,
    plain,
    report_lines,
)
from privaudit.decoder_geometry import HARD, MASKS, mask_names
from privaudit.evaluation import Choice, assign_folds, auroc
from privaudit.scorers import ErrorTable, Evidence, Methods, parse_methods

MEMBERS, COUNT = 60, 120
IS_MEMBER = np.arange(COUNT) < MEMBERS
FOLDS = assign_folds([str(n) for n in range(COUNT)], IS_MEMBER, folds=5)


def table(
    name: str, levels: tuple[int, ...], strengths: tuple[float, ...], seed: int = 0, learned: bool = False
) -> ErrorTable:
    """Minus errors; members' are smaller by the strength of a column."""
    generator = np.random.default_rng(seed)
    by_mask = {}
    for number, mask in enumerate(MASKS):
        noise = generator.normal(size=(COUNT, len(strengths)))
        by_mask[mask] = -np.exp(noise - IS_MEMBER[:, None] * np.array(strengths)) * (1 + number)
    return ErrorTable(name, "level", tuple(map(float, levels)), by_mask, "energy", learned)


def attack(spec: str):
    (made,) = parse_attacks([spec])
    return made


SIMA = attack("sima:levels=20,60,100")
LEVELS = table("sima", (20, 60, 100), (0.0, 2.0, 0.3))


class TestPlain:
    def test_the_best_level_on_the_other_folds_is_taken_for_every_mask(self):
        entry = plain(SIMA, LEVELS, IS_MEMBER, FOLDS, 0)
        assert entry.chosen == (60.0,) * 5
        assert entry.search_space == (20.0, 60.0, 100.0)
        assert (entry.level_of_image == 60).all()
        for mask in MASKS:
            np.testing.assert_array_equal(entry.scores[mask], LEVELS.by_mask[mask][:, 1])
        assert entry.choices == (Choice("level", (20.0, 60.0, 100.0), (60.0,) * 5, "auroc_no_mask"),)

    def test_the_mask_has_no_say_in_the_level(self):
        masked = {**LEVELS.by_mask, "influence": LEVELS.by_mask["influence"][:, [1, 0, 2]]}
        entry = plain(SIMA, ErrorTable("sima", "level", LEVELS.candidates, masked), IS_MEMBER, FOLDS, 0)
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
        assert entry.chosen == entry.levels_by_fold == (60.0,) * 5
        assert (entry.choices, entry.spread, entry.fitted, entry.level) == ((), 1.0, False, 60.0)

    def test_an_attack_without_levels_has_nothing_to_choose(self):
        found = table("recon", (), (1.0,))
        entry = plain(attack("recon"), found, IS_MEMBER, FOLDS, 0)
        assert (entry.chosen, entry.search_space, entry.choices) == ((), (), ())
        assert np.isnan(entry.level_of_image).all()
        np.testing.assert_array_equal(entry.scores["weighted"], found.by_mask["weighted"][:, 0])

    def test_features_are_classified_out_of_fold_under_every_mask(self):
        found = table("gsa", (), (1.0, 1.0, 0.0), learned=True)
        three = assign_folds([str(n) for n in range(COUNT)], IS_MEMBER, folds=3)
        entry = plain(attack("gsa"), found, IS_MEMBER, three, 0)
        assert entry.fitted
        assert set(entry.scores) == set(MASKS)
        assert auroc(entry.scores["none"], IS_MEMBER) > 0.7
        assert entry.learners == ("logistic", "trees", "kernel")
        assert {choice.mask for choice in entry.choices} == {None, "random", "influence", "weighted"}
        own = three == 2
        flipped = plain(attack("gsa"), found, np.where(own, ~IS_MEMBER, IS_MEMBER), three, 0)
        np.testing.assert_allclose(flipped.scores["none"][own], entry.scores["none"][own])

    @pytest.mark.parametrize(("spec", "kind"), [("sima", "published"), ("mirror", "ours")])
    def test_what_was_published_is_told_from_ours(self, spec, kind):
        assert plain(attack(f"{spec}:levels=20,60,100"), LEVELS, IS_MEMBER, FOLDS, 0).kind == kind

    def test_an_axis_of_its_own_is_named(self):
        found = ErrorTable("clid", "loss weight / 1000", (0.0, 30.0, 100.0), LEVELS.by_mask)
        entry = plain(attack("clid:weights=0,30,100"), found, IS_MEMBER, FOLDS, 0)
        assert entry.axis == "loss weight / 1000"
        assert [choice.what for choice in entry.choices] == ["loss weight / 1000"]


class TestCalibrated:
    def test_is_the_error_minus_the_references_at_the_level_that_is_best_for_the_difference(self):
        reference = table("sima", (20, 60, 100), (0.0, 2.0, 0.0), seed=1)
        told = IS_MEMBER[:, None] * np.array([5.0, 0.0, 0.0])  # the target's first level tells, if compared
        target = {mask: values + told for mask, values in reference.by_mask.items()}
        entry = calibrated(SIMA, ErrorTable("sima", "level", LEVELS.candidates, target), reference, IS_MEMBER, FOLDS, 0)
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
    assert entry.learners == ("logistic", "trees", "kernel")
    assert [(choice.what, choice.learner) for choice in entry.choices] == [("penalty", "logistic")]


DROPS = (0.2, 0.4, 0.6)


def with_drops(strengths: tuple[float, ...], levels: tuple[int, ...] = (60,), seed: int = 0) -> ErrorTable:
    """The influence mask tells by as much as the share that it drops says; the random ones are noise."""
    generator = np.random.default_rng(seed)
    told = dict.fromkeys(mask_names(DROPS), 0.5)
    told |= {f"influence@{drop}": strength for drop, strength in zip(DROPS, strengths, strict=True)}
    by_mask = {
        mask: -np.exp(generator.normal(size=(COUNT, len(levels))) - strength * IS_MEMBER[:, None])
        for mask, strength in told.items()
    }
    return ErrorTable("sima", "level", tuple(map(float, levels)), by_mask, "energy", drops=DROPS)


class TestDrops:
    def test_the_share_is_chosen_by_the_influence_mask_and_the_random_control_drops_the_same(self):
        found = with_drops((0.0, 0.3, 2.0))
        entry = plain(attack("sima:levels=60"), found, IS_MEMBER, FOLDS, 0)
        assert set(entry.scores) == set(MASKS)
        for mask in HARD:
            np.testing.assert_array_equal(entry.scores[mask], found.by_mask[f"{mask}@0.6"][:, 0])
        for mask in ("none", "weighted"):
            np.testing.assert_array_equal(entry.scores[mask], found.by_mask[mask][:, 0])
        assert entry.choices == (Choice("drop", DROPS, (0.6,) * 5, "auroc_influence_mask"),)

    def test_at_the_level_that_was_chosen_for_the_fold(self):
        found = with_drops((1.0, 1.0, 1.0), levels=(20, 60))
        for drop, level in ((0.2, 0), (0.4, 1)):  # each share has one level at which it is best; 60 is chosen unmasked
            found.by_mask[f"influence@{drop}"][IS_MEMBER, level] /= 50
        found.by_mask["none"][IS_MEMBER, 1] /= 50
        entry = plain(attack("sima:levels=20,60"), found, IS_MEMBER, FOLDS, 0)
        assert entry.chosen == (60.0,) * 5
        assert [choice.what for choice in entry.choices] == ["level", "drop"]
        assert entry.choices[1].by_fold == (0.4,) * 5

    @pytest.mark.parametrize("fold", range(5))
    def test_a_fold_has_no_part_in_its_own_share(self, fold):
        found = with_drops((0.5, 0.5, 0.5), levels=(20, 60, 100), seed=2)
        whole = plain(SIMA, found, IS_MEMBER, FOLDS, 0).choices[1].by_fold
        assert len(set(whole)) > 1, "a choice that is close, or nothing is tested"
        labels = np.where(fold == FOLDS, ~IS_MEMBER, IS_MEMBER)
        assert plain(SIMA, found, labels, FOLDS, 0).choices[1].by_fold[fold] == whole[fold]

    def test_one_share_is_fixed(self):
        entry = plain(SIMA, LEVELS, IS_MEMBER, FOLDS, 0)
        assert [choice.what for choice in entry.choices] == ["level"]

    def test_features_under_the_share_whose_classifier_is_best_inside_the_other_folds(self):
        generator = np.random.default_rng(0)
        by_mask = {mask: generator.normal(size=(COUNT, 3)) for mask in mask_names(DROPS)}
        by_mask["influence@0.4"] = by_mask["influence@0.4"] + 2 * IS_MEMBER[:, None]
        found = ErrorTable("gsa", "level", (), by_mask, learned=True, drops=DROPS)
        three = assign_folds([str(n) for n in range(COUNT)], IS_MEMBER, folds=3)
        entry = plain(attack("gsa"), found, IS_MEMBER, three, 0)
        assert entry.choices[-1].what == "drop"
        assert entry.choices[-1].by_fold == (0.4,) * 3
        assert auroc(entry.scores["influence"], IS_MEMBER) > 0.9
        assert abs(auroc(entry.scores["random"], IS_MEMBER) - 0.5) < 0.15


class TestSeveralValuesOfAParameter:
    ATTACKS = parse_attacks(["sima:order=2,4:levels=20,60", "pia"])

    def tables(self, strengths: tuple[float, ...]) -> tuple[ErrorTable, ...]:
        two, four = strengths[:2], strengths[2:]
        return (
            table("sima:order=2:levels=20,60", (20, 60), two, seed=1),
            table("sima:order=4:levels=20,60", (20, 60), four, seed=2),
            table("pia", (20, 60), (1.0, 0.0), seed=3),
        )

    def test_are_candidates_of_one_line_with_the_levels(self):
        entries = attack_entries(self.ATTACKS, self.tables((0.0, 0.3, 0.0, 2.0)), (), IS_MEMBER, FOLDS, 0)
        assert [entry.name for entry in entries] == ["sima", "pia"]
        sima = entries[0]
        assert sima.search_space == tuple(f"order {order}, level {level}" for order in (2, 4) for level in (20, 60))
        assert sima.chosen == ("order 4, level 60",) * 5
        assert sima.levels_by_fold == (60.0,) * 5
        assert sima.choices[0].what == "parameters and level"
        assert sima.parameters["order"] == [2.0, 4.0]
        assert sima.parameters["levels"] == [20, 60]
        assert sima.order is None
        assert entries[1].order == 4.0
        assert (sima.level_of_image == 60).all()

    def test_each_fold_takes_the_best_of_all_on_the_others(self):
        tables = self.tables((0.8, 0.8, 0.8, 0.8))
        entry = attack_entries(self.ATTACKS, tables, (), IS_MEMBER, FOLDS, 0)[0]
        columns = np.hstack([found.by_mask["none"] for found in tables[:2]])
        for fold, taken in enumerate(entry.chosen):
            others = fold != FOLDS
            areas = [auroc(column[others], IS_MEMBER[others]) for column in columns.T]
            assert taken == entry.search_space[int(np.argmax(areas))]

    def test_differences_from_a_reference_choose_for_themselves(self):
        tables = self.tables((0.0, 0.3, 0.0, 2.0))
        others = tuple(replace(found, by_mask={m: 0 * v for m, v in found.by_mask.items()}) for found in tables)
        entries = attack_entries(self.ATTACKS, tables, others, IS_MEMBER, FOLDS, 0)
        assert [entry.name for entry in entries] == ["sima", "pia", "sima-reference", "pia-reference"]
        assert entries[2].chosen == ("order 4, level 60",) * 5
        assert (entries[2].report_name, entries[2].kind) == ("sima", "reference")

    def test_lines(self):
        found = report_lines(self.ATTACKS)
        assert {line: [attack.label for attack in group] for line, group in found.items()} == {
            "sima": ["sima:order=2:levels=20,60", "sima:order=4:levels=20,60"],
            "pia": ["pia"],
        }


class TestWider:
    def test_a_choice_among_equals_is_judged_like_a_learned_score(self):
        entry = plain(SIMA, table("sima", (20, 60, 100), (0.0, 0.0, 0.0), seed=3), IS_MEMBER, FOLDS, 0)
        assert 1.1 < entry.spread < 1.7
        assert entry.fitted

    def test_a_choice_that_is_clear_is_not(self):
        entry = plain(SIMA, table("sima", (20, 60, 100), (0.0, 3.0, 0.0), seed=3), IS_MEMBER, FOLDS, 0)
        assert entry.spread == pytest.approx(1.0, abs=0.05)
        assert not entry.fitted


@pytest.mark.parametrize(
    ("specs", "drops", "needed"),
    [
        (["sima:levels=60", "loss:levels=20"], (0.4,), False),
        (["sima:levels=60", "recon"], (0.4,), False),
        (["sima:levels=60,80"], (0.4,), True),
        (["sima:levels=60"], (0.4, 0.6), True),
        (["sima:levels=60:order=2,4"], (0.4,), True),
        (["sima:levels=60", "sima:levels=60:order=2"], (0.4,), False),
        (["gsa"], (0.4,), True),
        (["sima:levels=60", "selected"], (0.4,), True),
    ],
)
def test_folds_are_needed_where_anything_is_chosen_or_fitted(specs, drops, needed):
    assert needs_folds(parse_methods(specs), drops) == needed


def test_what_was_fixed_needs_no_folds_and_two_images():
    member = np.array([True, True, False, False])
    found = ErrorTable("sima", "level", (60.0,), {mask: np.arange(4.0)[:, None] for mask in MASKS}, "energy")
    entry = plain(attack("sima:levels=60"), found, member, np.zeros(4, dtype=int), 0)
    np.testing.assert_array_equal(entry.scores["influence"], np.arange(4.0))
    assert (entry.choices, entry.levels_by_fold) == ((), (60.0,))
    assert not needs_folds(Methods((attack("sima:levels=60"),), ()), (0.4,))
