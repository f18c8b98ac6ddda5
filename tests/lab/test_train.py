import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DModel
from PIL import Image
from safetensors.torch import load_file

from privaudit.data import load_images, read_set
from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.lab import training_phase
from privaudit.lab.diffusion import build_schedule
from privaudit.lab.manifests import Trained
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.train import train_target
from privaudit.lab.train_autoencoder import build_autoencoder
from privaudit.lab.train_denoiser import train_denoiser
from privaudit.lab.training_phase import Phase
from privaudit.lab.unconditional import build_unconditional
from privaudit.loading import ModelSource, hash_folder, load_target

Recipe = Callable[..., LabRecipe]
SIZE = (16, 16)


@pytest.fixture(scope="session")
def trained(images: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train_target(images, tmp_path_factory.mktemp("trained") / "out", recipe(), snapshots=(2, 6))


@pytest.fixture
def copy(trained: Trained, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.folder, tmp_path / "copy"))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{part}.{name}": value
        for part in ("vqvae", "unet")
        for name, value in load_file(folder / part / "diffusion_pytorch_model.safetensors").items()
    }


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_folder_is_a_target(trained: Trained, images: Path) -> None:
    target = load_target(ModelSource(trained.folder, device="cpu"))
    info = target.info
    assert (info.family, info.prediction_type) == ("unconditional", "epsilon")
    assert (info.latent_shape, info.image_size) == ((2, 4, 4), SIZE)
    pixels = torch.from_numpy(load_images(read_set(trained.auxiliary, SIZE).samples, SIZE))
    latents = target.encode(pixels)
    # the scaling factor gives the auxiliary latents unit variance
    assert float(latents.std()) == pytest.approx(1.0, abs=1e-3)
    assert target.decode(latents).shape == pixels.shape
    assert len(target.schedule.alphas_cumprod) == 1000


def test_manifests_name_three_disjoint_sets(trained: Trained, images: Path) -> None:
    sets = {}
    for name, count in (("members", 8), ("heldout", 6), ("auxiliary", 10)):
        found = read_set(getattr(trained, name), SIZE)
        assert (len(found), found.skipped, found.duplicates) == (count, (), 0)
        assert all(sample.id == sample.label for sample in found.samples)
        sets[name] = {sample.id for sample in found.samples}
    assert sum(map(len, sets.values())) == len(set.union(*sets.values()))
    assert set.union(*sets.values()) == {sample.id for sample in read_set(images, SIZE).samples}


