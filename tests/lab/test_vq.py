import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import VQModel
from safetensors.torch import load_file
from typer.testing import CliRunner

from privaudit.cli import app
from privaudit.data import load_images, read_set
from privaudit.errors import ConfigError
from privaudit.lab import training_phase, vq
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.train import Trained, train_target
from privaudit.lab.train_autoencoder import build_autoencoder, encode_posterior, train_autoencoder
from privaudit.lab.training_phase import Phase
from privaudit.lab.vq import Codebook
from privaudit.loading import ModelSource, load_target

Recipe = Callable[..., LabRecipe]
SIZE = (16, 16)
VQ = {"autoencoder": "vq", "codes": 24, "autoencoder_steps": 30}


@pytest.fixture(scope="session")
def pixels(images: Path) -> torch.Tensor:
    return torch.from_numpy(load_images(read_set(images, SIZE).samples, SIZE))


@pytest.fixture(scope="session")
def trained(images: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train_target(images, tmp_path_factory.mktemp("vq") / "out", recipe(**VQ))


def weights(folder: Path, part: str) -> dict[str, torch.Tensor]:
    return load_file(folder / part / "diffusion_pytorch_model.safetensors")


def codes_in_use(model: VQModel, pixels: torch.Tensor) -> int:
    with torch.no_grad():
        return len(model.quantize(model.encode(pixels).latents)[2][2].unique())


# ------------------------------------------------------------------------------- training


def test_errors_fall_and_codes_are_used(
    recipe: Recipe, pixels: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[float] = []
    wanted = recipe(autoencoder="vq", codes=64, autoencoder_steps=60, autoencoder_rate=2e-3)

    def trained_model(folder: Path) -> VQModel:
        return train_autoencoder(pixels, wanted, Phase("autoencoder", folder, 0), lambda *step: losses.append(step[3]))

    model = trained_model(tmp_path / "revived")
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10])
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    monkeypatch.setattr(Codebook, "_revive", lambda *arguments: None)
    assert codes_in_use(model, pixels) > max(40, codes_in_use(trained_model(tmp_path / "plain"), pixels))


def test_the_recipe_decides_the_model(recipe: Recipe) -> None:
    model = build_autoencoder(recipe(autoencoder="vq", codes=24, latent_channels=3))
    assert isinstance(model, VQModel)
    assert model.quantize.embedding.weight.shape == (24, 3)
    assert model.encode(torch.zeros(1, 3, *SIZE)).latents.shape == (1, 3, 4, 4)
    again = build_autoencoder(recipe(autoencoder="vq", codes=24, latent_channels=3))
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), again.parameters(), strict=True))


def test_the_loss_is_squared_error_and_codebook_loss(recipe: Recipe, pixels: torch.Tensor, tmp_path: Path) -> None:
    wanted = recipe(**VQ | {"autoencoder_steps": 1, "autoencoder_batch": 24, "warmup": 0})
    found: list[float] = []
    stage = Phase("autoencoder", tmp_path, 0)
    train_autoencoder(pixels, wanted, stage, lambda name, step, total, loss: found.append(loss))
    model, book = build_autoencoder(wanted), Codebook(build_autoencoder(wanted))
    generator = stage.generator(0)
    turned = torch.randint(0, 2, (3,), generator=generator).bool().tolist()
    batch = pixels[stage.batch(0, 24, 24)]
    batch = batch.flip(-2) if turned[0] else batch
    batch = batch.flip(-1) if turned[1] else batch
    batch = batch.transpose(-2, -1) if turned[2] else batch
    with torch.no_grad():
        latents = model.encode(batch).latents
        quantised = book.quantise(latents, 0, generator)
        codes = book.model.quantize.embedding.weight
        flat = latents.movedim(1, -1).flatten(0, -2)
        nearest = codes[(flat[:, None] - codes).square().sum(-1).argmin(1)].view(24, 4, 4, 2).movedim(-1, 1)
        torch.testing.assert_close(quantised.latents, nearest)
        torch.testing.assert_close(quantised.loss, 1.25 * (latents - nearest).square().flatten(1).sum(1).mean())
        model.quantize.load_state_dict(book.model.quantize.state_dict())
        assert found == [pytest.approx(float((model.decode(latents).sample - batch).square().mean()), rel=1e-4)]


# ------------------------------------------------------------------------------- the codebook


def one_codebook(recipe: Recipe, codes: int = 24) -> Codebook:
    return Codebook(build_autoencoder(recipe(autoencoder="vq", codes=codes)))


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_first_check_fills_the_codebook_with_encoder_outputs(recipe: Recipe) -> None:
    book, latents = one_codebook(recipe), normal(5, 2, 4, 4)
    book.quantise(latents, 0, torch.Generator().manual_seed(0))
    codes, vectors = book.model.quantize.embedding.weight.detach(), latents.movedim(1, -1).reshape(-1, 2)
    assert all(bool((vectors == code).all(1).any()) for code in codes)
    assert len(codes.unique(dim=0)) == 24
    assert bool(book.used.all())  # each is the nearest code of the output it was copied from


def test_only_codes_unused_since_the_last_check_are_replaced(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vq, "REVIVE_EVERY", 3)
    book, generator = one_codebook(recipe), torch.Generator().manual_seed(0)
    book.quantise(normal(5, 2, 4, 4), 0, generator)
    book.used[:] = False  # as if nothing of step 0 had counted
    codes = book.model.quantize.embedding.weight
    few = codes.detach()[:6].T.reshape(1, 2, 2, 3)
    for step in (1, 2):
        before = codes.detach().clone()
        book.quantise(few, step, generator)
        assert torch.equal(codes, before)
    assert book.used.tolist() == [True] * 6 + [False] * 18
    book.quantise(few + 10, 3, generator)
    # the batch has six encoder outputs, so six codes are replaced and the others wait
    assert [torch.equal(code, old) for code, old in zip(codes[6:], before[6:], strict=True)] == [False] * 6 + [
        True
    ] * 12


