"""`privaudit sweep --checkpoints` as a user meets it."""

from __future__ import annotations

import pandas as pd
import pytest
from models import save_small_pipeline, small_unet, write_images
from PIL import Image


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    save_small_pipeline(folder / "base")
    for step, seed in ((20, 1), (100, 2)):
        for name in ("unet", "unet_ema"):
            small_unet(seed).save_pretrained(folder / "output" / f"checkpoint-{step}" / name)
    write_images(folder / "members", 12, seed=1)
    write_images(folder / "others", 12, seed=2)
    broken = folder / "broken" / "checkpoint-20" / "unet"
    small_unet(1).save_pretrained(broken)
    file = broken / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    return folder


@pytest.fixture
def sweep(privaudit):
    def run(*arguments: object):
        sets = ("--members", "members", "--nonmembers", "others", "--device", "cpu", "--attack", "sima:levels=50")
        return privaudit("sweep", *sets, *arguments)

    return run


def test_writes_table_and_picture_and_prints_where_the_leak_begins(root, sweep):
    done = sweep("output", "--checkpoints", "--base", "base")
    assert done.returncode == 0, done.stderr
    assert "3 checkpoints, 12 members and 12 non-members" in done.stdout
    assert "leak begins" in done.stdout
    assert "Audited were the raw weights; averaged ones are next to 2 of them" in " ".join(done.stdout.split())
    folder = root / "privaudit-runs" / "output-sweep"
    assert pd.read_csv(folder / "checkpoints.csv")["step"].tolist() == [0, 20, 100, 20, 100]  # and minus the base
    with Image.open(folder / "checkpoints.png") as picture:
        assert picture.width > 500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("output", "--checkpoints"), "expected --base, the model that the training started from, since output has no"),
        (("base", "--checkpoints"), "expected checkpoints in base"),
        (("broken", "--checkpoints", "--base", "base"), "cannot load broken/checkpoint-20/unet/"),
        (("base", "--base", "base"), "expected --base only with --checkpoints"),
        (("output", "--checkpoints", "--base", "base", "--drop", "0.2"), "expected no --drop with --checkpoints"),
        (("output", "--checkpoints", "--base", "output"), "cannot audit base: expected the folder of a diffusers"),
    ],
)
def test_errors_are_one_line_and_exit_2(sweep, arguments, message):
    done = sweep(*arguments)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert message in line


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ("unit=output", "expected a component of the pipeline (scheduler, unet, vqvae), got unit"),
        ("unet=missing", "expected a folder with unet, but missing does not exist"),
        ("unet=broken/checkpoint-20", "cannot load broken/checkpoint-20/unet"),
        ("unet=members", "expected the folder of unet"),
    ],
)
def test_wrong_components_are_one_line_and_exit_2(privaudit, component, message):
    sets = ("--members", "members", "--nonmembers", "others", "--device", "cpu", "--attack", "sima:levels=50")
    done = privaudit("scan", "base", *sets, "--component", component, "--out", "wrong")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert message in line