def test_the_recipe_and_the_losses_are_kept(trained: Trained, recipe: Recipe) -> None:
    record = json.loads((trained.folder / "lab.json").read_text())
    assert LabRecipe(**record["recipe"]) == recipe()
    assert record["versions"]["torch"] == torch.__version__
    for name, steps in (("autoencoder", 4), ("denoiser", 6)):
        with (trained.folder / "training" / f"{name}-loss.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["step"]) for row in rows] == list(range(1, steps + 1))
        assert all(0 < float(row["loss"]) < 100 for row in rows)


def test_snapshots_are_targets_of_their_step(trained: Trained, images: Path, recipe: Recipe, tmp_path: Path) -> None:
    assert sorted(path.name for path in (trained.folder / "snapshots").iterdir()) == ["2", "6"]
    last = weights(trained.folder / "snapshots" / "6")
    assert equal(last, weights(trained.folder))
    early = train_target(images, tmp_path / "early", recipe(denoiser_steps=2))
    assert equal(weights(trained.folder / "snapshots" / "2"), weights(early.folder))
    assert not equal(weights(early.folder), last)
    assert load_target(ModelSource(trained.folder / "snapshots" / "2", device="cpu")).info.latent_shape == (2, 4, 4)


def test_training_is_seeded_and_leaves_the_global_generator_alone(
    trained: Trained, images: Path, recipe: Recipe, tmp_path: Path
) -> None:
    torch.manual_seed(9)
    before = torch.get_rng_state()
    again = train_target(images, tmp_path / "again", recipe(), half=True, snapshots=(1,))
    assert torch.equal(before, torch.get_rng_state())
    full, half = weights(trained.folder), weights(again.folder)
    assert {value.dtype for value in half.values()} == {torch.float16}
    assert equal({name: value.half() for name, value in full.items()}, half)
    assert {value.dtype for value in weights(again.folder / "snapshots" / "1").values()} == {torch.float16}
    scales = {
        json.loads((out.folder / "vqvae" / "config.json").read_text())["scaling_factor"] for out in (trained, again)
    }
    assert len(scales) == 1
    assert load_target(ModelSource(again.folder, device="cpu")).decode(torch.zeros(1, 2, 4, 4)).dtype == torch.float32
    assert not equal(weights(train_target(images, tmp_path / "other", recipe(seed=1)).folder), full)


@pytest.mark.parametrize("stop", [("autoencoder", 3), ("denoiser", 1), ("denoiser", 5)])
def test_interrupted_training_resumes_to_the_same_bits(
    trained: Trained, images: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: tuple
) -> None:
    monkeypatch.setattr(training_phase, "CHECKPOINT_EVERY", 2)
    out = tmp_path / "out"

    def interrupt(name: str, step: int, total: int, loss: float) -> None:
        if (name, step) == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_target(images, out, recipe(), on_step=interrupt, snapshots=(2, 6))
    assert not (out / "model_index.json").exists()
    steps: list[tuple[str, int]] = []
    train_target(images, out, recipe(), on_step=lambda name, step, *_: steps.append((name, step)), snapshots=(2, 6))
    assert ("autoencoder", 1) not in steps  # resumed and not begun again
    assert steps[-1] == ("denoiser", 6)
    assert equal(weights(out), weights(trained.folder))
    assert hash_folder(out) == hash_folder(trained.folder)
    for name in ("members.csv", "training/autoencoder-loss.csv", "training/denoiser-loss.csv"):
        assert (out / name).read_bytes() == (trained.folder / name).read_bytes()
    for step in ("2", "6"):
        assert equal(weights(out / "snapshots" / step), weights(trained.folder / "snapshots" / step))


def test_the_same_call_again_trains_nothing(copy: Path, images: Path, recipe: Recipe) -> None:
    before = weights(copy)
    train_target(images, copy, recipe(), on_step=lambda *_: pytest.fail("trained again"))
    assert equal(weights(copy), before)


def test_a_training_from_before_there_were_families_resumes(copy: Path, images: Path, recipe: Recipe) -> None:
    record = json.loads((copy / "lab.json").read_text())
    for name in ("family", "denoiser_images", "caption_drop"):
        del record["recipe"][name]
    del record["parameters"]
    (copy / "lab.json").write_text(json.dumps(record))
    before = weights(copy)
    train_target(images, copy, recipe(), on_step=lambda *_: pytest.fail("trained again"))
    assert equal(weights(copy), before)
    again = json.loads((copy / "lab.json").read_text())
    assert (again["recipe"]["family"], again["target_hash"]) == ("unconditional", record["target_hash"])
    with pytest.raises(ConfigError, match="holds a training with denoiser_images = members, not auxiliary"):
        train_target(images, copy, recipe(denoiser_images="auxiliary"))


def test_more_steps_continue(copy: Path, images: Path, recipe: Recipe, tmp_path: Path) -> None:
    train_target(images, copy, recipe(denoiser_steps=8))
    assert json.loads((copy / "lab.json").read_text())["recipe"]["denoiser_steps"] == 8
    assert equal(weights(copy), weights(train_target(images, tmp_path / "whole", recipe(denoiser_steps=8)).folder))


def test_another_recipe_in_the_same_folder_is_refused(copy: Path, images: Path, recipe: Recipe) -> None:
    before = (copy / "lab.json").read_bytes(), (copy / "members.csv").read_bytes()
    with pytest.raises(ConfigError) as caught:
        train_target(images, copy, recipe(denoiser_rate=1.0, flip=True))
    assert caught.value.problems == (
        f"{copy} holds a training with denoiser_rate = 0.0002, not 1.0",
        f"{copy} holds a training with flip = False, not True",
        "pass the same parameters to resume it, or another --out",
    )
    assert ((copy / "lab.json").read_bytes(), (copy / "members.csv").read_bytes()) == before


def test_fewer_steps_are_refused(copy: Path, images: Path, recipe: Recipe) -> None:
    # the weights would have more steps than lab.json says
    with pytest.raises(ConfigError, match="holds a training of 6 denoiser_steps, more than 3"):
        train_target(images, copy, recipe(denoiser_steps=3))


def test_other_images_are_refused(copy: Path, images: Path, recipe: Recipe, tmp_path: Path) -> None:
    # the manifests would name members that the weights never saw
    before = (copy / "members.csv").read_bytes()
    other = Path(shutil.copytree(images, tmp_path / "other"))
    Image.fromarray(np.full((16, 16, 3), 3, np.uint8)).save(other / "city" / "new.png")
    with pytest.raises(ConfigError, match="holds a training on other images"):
        train_target(other, copy, recipe())
    assert (copy / "members.csv").read_bytes() == before


def test_moved_images_are_the_same(copy: Path, images: Path, recipe: Recipe, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(images, tmp_path / "moved"))
    found = train_target(moved, copy, recipe(), on_step=lambda *_: pytest.fail("trained again"))
    assert all(sample.path.is_relative_to(moved.resolve()) for sample in read_set(found.members, SIZE).samples)


def test_snapshots_that_cannot_be_taken_are_refused(copy: Path, images: Path, recipe: Recipe) -> None:
    with pytest.raises(ConfigError) as caught:
        train_target(images, copy, recipe(), snapshots=(1, 2, 99))
    assert [problem.split(", got ")[-1] for problem in caught.value.problems] == ["1", "99"]


def test_too_few_images(images: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected more than 20 members .* 4 held-out images"):
        train_target(images, tmp_path / "out", recipe(members=20, heldout=4))
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_not_finite_stops_the_training(images: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError, match="expected a finite loss, got nan at step 1 of the autoencoder"):
        train_target(images, tmp_path / "out", recipe(autoencoder_rate=1e30))


# ------------------------------------------------------------------------------- the denoiser


def train(recipe: LabRecipe, tmp_path: Path, pixels: torch.Tensor | None = None) -> UNet2DModel:
    autoencoder = build_autoencoder(recipe).eval().requires_grad_(False)
    autoencoder.register_to_config(scaling_factor=0.5)
    if pixels is None:
        pixels = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return train_denoiser(
        pixels, autoencoder, build_unconditional(recipe), recipe, Phase("denoiser", tmp_path, recipe.seed)
    )


def parameters(model: UNet2DModel) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_the_average_lies_between_start_and_end(recipe: Recipe, tmp_path: Path) -> None:
    start = parameters(build_unconditional(recipe()).network)
    raw = parameters(train(recipe(ema_decay=0.0), tmp_path / "raw"))
    slow = parameters(train(recipe(ema_decay=0.9), tmp_path / "slow"))
    assert 0 < float((slow - start).norm()) < float((raw - start).norm())
    saved = torch.load(tmp_path / "raw" / "denoiser.pt", weights_only=True)["model"]
    names = [name for name, _ in build_unconditional(recipe()).network.named_parameters()]
    assert torch.equal(raw, torch.cat([saved[name].flatten() for name in names]))


def test_v_prediction_trains_another_network_and_says_so(
    images: Path, recipe: Recipe, tmp_path: Path, trained: Trained
) -> None:
    out = train_target(images, tmp_path / "v", recipe(prediction_type="v_prediction"))
    target = load_target(ModelSource(out.folder, device="cpu"))
    assert target.info.prediction_type == "v_prediction"
    one, other = weights(trained.folder), weights(out.folder)
    assert all(torch.equal(one[name], other[name]) for name in one if name.startswith("vqvae"))
    assert not equal(one, other)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_the_loss_is_the_one_the_recipe_names(recipe: Recipe, tmp_path: Path, kind: str) -> None:
    # The first step's loss, computed by hand from the same random numbers and the untrained weights
    parameters_, images_ = recipe(prediction_type=kind), torch.rand(8, 3, 16, 16) * 2 - 1
    stage = Phase("denoiser", tmp_path, parameters_.seed)
    train(parameters_, tmp_path, images_)
    with (tmp_path / "denoiser-loss.csv").open(newline="") as file:
        found = float(next(csv.DictReader(file))["loss"])
    autoencoder, model = build_autoencoder(parameters_).eval(), build_unconditional(parameters_).network.train()
    generator, index = stage.generator(0), stage.batch(0, 5, 8)
    torch.randint(0, 1, index.shape, generator=generator)
    with torch.no_grad():
        posterior = autoencoder.encode(images_).latent_dist
        mean, deviation = posterior.mean[index], posterior.std[index]
        x0 = 0.5 * (mean + deviation * torch.randn(mean.shape, generator=generator))
        eps = torch.randn(x0.shape, generator=generator)
        levels = torch.randint(0, 1000, index.shape, generator=generator)
        powers = build_schedule(parameters_).alphas_cumprod[levels].view(-1, 1, 1, 1)
        alpha, sigma = powers.sqrt(), (1 - powers).sqrt()
        wanted = eps if kind == "epsilon" else alpha * eps - sigma * x0
        loss = (model(alpha * x0 + sigma * eps, levels).sample - wanted).square().mean()
    assert found == pytest.approx(float(loss), rel=1e-4)


def test_flip_trains_on_mirror_images(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images_ = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    seen: list[torch.Tensor] = []
    encode = AutoencoderKL.encode

    def watched(self: AutoencoderKL, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        seen.append(x.clone())
        return encode(self, x, *args, **kwargs)

    monkeypatch.setattr(AutoencoderKL, "encode", watched)
    mirrored = parameters(train(recipe(flip=True), tmp_path / "flip", images_))
    assert [bool(torch.equal(part, view)) for part, view in zip(seen, (images_, images_.flip(-1)), strict=True)] == [
        True,
        True,
    ]
    seen.clear()
    plain = parameters(train(recipe(), tmp_path / "plain", images_))
    assert len(seen) == 1
    assert not torch.equal(plain, mirrored)