def test_replacements_depend_on_the_generator_alone(recipe: Recipe) -> None:
    def filled(seed: int) -> torch.Tensor:
        book = one_codebook(recipe)
        book.quantise(normal(5, 2, 4, 4), 0, torch.Generator().manual_seed(seed))
        return book.model.quantize.embedding.weight.detach()

    assert torch.equal(filled(1), filled(1))
    assert not torch.equal(filled(1), filled(2))


def test_the_derivative_goes_straight_through(recipe: Recipe) -> None:
    latents = normal(2, 2, 4, 4).requires_grad_()
    book = one_codebook(recipe)
    book.quantise(latents, 1, torch.Generator()).latents.sum().backward()
    assert torch.equal(latents.grad, torch.ones_like(latents))
    assert book.model.quantize.embedding.weight.grad is None


# ------------------------------------------------------------------------------- the target


def test_the_folder_is_a_target(trained: Trained) -> None:
    target = load_target(ModelSource(trained.folder, device="cpu"))
    assert (target.info.latent_shape, target.info.image_size) == ((2, 4, 4), SIZE)
    images = torch.from_numpy(load_images(read_set(trained.auxiliary, SIZE).samples, SIZE))
    latents = target.encode(images)
    assert float(latents.std()) == pytest.approx(1.0, abs=1e-3)
    assert target.decode(latents).shape == images.shape
    module = VQModel.from_pretrained(trained.folder, subfolder="vqvae").eval()
    raw = encode_posterior(module, images)
    torch.testing.assert_close(latents, raw.mean * module.config["scaling_factor"])
    assert not raw.deviation.any()
    with torch.no_grad():
        torch.testing.assert_close(target.decode(latents), module(images).sample, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stop", [("autoencoder", 9), ("autoencoder", 29), ("denoiser", 3)])
def test_interrupted_training_resumes_to_the_same_bits(
    trained: Trained, images: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: tuple
) -> None:
    monkeypatch.setattr(training_phase, "CHECKPOINT_EVERY", 4)

    def interrupt(name: str, step: int, total: int, loss: float) -> None:
        if (name, step) == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_target(images, tmp_path / "out", recipe(**VQ), on_step=interrupt)
    train_target(images, tmp_path / "out", recipe(**VQ))
    for part in ("vqvae", "unet"):
        one, other = weights(tmp_path / "out", part), weights(trained.folder, part)
        assert all(torch.equal(one[name], other[name]) for name in other), part


def test_what_was_used_before_an_interruption_counts(
    recipe: Recipe, pixels: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_phase, "CHECKPOINT_EVERY", 4)
    monkeypatch.setattr(vq, "REVIVE_EVERY", 5)
    wanted = recipe(**VQ | {"autoencoder_steps": 7, "autoencoder_batch": 2})

    def trained_codes(folder: Path, stop: int | None = None) -> torch.Tensor:
        def interrupt(name: str, step: int, total: int, loss: float) -> None:
            if step == stop:
                raise KeyboardInterrupt

        model = train_autoencoder(pixels, wanted, Phase("autoencoder", folder, 0), interrupt)
        return model.quantize.embedding.weight

    with pytest.raises(KeyboardInterrupt):
        trained_codes(tmp_path / "parts", stop=5)
    # else the check at step 5 would replace codes that were used before the checkpoint at step 4
    assert torch.equal(trained_codes(tmp_path / "parts"), trained_codes(tmp_path / "whole"))


def test_halves(images: Path, recipe: Recipe, tmp_path: Path, trained: Trained) -> None:
    half = train_target(images, tmp_path / "half", recipe(**VQ), half=True).folder
    full = weights(trained.folder, "vqvae")
    assert all(torch.equal(value, full[name].half()) for name, value in weights(half, "vqvae").items())
    scales = [json.loads((f / "vqvae" / "config.json").read_text())["scaling_factor"] for f in (half, trained.folder)]
    assert scales[0] == scales[1]


def test_another_autoencoder_in_the_same_folder_is_refused(
    trained: Trained, images: Path, recipe: Recipe, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(trained.folder, tmp_path / "copy"))
    with pytest.raises(ConfigError, match="holds a training with autoencoder = vq, not kl; .* codes = 24, not 512"):
        train_target(images, copy, recipe(autoencoder_steps=30))


def test_a_folder_from_before_there_was_a_choice_resumes(images: Path, recipe: Recipe, tmp_path: Path) -> None:
    out = train_target(images, tmp_path / "out", recipe()).folder
    record = json.loads((out / "lab.json").read_text())
    for name in ("autoencoder", "codes"):
        del record["recipe"][name]
    (out / "lab.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match="holds a training with autoencoder = kl, not vq"):
        train_target(images, out, recipe(autoencoder="vq"))
    train_target(images, out, recipe(), on_step=lambda *_: pytest.fail("trained again"))
    assert json.loads((out / "lab.json").read_text())["recipe"]["autoencoder"] == "kl"


def test_the_command_trains_one(images: Path, tmp_path: Path) -> None:
    sizes = "--members 8 --heldout 6 --resolution 16 --latent-channels 2 --autoencoder-width 8 --denoiser-width 32"
    steps = "--autoencoder-steps 2 --denoiser-steps 2 --batch 4 --autoencoder vq --codes 24 --quiet"
    out = tmp_path / "out"
    arguments = ["lab", "train", "--images", str(images), "--out", str(out), *sizes.split(), *steps.split()]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert weights(out, "vqvae")["quantize.embedding.weight"].shape == (24, 2)
