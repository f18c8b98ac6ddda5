"""A class-conditional DiT and a LoRA over a base, through the whole training."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from diffusers import DiTPipeline, StableDiffusion3Pipeline, StableDiffusionPipeline
from safetensors.torch import load_file

from privaudit.data import read_set
from privaudit.errors import ConfigError
from privaudit.lab import training_phase
from privaudit.lab.low_rank import add_lora
from privaudit.lab.manifests import Trained
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.text import build_text
from privaudit.lab.text_encoder import TOKENS
from privaudit.lab.tokenizer import build_tokenizer
from privaudit.lab.train import train_target
from privaudit.loading import AdapterSource, ModelSource, hash_folder, load_target
from privaudit.loading.weight_files import DIFFUSERS_LORA
from privaudit.model.prompt import Prompt

Recipe = Callable[..., LabRecipe]
PIPELINES = {"text": StableDiffusionPipeline, "flow": StableDiffusion3Pipeline}


@pytest.fixture(scope="module")
def dit(images: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train_target(images, tmp_path_factory.mktemp("dit") / "out", recipe(family="class", denoiser_layers=2))


def test_the_class_is_the_folder(dit: Trained) -> None:
    for manifest in (dit.members, dit.heldout, dit.auxiliary):
        samples = read_set(manifest, (16, 16)).samples
        assert {(sample.path.parent.name, sample.class_label) for sample in samples} == {("city", 0), ("night, sky", 1)}


def test_a_dit_is_a_target_and_a_pipeline(dit: Trained) -> None:
    target = load_target(ModelSource(dit.folder, device="cpu"))
    assert (target.info.family, target.info.latent_shape) == ("class-conditional", (2, 4, 4))
    noisy = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))[:1].expand(3, -1, -1, -1)
    condition = target.condition([Prompt(class_label=0), Prompt(class_label=1), Prompt()])
    predictions = target.predict_noise(noisy, 500, condition)
    assert len({tuple(each.flatten().tolist()) for each in predictions}) == 3
    pipeline = DiTPipeline.from_pretrained(dit.folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline([0], guidance_scale=1.0, num_inference_steps=2, output_type="np").images.shape == (1, 16, 16, 3)


def test_a_dit_can_be_tuned_further(dit: Trained, images: Path, recipe: Recipe, tmp_path: Path) -> None:
    settings = {"family": "class", "denoiser_layers": 2, "members": 4, "heldout": 4, "seed": 3}
    base = train_target(images, tmp_path / "base", recipe(**settings, denoiser_images="auxiliary", denoiser_steps=1))
    tuned = train_target(images, tmp_path / "tuned", recipe(**settings), base=base.folder)
    assert hash_folder(tuned.folder) != hash_folder(base.folder)


@pytest.mark.parametrize("drop", [0.0, 0.6])
def test_classes_are_dropped_by_the_phase_alone(images: Path, recipe: Recipe, tmp_path: Path, drop: float) -> None:
    """The result depends on the seed and not on torch's global generator, with which diffusers would drop classes."""
    hashes = set()
    for seed in (0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            trained = train_target(images, tmp_path / str(seed), recipe(family="class", caption_drop=drop))
        hashes.add(hash_folder(trained.folder))
    assert len(hashes) == 1


@pytest.fixture(scope="module", params=["text", "flow"])
def pair(
    request: pytest.FixtureRequest, images: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Trained, Trained, LabRecipe]:
    folder = tmp_path_factory.mktemp("lora")
    kind = {"family": request.param, "prediction_type": "flow" if request.param == "flow" else "epsilon"}
    base = train_target(images, folder / "base", recipe(**kind, denoiser_images="auxiliary"))
    tuned = recipe(**kind, lora_rank=3)
    return base, train_target(images, folder / "out", tuned, base=base.folder, snapshots=(2, 4)), tuned


def source(base: Trained, folder: Path) -> ModelSource:
    return ModelSource(base.folder, device="cpu", adapters=(AdapterSource(str(folder)),))


def noise(model: ModelSource) -> torch.Tensor:
    target = load_target(model)
    noisy = torch.randn(1, *target.info.latent_shape, generator=torch.Generator().manual_seed(0))
    return target.predict_noise(noisy, 500, target.condition([Prompt(caption="city, blue")]))


def test_a_lora_is_what_the_scripts_of_diffusers_leave(pair: tuple[Trained, Trained, LabRecipe]) -> None:
    base, trained, _ = pair
    folders = [trained.folder, trained.folder / "checkpoint-2", trained.folder / "checkpoint-4"]
    assert not (trained.folder / "model_index.json").exists()
    predictions = [noise(source(base, folder)) for folder in folders]
    assert (
        len({tuple(each.flatten().tolist()) for each in (noise(ModelSource(base.folder, device="cpu")), *predictions)})
        == 4
    )
    (adapter,) = load_target(source(base, trained.folder)).info.files.adapters
    assert (adapter.kind, adapter.ranks) == ("LoRA", (3, 3))
    assert trained.scan.startswith(f"privaudit scan {base.folder} --lora {trained.folder / DIFFUSERS_LORA} --members ")


def test_a_lora_is_what_diffusers_fuses(pair: tuple[Trained, Trained, LabRecipe], tmp_path: Path) -> None:
    base, trained, tuned = pair
    missing = {"text_encoder_3": None, "tokenizer_3": None} if tuned.family == "flow" else {}
    pipeline = PIPELINES[tuned.family].from_pretrained(base.folder, local_files_only=True, **missing)
    pipeline.load_lora_weights(trained.folder)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    pipeline.save_pretrained(tmp_path / "merged")
    merged = noise(ModelSource(tmp_path / "merged", device="cpu"))
    torch.testing.assert_close(noise(source(base, trained.folder)), merged, rtol=1e-5, atol=1e-5)


def test_nothing_but_the_lora_is_trained(pair: tuple[Trained, Trained, LabRecipe]) -> None:
    base, trained, _ = pair
    saved = load_file(trained.folder / DIFFUSERS_LORA)
    assert all("lora_" in key for key in saved)
    record = json.loads((trained.folder / "lab.json").read_text())
    assert record["base"]["hash"] == hash_folder(base.folder)  # loading and training left the base alone


def test_an_interrupted_lora_resumes_to_the_same_bits(
    pair: tuple[Trained, Trained, LabRecipe], images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, trained, tuned = pair
    monkeypatch.setattr(training_phase, "CHECKPOINT_EVERY", 2)

    def interrupt(name: str, step: int, total: int, loss: float) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_target(images, tmp_path / "out", tuned, base=base.folder, on_step=interrupt)
    train_target(images, tmp_path / "out", tuned, base=base.folder)
    again, whole = (load_file(folder / DIFFUSERS_LORA) for folder in (tmp_path / "out", trained.folder))
    assert all(torch.equal(again[key], values) for key, values in whole.items())
    assert list(pd.read_csv(tmp_path / "out" / "members.csv").columns) == ["path", "id", "caption"]


def test_a_finished_lora_with_its_checkpoints_is_not_trained_again(
    pair: tuple[Trained, Trained, LabRecipe], images: Path
) -> None:
    base, trained, tuned = pair
    before = load_file(trained.folder / DIFFUSERS_LORA)
    again = train_target(
        images,
        trained.folder,
        tuned,
        base=base.folder,
        snapshots=(2, 4),
        on_step=lambda *_: pytest.fail("trained again"),
    )
    after = load_file(again.folder / DIFFUSERS_LORA)  # safetensors writes the header in any order
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], values) for key, values in before.items())


def test_a_lora_needs_a_base(images: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a base for a LoRA, got none; pass --base"):
        train_target(images, tmp_path / "out", recipe(family="text", lora_rank=2))


@pytest.mark.parametrize("changes", [{"lora_rank": -1, "family": "text"}, {"lora_rank": 2}])
def test_ranks_that_are_refused(recipe: Recipe, changes: dict) -> None:
    with pytest.raises(ConfigError, match="expected lora_rank >= 0, and 0 unless the family is text or flow"):
        recipe(**changes)


def test_the_missing_package_is_named(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    family = build_text(recipe(family="text"), build_tokenizer(["city, blue"], TOKENS), ["city, blue"])
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"the package peft, .* pip install 'privaudit\[lab\]'"):
        add_lora(family, 2, 0)
