"""Targets that take text, of a diffusion and of a flow model, through the whole training."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from diffusers import StableDiffusion3Pipeline, StableDiffusionPipeline
from models import prompts
from safetensors.torch import load_file
from torch import nn

from privaudit.data import read_set
from privaudit.lab import training_phase
from privaudit.lab.diffusion import build_schedule
from privaudit.lab.family import Family
from privaudit.lab.flow import Flow, build_flow, continue_flow
from privaudit.lab.manifests import Trained
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.text import build_text
from privaudit.lab.text_encoder import TOKENS, tokenise
from privaudit.lab.tokenizer import build_tokenizer
from privaudit.lab.train import train_target
from privaudit.lab.train_autoencoder import build_autoencoder, encode_posterior
from privaudit.lab.train_denoiser import train_denoiser
from privaudit.lab.training_phase import Phase
from privaudit.loading import ModelSource, load_target

Recipe = Callable[..., LabRecipe]
TEXT = {"family": "text"}
FLOW = {"family": "flow", "prediction_type": "flow"}
CAPTIONS = [f"city, row {row}, {'red' if row % 2 else 'blue'}" for row in range(8)]


@pytest.fixture(scope="session")
def targets(images: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    folder = tmp_path_factory.mktemp("families")
    return {
        kind["family"]: train_target(images, folder / kind["family"], recipe(**kind), snapshots=(3,))
        for kind in (TEXT, FLOW)
    }


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{path.parent.name}.{name}": value
        for path in sorted(folder.glob("*/*.safetensors"))
        for name, value in load_file(path).items()
    }


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("family", "kind", "prediction"),
    [("text", StableDiffusionPipeline, "epsilon"), ("flow", StableDiffusion3Pipeline, "flow")],
)
def test_the_folder_is_a_target_and_a_pipeline(
    targets: dict[str, Trained], family: str, kind: type, prediction: str
) -> None:
    folder = targets[family].folder
    target = load_target(ModelSource(folder, device="cpu"))
    assert (target.info.family, target.info.prediction_type) == ("text-to-image", prediction)
    assert (target.info.latent_shape, target.info.image_size) == ((2, 4, 4), (16, 16))
    assert load_target(ModelSource(folder / "snapshots" / "3", device="cpu")).info.hash != target.info.hash
    missing = {"text_encoder_3": None, "tokenizer_3": None} if family == "flow" else {}
    pipeline = kind.from_pretrained(folder, local_files_only=True, **missing)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    drawn = pipeline("city, blue", height=16, width=16, num_inference_steps=2, generator=generator, output_type="pt")
    assert drawn.images.shape == (1, 3, 16, 16)


@pytest.mark.parametrize("family", ["text", "flow"])
def test_manifests_have_the_captions_that_it_was_trained_with(targets: dict[str, Trained], family: str) -> None:
    trained = targets[family]
    for manifest in (trained.members, trained.heldout, trained.auxiliary):
        captions = [sample.caption for sample in read_set(manifest, (16, 16)).samples]
        assert all(caption and caption.startswith(("city, ", "night sky, ")) for caption in captions)
    target = load_target(ModelSource(trained.folder, device="cpu"))
    condition = target.condition(prompts("city, blue", "night sky, blue", None))
    assert condition is not None
    assert not torch.equal(*condition["encoder_hidden_states"][:2])


def test_an_unconditional_target_has_no_captions(images: Path, recipe: Recipe, tmp_path: Path) -> None:
    trained = train_target(images, tmp_path / "plain", recipe(denoiser_steps=1))
    assert list(pd.read_csv(trained.members).columns) == ["path", "id"]


@pytest.mark.parametrize("kind", [TEXT, FLOW], ids=lambda kind: kind["family"])
def test_interrupted_training_resumes_to_the_same_bits(
    targets: dict[str, Trained],
    images: Path,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: dict,
) -> None:
    monkeypatch.setattr(training_phase, "CHECKPOINT_EVERY", 2)

    def interrupt(name: str, step: int, total: int, loss: float) -> None:
        if (name, step) == ("denoiser", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_target(images, tmp_path / "out", recipe(**kind), on_step=interrupt, snapshots=(3,))
    steps: list[tuple[str, int]] = []
    train_target(
        images,
        tmp_path / "out",
        recipe(**kind),
        on_step=lambda name, step, *_: steps.append((name, step)),
        snapshots=(3,),
    )
    assert steps[0] == ("denoiser", 3)
    whole = targets[kind["family"]].folder
    assert equal(weights(tmp_path / "out"), weights(whole))
    assert (tmp_path / "out" / "members.csv").read_bytes() == (whole / "members.csv").read_bytes()


@pytest.mark.parametrize("family", ["text", "flow"])
def test_parameters_are_counted(targets: dict[str, Trained], family: str) -> None:
    folder = targets[family].folder
    counts = json.loads((folder / "lab.json").read_text())["parameters"]
    networks = {"text": {"unet", "text_encoder"}, "flow": {"transformer", "text_encoder", "text_encoder_2"}}
    assert counts.keys() == {"autoencoder"} | networks[family]
    for name, count in counts.items():
        (path,) = (folder / ("vae" if name == "autoencoder" else name)).glob("*.safetensors")
        saved = {key: value for key, value in load_file(path).items() if key != "pos_embed.pos_embed"}  # no parameter
        assert count == sum(value.numel() for value in saved.values())


@pytest.mark.parametrize("family", ["text", "flow"])
def test_half_precision_and_its_reading(
    targets: dict[str, Trained], images: Path, recipe: Recipe, tmp_path: Path, family: str
) -> None:
    kind = TEXT if family == "text" else FLOW
    shutil.copytree(targets[family].folder, tmp_path / "copy")
    train_target(images, tmp_path / "copy", recipe(**kind), half=True, on_step=lambda *_: pytest.fail("trained again"))
    found, wanted = weights(tmp_path / "copy"), weights(targets[family].folder)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name].half()) for name in wanted if wanted[name].is_floating_point())
    assert (
        load_target(ModelSource(tmp_path / "copy", device="cpu")).info.prediction_type == recipe(**kind).prediction_type
    )


# ------------------------------------------------------------------------------- the losses, by hand


def build(recipe: LabRecipe) -> Family:
    return (build_flow if recipe.family == "flow" else build_text)(recipe, build_tokenizer(CAPTIONS, TOKENS), CAPTIONS)


def first_loss(recipe: LabRecipe, images: torch.Tensor, folder: Path) -> float:
    autoencoder = build_autoencoder(recipe).eval().requires_grad_(False)
    autoencoder.register_to_config(scaling_factor=0.5)
    train_denoiser(images, autoencoder, build(recipe), recipe, Phase("denoiser", folder, recipe.seed))
    with (folder / "denoiser-loss.csv").open(newline="") as file:
        return float(next(csv.DictReader(file))["loss"])


@pytest.mark.parametrize("drop", [0.0, 0.6])
@pytest.mark.parametrize("kind", [TEXT, TEXT | {"prediction_type": "v_prediction"}, FLOW])
def test_the_loss_is_the_one_the_recipe_names(recipe: Recipe, tmp_path: Path, kind: dict, drop: float) -> None:
    parameters = recipe(**kind, caption_drop=drop, denoiser_steps=1)
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1
    found = first_loss(parameters, images, tmp_path)
    family, generator = build(parameters), Phase("denoiser", tmp_path, parameters.seed).generator(0)
    network: nn.ModuleDict = family.network
    index = Phase("denoiser", tmp_path, parameters.seed).batch(0, 5, 8)
    with torch.no_grad():
        posterior = encode_posterior(build_autoencoder(parameters).eval(), images)
        torch.randint(0, 1, index.shape, generator=generator)
        mean, deviation = posterior.mean[index], posterior.deviation[index]
        x0 = 0.5 * (mean + deviation * torch.randn(mean.shape, generator=generator))
        eps = torch.randn(x0.shape, generator=generator)
        if kind is FLOW:
            sigma = torch.rand(5, generator=generator)
        else:
            levels = torch.randint(0, 1000, (5,), generator=generator)
        dropped = torch.rand(5, generator=generator) < drop
        texts = ["" if gone else CAPTIONS[row] for row, gone in zip(index.tolist(), dropped.tolist(), strict=True)]
        tokens = tokenise(family.tokenizer, texts, TOKENS).rows
        if kind is FLOW:
            scale = sigma.view(-1, 1, 1, 1)
            condition = family.condition(tokens)
            output = network["transformer"](
                hidden_states=(1 - scale) * x0 + scale * eps,
                timestep=1000 * sigma,
                **condition,
            ).sample
            wanted = eps - x0
        else:
            powers = build_schedule(parameters).alphas_cumprod[levels].view(-1, 1, 1, 1)
            alpha, scale = powers.sqrt(), (1 - powers).sqrt()
            hidden = network["text_encoder"](tokens).last_hidden_state
            output = network["unet"](alpha * x0 + scale * eps, levels, hidden).sample
            wanted = eps if parameters.prediction_type == "epsilon" else alpha * eps - scale * x0
    assert found == pytest.approx(float((output - wanted).square().mean()), rel=1e-4)


@pytest.mark.parametrize("kind", [TEXT, FLOW], ids=lambda kind: kind["family"])
def test_text_encoders_are_trained_too(recipe: Recipe, tmp_path: Path, kind: dict) -> None:
    parameters = recipe(**kind, ema_decay=0.0, denoiser_steps=2)
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1
    autoencoder = build_autoencoder(parameters).eval().requires_grad_(False)
    family = build(parameters)
    before = {name: value.clone() for name, value in family.network.state_dict().items()}
    trained = train_denoiser(images, autoencoder, family, parameters, Phase("denoiser", tmp_path, 0)).state_dict()
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], trained[name])}
    assert moved == set(family.network)


def test_the_conditions_of_training_are_those_of_the_loaded_target(targets: dict[str, Trained], recipe: Recipe) -> None:
    folder = targets["flow"].folder
    target = load_target(ModelSource(folder, device="cpu"))
    family: Flow = continue_flow(recipe(**FLOW), target, folder, CAPTIONS)
    with torch.no_grad():
        found = family.condition(torch.cat([family.captions.rows, family.captions.empty[None]]))
    wanted = target.condition(prompts(*CAPTIONS, None))
    assert wanted is not None
    torch.testing.assert_close(dict(found), dict(wanted))


def test_dropped_captions_are_the_empty_one() -> None:
    captions = tokenise(build_tokenizer(CAPTIONS, TOKENS), CAPTIONS, TOKENS)
    rows = torch.arange(8).repeat(500)
    drawn = captions.draw(rows, 0.1, torch.Generator().manual_seed(0))
    empty = (drawn == captions.empty).all(dim=1)
    assert torch.equal(drawn[~empty], captions.rows[rows][~empty])
    assert 300 < int(empty.sum()) < 500  # 400 expected of 4000, standard deviation 19
    assert torch.equal(captions.draw(rows, 0.0, torch.Generator().manual_seed(0)), captions.rows[rows])
