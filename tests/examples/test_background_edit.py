"""The editing example changes what it should, and inversion keeps the rest better than the encoder."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import wilcoxon

from privaudit.errors import ConfigError
from privaudit.lab.demo_target import TARGET
from privaudit.loading import ModelSource, load_target
from privaudit.model.noise import normal_for

ENCODER, FREE, GRADIENT = "encoder", "anderson:evaluations=20:tolerance=0.001", "gradient:evaluations=4"
IMAGES = 10


@pytest.fixture(scope="module")
def example(import_example) -> ModuleType:
    return import_example("background_edit")


@pytest.fixture(scope="module")
def run(example, tmp_path_factory):
    out = tmp_path_factory.mktemp("edit") / "results"
    sizes = ["--images", str(IMAGES), "--steps", "20"]
    return example.main([*sizes, "--solvers", ENCODER, FREE, GRADIENT, "--out", str(out)]), out


def outcomes(study):
    return {found.name: found for found in study.outcomes}


def test_gradient_free_inversion_keeps_the_background_of_generated_images_better(run):
    generated = run[0][0]
    found = outcomes(generated)
    encoder, free = np.array(found[ENCODER].background), np.array(found[FREE].background)
    assert (free - encoder).mean() < -2
    assert wilcoxon(free, encoder, alternative="less").pvalue < 0.005
    (difference,) = [d for d in generated.differences if d.names == (FREE, ENCODER)]
    assert difference.mean == pytest.approx((free - encoder).mean())
    assert difference.interval[0] < difference.mean < difference.interval[1] < -1
    assert np.mean(found[FREE].unedited) < np.mean(found[ENCODER].unedited) - 6


def test_no_latent_beats_the_true_one_by_much(run, example):
    found = outcomes(run[0][0])
    assert np.mean(found[FREE].background) > np.mean(found[example.TRUTH].background) - 0.5
    assert set(found[example.TRUTH].unedited) == {-np.inf}


def test_of_photographs_the_background_is_not_kept_worse(run):
    (difference,) = [d for d in run[0][1].differences if d.names == (FREE, ENCODER)]
    assert difference.interval[0] < 0
    assert difference.mean < 0.2


def test_the_inside_really_changes(run):
    for study in run[0]:
        for found in study.outcomes:
            assert np.mean(found.inside) > -20
            assert np.mean(found.inside) > np.mean(found.background) + 3


def test_the_tables_have_every_solver(run, example):
    text = (run[1] / "background_edit.md").read_text()
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert rows == ["latent by", ENCODER, FREE, GRADIENT, example.TRUTH, "latent by", ENCODER, FREE, GRADIENT]
    assert "exact" in text
    assert torch.__version__ in text


def test_the_sheet_has_a_row_an_image_and_two_columns_a_solver(run, example):
    with Image.open(run[1] / "background_edit.png") as sheet:
        columns, rows = 1 + 2 * 3, 2 * example.SHOWN
        step = example.ENLARGED * 32 + 4
        assert sheet.size == (4 + columns * step, 18 + rows * step)
        assert np.asarray(sheet).std() > 10


def test_an_edit_leaves_the_latent_outside_alone(example):
    target = load_target(ModelSource(TARGET, device="cpu"))
    latents, noise = (normal_for(0, ["a", "b"], target.info.latent_shape, purpose) for purpose in ("z", "e"))
    cells = example.centred_square((8, 8), (32, 32), 0.5).cells
    edited = example.blended_edit(target, latents, cells, noise, level=0.4, steps=10)
    assert torch.equal(edited[..., ~cells], latents[..., ~cells])
    assert (edited - latents)[..., cells].abs().mean() > 0.05


def test_regions_are_centred_and_the_background_keeps_a_margin(example):
    regions = example.centred_square((8, 8), (32, 32), 0.5)
    assert torch.equal(torch.nonzero(regions.cells).aminmax(dim=0).min, torch.tensor([2, 2]))
    assert int(regions.cells.sum()) == 16
    assert torch.equal(torch.nonzero(regions.inside).aminmax(dim=0).max, torch.tensor([23, 23]))
    assert int(regions.background.sum()) == 32 * 32 - 24 * 24
    assert not (regions.background & regions.inside).any()
    assert torch.equal(regions.cells, regions.cells.flip(0, 1))


@pytest.mark.parametrize("side", [0, 0.01, 0.75, 1, 2])
def test_a_square_needs_cells_and_a_background(example, side):
    with pytest.raises(ConfigError, match="more than one cell around it"):
        example.centred_square((8, 8), (32, 32), side)


def test_nmse_is_over_the_chosen_part(example):
    originals = torch.ones(2, 3, 4, 4)
    images = originals.clone()
    where = torch.zeros(4, 4, dtype=torch.bool)
    where[0] = True
    images[0, :, 0] += 0.1
    images[1, :, 1] += 5
    found = example.nmse(images, originals, where)
    assert found[0] == pytest.approx(-20, abs=1e-4)
    assert found[1] == -torch.inf
