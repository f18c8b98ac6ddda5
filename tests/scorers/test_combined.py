"""The learned combination: what it looks at, and that no image is scored by a model that saw it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from privaudit.decoder_geometry import DECILES, MASKS
from privaudit.evaluation import assign_folds, auroc
from privaudit.scorers import ErrorTable, Evidence, parse_methods
from privaudit.scorers.combined import features

COUNT = 150
IS_MEMBER = np.arange(COUNT) % 3 == 0
GROUPS = [f"group {n // 5}" if n < 50 else None for n in range(COUNT)]


def evidence(strength: float = 1.5, seed: int = 0) -> Evidence:
    """Errors whose two most influential tenths tell members, and one attack without tenths."""
    generator = np.random.default_rng(seed)
    tenths = {}
    for number, band in enumerate(DECILES):
        told = strength * IS_MEMBER[:, None] * (number >= 8)
        tenths[band] = -np.exp(generator.normal(size=(COUNT, 2)) - told)
    whole = {mask: sum(tenths.values()) * (1 + n) for n, mask in enumerate(MASKS)}
    field = ErrorTable("sima", "level", (20.0, 60.0), {**whole, **tenths}, "energy")
    other = ErrorTable("pfami", "level", (), {mask: generator.normal(size=(COUNT, 1)) for mask in MASKS})
    folds = assign_folds([str(n) for n in range(COUNT)], IS_MEMBER, GROUPS, folds=3)
    chosen = {(t.name, mask): t.by_mask[mask][:, -1] for t in (field, other) for mask in MASKS}
    return Evidence(
        tables=(field, other),
        references=(),
        chosen=chosen,
        published=("sima", "pfami"),
        distortion=generator.normal(size=COUNT),
        images=generator.normal(size=(COUNT, 3)),
        is_member=IS_MEMBER,
        folds=folds,
        seed=0,
    )


@pytest.fixture(scope="module")
def given() -> Evidence:
    return evidence()


@pytest.fixture(scope="module")
def scores(given):
    return score(given)


def score(given: Evidence) -> np.ndarray:
    (scorer,) = parse_methods(["sima", "combined"]).scorers
    found = scorer.score(given)
    assert set(found.scores) == {"none"}
    return found.scores["none"]


class TestHonesty:
    def test_no_score_depends_on_the_labels_of_its_fold_so_neither_on_its_own_nor_on_its_groups(self, given, scores):
        assert any(GROUPS.count(name) > 1 for name in set(GROUPS))
        for fold in np.unique(given.folds):
            own = given.folds == fold
            flipped = score(replace(given, is_member=np.where(own, ~IS_MEMBER, IS_MEMBER)))
            np.testing.assert_allclose(flipped[own], scores[own], rtol=1e-9)
            assert not np.allclose(flipped[~own], scores[~own]), "the other folds did learn from it"

    def test_flipping_one_label_leaves_the_images_of_its_group_alone(self, given, scores):
        labels = IS_MEMBER.copy()
        labels[7] = ~labels[7]
        group = [n for n in range(COUNT) if GROUPS[n] == GROUPS[7]]
        assert len(set(given.folds[group])) == 1
        np.testing.assert_allclose(score(replace(given, is_member=labels))[group], scores[group], rtol=1e-9)

    def test_the_order_of_the_images_changes_nothing(self, given, scores):
        order = np.random.default_rng(1).permutation(COUNT)
        moved = replace(
            given,
            tables=tuple(
                replace(t, by_mask={mask: values[order] for mask, values in t.by_mask.items()}) for t in given.tables
            ),
            distortion=given.distortion[order],
            images=given.images[order],
            is_member=IS_MEMBER[order],
            folds=given.folds[order],
        )
        np.testing.assert_allclose(score(moved), scores[order], rtol=1e-6)

    def test_labels_without_meaning_are_not_learnt(self):
        nothing = [auroc(score(evidence(strength=0.0, seed=seed)), IS_MEMBER) for seed in range(3)]
        assert 0.35 < np.mean(nothing) < 0.62


class TestPower:
    def test_finds_which_tenths_tell(self, given, scores):
        whole = auroc(given.chosen["sima", "none"], IS_MEMBER)
        assert auroc(scores, IS_MEMBER) > whole + 0.05


class TestFeatures:
    def test_are_log_tenths_other_errors_distortion_and_the_image(self, given):
        found = features(given)
        assert found.shape == (COUNT, 10 * 2 + 2 + 1 + 3)
        logs = np.log(-given.tables[0].by_mask["band0"])
        np.testing.assert_allclose(np.abs(found[:, :2]), np.abs(logs))  # whichever way round
        np.testing.assert_array_equal(found[:, 20], given.tables[1].by_mask["none"][:, 0])
        np.testing.assert_array_equal(found[:, 22], given.distortion)

    def test_an_error_of_zero_is_no_obstacle(self, given):
        band = given.tables[0].by_mask["band3"].copy()
        band[::7] = 0.0
        table = replace(given.tables[0], by_mask={**given.tables[0].by_mask, "band3": band})
        assert np.isfinite(score(replace(given, tables=(table, given.tables[1])))).all()

    def test_logarithms_are_not_taken_twice(self, given):
        found = features(replace(given, tables=(replace(given.tables[0], scale="log"),)))
        np.testing.assert_array_equal(found[:, :2], given.tables[0].by_mask["band0"])

    def test_the_reference_model_is_looked_at_too(self, given):
        found = features(replace(given, references=given.tables))
        assert found.shape[1] == 2 * (10 * 2 + 2) + 1 + 3

    def test_features_of_a_learned_attack_are_taken_as_they_are(self, given):
        gsa = ErrorTable("gsa", "level", (), {mask: np.full((COUNT, 4), -3.0) for mask in MASKS}, learned=True)
        assert features(replace(given, tables=(gsa,))).shape[1] == 4 + 1 + 3
