"""`privaudit lab train` with the options of the families."""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from privaudit.cli import main
from privaudit.loading import ModelSource, load_target

SMALL = {
    "members": 8,
    "heldout": 6,
    "resolution": 16,
    "latent-channels": 2,
    "autoencoder-width": 8,
    "autoencoder-steps": 2,
    "denoiser-width": 32,
    "denoiser-steps": 2,
    "batch": 4,
}


@pytest.fixture
def train(images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Any:
    """Run the command; returns the exit code and what went to standard error."""

    def run(out: Path, **options: object) -> tuple[int, str]:
        every = SMALL | {name.replace("_", "-"): value for name, value in options.items()}
        words = [word for name, value in every.items() for word in (f"--{name}", str(value))]
        monkeypatch.setattr(
            sys, "argv", ["privaudit", "lab", "train", "--images", str(images), "--out", str(out), *words]
        )
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        if not stopped.value.code:
            assert captured.out == f"privaudit scan {out} --members {out}/members.csv --nonmembers {out}/heldout.csv\n"
        return stopped.value.code or 0, captured.err

    return run


@pytest.mark.parametrize(
    ("family", "recorded", "prediction"),
    [("v", "unconditional", "v_prediction"), ("text", "text", "epsilon"), ("flow", "flow", "flow")],
)
def test_families(train: Any, tmp_path: Path, family: str, recorded: str, prediction: str) -> None:
    assert train(tmp_path / "out", family=family)[0] == 0
    recipe = json.loads((tmp_path / "out" / "lab.json").read_text())["recipe"]
    assert (recipe["family"], recipe["prediction_type"]) == (recorded, prediction)
    assert load_target(ModelSource(tmp_path / "out", device="cpu")).info.prediction_type == prediction
    assert ("caption" in pd.read_csv(tmp_path / "out" / "members.csv")) is (family != "v")


def test_a_base_and_its_fine_tune(train: Any, tmp_path: Path) -> None:
    assert train(tmp_path / "base", denoiser_images="auxiliary")[0] == 0
    assert train(tmp_path / "tuned", base=tmp_path / "base")[0] == 0
    assert train(tmp_path / "other", family="text", autoencoder_from=tmp_path / "base", caption_drop=0.5)[0] == 0
    record = json.loads((tmp_path / "other" / "lab.json").read_text())
    assert record["recipe"]["caption_drop"] == 0.5
    assert record["autoencoder_from"]["target"] == str(tmp_path / "base")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "v", "prediction_type": "epsilon"}, "expected prediction_type v_prediction of the family v"),
        ({"family": "sd"}, "expected family unconditional or class or text or flow, got sd"),
        ({"family": "flow", "prediction_type": "epsilon"}, "expected prediction_type flow for the family flow"),
        ({"base": "nowhere"}, "expected model_index.json in nowhere"),
    ],
)
def test_options_that_do_not_fit_are_one_line(train: Any, tmp_path: Path, options: dict, message: str) -> None:
    code, error = train(tmp_path / "out", **options)
    assert code == 2
    assert [message in line for line in error.splitlines() if line.startswith("error:")] == [True]
    assert not (tmp_path / "out").exists()
