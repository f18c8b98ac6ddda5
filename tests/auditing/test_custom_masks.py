from __future__ import annotations

import numpy as np
import pytest
import torch
from models import save_small_pipeline, write_images

import privaudit
from privaudit.auditing.custom_masks import evaluate_masks
from privaudit.decoder_geometry import influence_mask
from privaudit.errors import ConfigError
from privaudit.evaluation import auroc

CHOICES = {"attacks": ("sima:levels=20,100", "loss:levels=50"), "device": "cpu", "replicates": 200}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("masking")
    sets = (write_images(root / "members", 30, seed=1), write_images(root / "others", 25, seed=2))
    return (str(save_small_pipeline(root / "model")), *map(str, sets), root / "run")


@pytest.fixture(scope="module")
def audited(sets):
    return privaudit.audit(*sets, **CHOICES)


def as_privaudit_does(influence):
    return influence_mask(influence, 0.4)


def everything(influence):
    return torch.ones_like(influence)


@pytest.fixture(scope="module")
def trial(sets, audited):
    return evaluate_masks({"same": as_privaudit_does, "all": everything}, *sets, **CHOICES)


def scores_of(trial, attack, mask):
    return trial.scores.query(f"attack == '{attack}' and mask == '{mask}'").set_index("id")["score"]


def test_what_an_audit_scores_is_scored_alike(audited, trial):
    for report in audited.attacks:
        for mask, metrics in report.masks.items():
            assert trial.metrics[report.name, mask].auroc == metrics.auroc
    gain = trial.gains["sima", "influence"]
    assert gain.auroc_delta == audited.attacks[0].influence_vs_none.auroc_delta


@pytest.mark.parametrize("attack", ["sima", "loss"])
@pytest.mark.parametrize(("own", "known"), [("same", "influence"), ("all", "none"), ("all shuffled", "none")])
def test_a_mask_that_is_known_scores_like_the_known_one(trial, attack, own, known):
    assert trial.metrics[attack, own].auroc.value == trial.metrics[attack, known].auroc.value
    wanted = scores_of(trial, attack, known)
    assert np.allclose(scores_of(trial, attack, own)[wanted.index], wanted)


def test_the_control_is_another_mask(trial):
    assert trial.metrics["sima", "same shuffled"] != trial.metrics["sima", "same"]
    control, own = (trial.metrics["sima", name].auroc.value for name in ("same shuffled", "same"))
    assert trial.controls["sima", "same"].auroc_delta.value == pytest.approx(own - control)
    assert set(trial.controls) == {(attack, own) for attack in ("sima", "loss") for own in ("same", "all")}


def test_metrics_follow_from_the_scores(trial):
    is_member = trial.scores.query("attack == 'loss' and mask == 'same'").set_index("id")["set"] == "member"
    own = scores_of(trial, "loss", "same")
    assert auroc(own, is_member[own.index]) == pytest.approx(trial.metrics["loss", "same"].auroc.value)
    assert len(own) == 55


def test_the_table_has_a_row_for_each(trial):
    table = trial.frame().set_index(["attack", "mask"])
    assert table.index.tolist() == list(trial.metrics)
    assert table.loc[("sima", "same"), "gain"] == trial.gains["sima", "same"].auroc_delta.value
    assert table.loc[("sima", "same"), "over_shuffled_p"] == trial.controls["sima", "same"].auroc_delta.p
    assert np.isnan(table.loc[("sima", "none"), "gain"])
    assert np.isnan(table.loc[("sima", "influence"), "over_shuffled"])


def test_the_geometry_of_the_audit_is_used_and_its_run_left_alone(sets, audited, passes):
    run = sets[-1]
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    evaluate_masks({"same": as_privaudit_does}, *sets, **CHOICES)
    assert passes["encode"] == passes["decode"] == 0
    assert passes["forward"] > 0
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_two_functions_of_one_name_are_two_masks(sets, trial):
    other = evaluate_masks({"same": lambda influence: influence_mask(-influence, 0.4)}, *sets, **CHOICES)
    assert not np.allclose(scores_of(other, "sima", "same"), scores_of(trial, "sima", "same"))


def test_several_shares_to_drop(sets):
    trial = evaluate_masks({"all": everything}, *sets, **{**CHOICES, "drop": (0.2, 0.4)})
    assert trial.metrics["sima", "all"].auroc.value == trial.metrics["sima", "none"].auroc.value


def test_a_name_that_is_taken_stops_before_anything_is_loaded(tmp_path):
    with pytest.raises(ConfigError, match="expected a new name for a mask"):
        evaluate_masks({"none": everything}, tmp_path / "model", tmp_path, tmp_path)


def test_features_alone_have_no_score_under_a_mask(sets):
    with pytest.raises(ConfigError, match="expected an attack with a score of its own"):
        evaluate_masks({"all": everything}, *sets, attacks=("gsa",), device="cpu")
