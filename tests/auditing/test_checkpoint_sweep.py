"""The leak of every checkpoint of a training, on small real networks."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from models import save_small_pipeline, small_unet, write_images
from settings import changed
from sklearn.metrics import roc_auc_score

import privaudit
from privaudit.auditing.checkpoint_sweep import run_checkpoint_sweep
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import run_audit
from privaudit.auditing.sweep import run_sweep
from privaudit.auditing.sweep_options import PER_CHECKPOINT, SweepOptions
from privaudit.errors import ConfigError, TargetError

CHECK_PASSES = 9
"""Passes per image with which the reading of a model is checked."""
IMAGES = 24


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self):
        return exec, (f"open({str(self.made)!r}, 'w').close()",)


def save_unet(folder: Path, seed: int) -> None:
    small_unet(seed).save_pretrained(folder, safe_serialization=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A base, and the output folder of a training with raw and averaged weights, which has not finished."""
    root = tmp_path_factory.mktemp("training")
    save_small_pipeline(root / "base")
    for step, seed in ((20, 1), (100, 2)):
        folder = root / "output" / f"checkpoint-{step}"
        save_unet(folder / "unet", seed)
        save_unet(folder / "unet_ema", seed + 10)
        for name in ("optimizer.bin", "scheduler.bin", "random_states_0.pkl", "scaler.pt"):
            (folder / name).write_bytes(pickle.dumps(Trap(root / "opened")))
    write_images(root / "members", IMAGES // 2, seed=1)
    write_images(root / "others", IMAGES // 2, seed=2)
    return root


@pytest.fixture(scope="module")
def options(root) -> SweepOptions:
    return SweepOptions.parse(
        target=root / "output",
        members=root / "members",
        nonmembers=root / "others",
        out=root / "run",
        checkpoints=True,
        base=root / "base",
        attacks=("sima:levels=50", "loss:levels=50,300"),
        device="cpu",
        replicates=100,
    )


@pytest.fixture(scope="module")
def found(options):
    return run_checkpoint_sweep(options)


class TestPoints:
    def test_every_attack_has_a_curve_from_the_base_on(self, found):
        assert found.attacks == ("sima", "sima-reference", "loss", "loss-reference")
        for attack in found.attacks:  # the base is the reference, and has no difference of its own
            assert [point.step for point in found.curve(attack)] == ([20, 100] if "-" in attack else [0, 20, 100])
        assert (found.members, found.nonmembers) == (IMAGES // 2, IMAGES // 2)

    @pytest.mark.parametrize("attack", ["sima:levels=50", "loss:levels=50,300"])
    def test_a_point_is_what_a_scan_of_that_checkpoint_reports(self, root, options, found, tmp_path, attack):
        scanned = run_audit(
            AuditOptions.parse(
                target=root / "base",
                components={"unet": root / "output" / "checkpoint-100"},
                members=root / "members",
                nonmembers=root / "others",
                out=tmp_path,
                attacks=(attack,),
                reference=root / "base",
                geometry_latents="encoder",
                device="cpu",
                replicates=100,
            )
        )
        for report in scanned.attacks:
            point = found.curve(report.name)[-1]
            area = report.masks["none"].auroc
            assert (point.auroc.value, point.auroc.lo, point.auroc.hi) == pytest.approx((area.value, area.lo, area.hi))
        assert len(scanned.attacks) == 2
        assert point.target_hash == scanned.target.hash
        table = pd.read_parquet(tmp_path / "scores" / "scores.parquet")
        own = table[(table["attack"] == point.attack) & (table["mask"] == "none")]
        assert point.auroc.value == pytest.approx(roc_auc_score(own["set"] == "member", own["score"]))

    def test_the_reading_of_the_model_is_checked(self, found):
        assert [check.name for check in found.checks] == ["latent scale", "prediction", "image reading"]

    def test_a_model_that_is_read_otherwise_is_noticed(self, options, tmp_path):
        wrong = changed(options, out=tmp_path, overrides=["scheduler.prediction_type=sample"])
        assert "fail" in [check.status for check in run_checkpoint_sweep(wrong).checks]

    def test_checkpoints_differ(self, found):
        assert len({point.target_hash for point in found.points}) == 3
        assert len({point.auroc.value for point in found.curve("sima")}) > 1

    def test_the_file_holds_the_points(self, options, found):
        table = pd.read_csv(options.out / "checkpoints.csv")
        names = ["attack", "checkpoint", "step", "auroc", "lo", "hi", "tpr_at_1pct", "target_hash"]
        assert list(table) == names
        assert table["auroc"].tolist() == pytest.approx([point.auroc.value for point in found.points])

    def test_no_pickle_is_opened(self, root, found):
        assert found.points
        assert not (root / "opened").exists()

    def test_begin_is_the_first_of_all_that_leak_from_there_on(self, found):
        area = found.points[0].auroc
        values = {"no": replace(area, value=0.6, lo=0.4, hi=0.8), "yes": replace(area, value=0.7, lo=0.6, hi=0.8)}

        def made(*leaks: str):
            points = [replace(found.points[0], step=step, auroc=values[leak]) for step, leak in enumerate(leaks)]
            return replace(found, points=tuple(points)).begin("sima")

        assert made("yes", "no", "yes", "yes").step == 2
        assert made("yes", "yes").step == 0
        assert made("no", "yes", "no") is None
        flat = replace(found, points=tuple(replace(point, auroc=area) for point in found.curve("sima")))
        assert flat.largest("sima").step == 0

    def test_averaged_weights_on_request(self, root, options, found, tmp_path):
        averaged = run_checkpoint_sweep(replace(options, out=tmp_path, ema=True))
        assert averaged.output.averages[0] == str(root / "output" / "checkpoint-20" / "unet")
        assert averaged.curve("sima")[0].auroc == found.curve("sima")[0].auroc
        assert averaged.curve("sima")[1].target_hash != found.curve("sima")[1].target_hash

    def test_a_finished_training_is_its_own_base(self, root, options, tmp_path):
        output = Path(shutil.copytree(root / "output", tmp_path / "output"))
        shutil.copytree(root / "base", output, dirs_exist_ok=True)
        result = privaudit.sweep_checkpoints(
            output, root / "members", root / "others", tmp_path / "run", attacks=("sima:levels=50",), device="cpu"
        )
        assert [point.checkpoint for point in result.points] == ["checkpoint-20", "checkpoint-100", "final"]
        assert result.table()["step"].tolist() == [20, 100, pd.NA]


class TestCache:
    def test_latents_are_computed_once_and_the_geometry_never(self, options, tmp_path, passes):
        run_checkpoint_sweep(changed(options, out=tmp_path, attacks=("sima:levels=50",)))
        assert passes["encode"] == 2 * IMAGES  # the second time for the check of how the model was read
        assert passes["decode"] == 0
        assert passes["forward"] == (3 + CHECK_PASSES) * IMAGES

    def test_the_same_call_again_runs_nothing(self, options, found, passes):
        again = run_checkpoint_sweep(options)
        assert passes["forward"] == passes["encode"] == 0
        assert again.table().equals(found.table())

    def test_a_new_checkpoint_is_the_only_one_that_is_scored(self, root, options, tmp_path, passes):
        output = Path(shutil.copytree(root / "output", tmp_path / "output"))
        chosen = changed(options, target=output, out=tmp_path / "run", attacks=("sima:levels=50",))
        run_checkpoint_sweep(chosen)
        passes.clear()
        save_unet(output / "checkpoint-300" / "unet", 3)
        run_checkpoint_sweep(chosen)
        assert passes["forward"] == IMAGES


class TestRefusal:
    def test_a_checkpoint_of_another_shape_is_named(self, root, options, tmp_path):
        output = Path(shutil.copytree(root / "output", tmp_path / "output"))
        config = output / "checkpoint-100" / "unet" / "config.json"
        config.write_text(config.read_text().replace('"sample_size": ', '"sample_size": 1'))
        with pytest.raises(
            TargetError, match=r"expected checkpoints of one model, but checkpoint-100 has another image"
        ):
            run_checkpoint_sweep(changed(options, target=output, out=tmp_path / "run"))

    def test_a_checkpoint_of_another_class_is_named(self, root, options, tmp_path):
        output = Path(shutil.copytree(root / "output", tmp_path / "output"))
        config = output / "checkpoint-20" / "unet" / "config.json"
        config.write_text(config.read_text().replace("UNet2DModel", "UNet2DConditionModel"))
        with pytest.raises(TargetError, match="cannot audit checkpoint-20: "):
            run_checkpoint_sweep(changed(options, target=output, out=tmp_path / "run"))

    def test_attacks_that_are_fitted_have_no_curve(self, options, tmp_path):
        chosen = changed(options, out=tmp_path, attacks=("sima:levels=50", "combined"))
        (refused,) = run_checkpoint_sweep(chosen).refused
        assert (refused.name, refused.reason) == ("combined", "is fitted to a single model")
        with pytest.raises(ConfigError, match="expected an attack with a score of its own: gsa is fitted to a single"):
            run_checkpoint_sweep(changed(options, out=tmp_path, attacks=("gsa",)))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("lora", ("a.safetensors",)),
            ("components", {"unet": "x"}),
            ("config_from", "x"),
            ("points", 3),
            ("drop", 0.5),
            ("gamma", 2.0),
            ("mask_scope", "set"),
        ],
    )
    def test_options_without_effect(self, options, name, value):
        with pytest.raises(ConfigError, match=f"expected no {name} with checkpoints, since {PER_CHECKPOINT[name]}"):
            changed(options, **{name: value})

    @pytest.mark.parametrize(("name", "value"), [("base", "x"), ("ema", True)])
    def test_options_of_checkpoints_alone(self, options, name, value):
        with pytest.raises(ConfigError, match=f"expected {name} only with checkpoints"):
            changed(options, **{"checkpoints": False, "base": None, name: value})

    def test_the_other_sweep_does_not_take_them(self, options):
        with pytest.raises(ConfigError, match="call run_checkpoint_sweep"):
            run_sweep(options)
