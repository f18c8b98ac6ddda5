"""The model check of a scan, on a small trained pipeline that is read right and wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from models import SMALL_SCALE, save_small_pipeline, write_images

from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run_stages import measure_fit
from privaudit.auditing.stages import AuditStages
from privaudit.data import read_set
from privaudit.evaluation.reading_checks import FACTORS, FIT_IMAGES, fit_checks
from privaudit.execution.progress import no_progress
from privaudit.execution.stage import Rows
from privaudit.loading import load_target


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    save_small_pipeline(folder / "model")
    write_images(folder / "images", FIT_IMAGES + 6, seed=3)
    return folder


def fit_of(root: Path, out: Path, overrides: dict[str, object], *, backwards: bool = False):
    options = AuditOptions.parse(
        target=str(root / "model"), members=root, nonmembers=root / "images", out=out, overrides=overrides, device="cpu"
    )
    samples = read_set(root / "images", (16, 16)).samples
    return measure_fit(load_target(options.model), samples[::-1] if backwards else samples, options, no_progress)


def found(fit) -> dict[str, tuple[str, set[str]]]:
    return {check.name: (check.status, {each.code for each in check.facts}) for check in fit_checks(fit)}


def test_a_model_that_is_read_right_passes_whatever_the_order_of_the_images(root: Path, tmp_path: Path) -> None:
    fit = fit_of(root, tmp_path / "one", {})
    assert found(fit) == {
        "latent scale": ("ok", {"latent_scale_usual"}),
        "prediction": ("ok", {"better_than_linear"}),
    }
    assert fit.power.shape == (FIT_IMAGES,)
    again = fit_of(root, tmp_path / "two", {}, backwards=True)
    assert fit.recorded == pytest.approx(again.recorded)


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 4.0])
def test_a_wrong_scale_is_named(root: Path, tmp_path: Path, factor: float) -> None:
    checks = found(fit_of(root, tmp_path / "run", {"vae.scaling_factor": SMALL_SCALE * factor}))
    assert checks["latent scale"] == ("fail", {"other_scale_fits"})


@pytest.mark.parametrize("head", ["v_prediction", "sample"])
def test_a_wrong_head_is_named(root: Path, tmp_path: Path, head: str) -> None:
    status, codes = found(fit_of(root, tmp_path / "run", {"scheduler.prediction_type": head}))["prediction"]
    assert status == "fail"
    assert "other_head_fits" in codes


def test_a_wrong_schedule_is_named(root: Path, tmp_path: Path) -> None:
    status, codes = found(fit_of(root, tmp_path / "run", {"scheduler.num_train_timesteps": 400}))["prediction"]
    assert status == "fail"
    assert codes & {"other_time_fits", "worse_than_linear"}


def test_passes_are_what_is_run(root: Path, tmp_path: Path) -> None:
    options = AuditOptions.parse(target=str(root / "model"), members=root, nonmembers=root / "images", device="cpu")
    target, calls = load_target(options.model), []
    target.denoiser.module.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    stages, samples = AuditStages(target, options), read_set(root / "images", (16, 16)).samples[:5]
    for factors in ((), FACTORS):
        stage = stages.noise_prediction(target, factors)
        calls.clear()
        stage.compute_all(Rows(samples), lambda count: None)
        assert sum(calls) == 5 * stage.passes
