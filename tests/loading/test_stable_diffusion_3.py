from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from models import prompts
from safetensors.torch import load_file, save_file

from privaudit.errors import ConfigError, TargetError
from privaudit.loading import ModelSource, hash_folder, load_target
from privaudit.model.schedule import FlowSchedule
from privaudit.model.target import Target

Make = Callable[..., Path]
Edit = Callable[..., None]


def load(folder: Path, dtype: str = "float32") -> Target:
    return load_target(ModelSource(folder, device="cpu", dtype=dtype))


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="session")
def target(sd3_master: Path) -> Target:
    return load(sd3_master)


def diffusers_conditions(folder: Path, captions: list[str], length: int) -> tuple:
    has_t5 = (folder / "text_encoder_3").is_dir()
    parts: dict[str, Any] = {} if has_t5 else {"text_encoder_3": None, "tokenizer_3": None}
    pipeline = StableDiffusion3Pipeline.from_pretrained(folder, local_files_only=True, **parts)
    with torch.no_grad():
        hidden, _, pooled, _ = pipeline.encode_prompt(
            captions, None, None, do_classifier_free_guidance=False, max_sequence_length=length
        )
    return hidden, pooled


def test_what_is_said_about_a_flow_target(target: Target, sd3_master: Path) -> None:
    info = target.info
    assert (info.family, info.prediction_type, info.hash) == ("text-to-image", "flow", hash_folder(sd3_master))
    assert (info.latent_shape, info.image_size) == ((4, 8, 8), (16, 16))
    assert target.schedule == FlowSchedule(1000)
    found: Any = target
    for module in (found.denoiser.module, found.autoencoder.module, found.conditioner.pipeline.text_encoder_2):
        assert not module.training
        assert not any(value.requires_grad for value in module.parameters())


def test_the_levels_are_the_trainings_and_not_the_samplers(make_sd3: Make, target: Target) -> None:
    # shift warps the timesteps of the sampler; the noise at a level of the training does not move
    other = load(make_sd3(shift=1.0))
    condition = target.condition(prompts("a cat"))
    noisy = normal(1, 4, 8, 8)
    assert other.alpha_sigma(300) == target.alpha_sigma(300) == (0.7, 0.3)
    assert torch.equal(other.predict_noise(noisy, 300, condition), target.predict_noise(noisy, 300, condition))
    assert load(make_sd3(num_train_timesteps=500)).schedule == FlowSchedule(500)


def test_noise_follows_from_the_velocity_at_a_thousand_sigma(target: Target, sd3_master: Path) -> None:
    captions, noisy = ["a cat", "", "dog"], normal(3, 4, 8, 8)
    hidden, pooled = diffusers_conditions(sd3_master, captions, 12)
    network = SD3Transformer2DModel.from_pretrained(sd3_master, subfolder="transformer").eval()
    with torch.no_grad():
        velocity = network(
            hidden_states=noisy,
            timestep=torch.full((3,), 1000 * 0.3),
            encoder_hidden_states=hidden,
            pooled_projections=pooled,
        ).sample
    found = target.predict_noise(noisy, 300, target.condition(prompts(*captions)))
    torch.testing.assert_close(found, noisy + 0.7 * velocity)


@pytest.mark.parametrize("t5", [None, 32])
def test_conditions_are_those_of_diffusers(make_sd3: Make, t5: int | None) -> None:
    folder, captions = make_sd3(t5=t5), ["a cat", "", "dog"]
    hidden, pooled = diffusers_conditions(folder, captions, 12)
    condition = load(folder).condition(prompts("a cat", None, "dog"))
    assert condition is not None
    assert (condition["encoder_hidden_states"].shape, condition["encoder_hidden_states"].dtype) == (
        (3, 24, 32),
        torch.float32,
    )
    torch.testing.assert_close(condition["encoder_hidden_states"], hidden)
    torch.testing.assert_close(condition["pooled_projections"], pooled)
    last = condition["encoder_hidden_states"][:, 12:]
    assert bool((last == 0).all()) is (t5 is None)  # zeros where T5 is missing


def test_captions_change_the_prediction_and_none_is_the_empty_caption(target: Target) -> None:
    condition = target.condition(prompts("a cat", "", None, "dog"))
    noise = target.predict_noise(normal(1, 4, 8, 8).repeat(4, 1, 1, 1), 500, condition)
    torch.testing.assert_close(noise[1], noise[2], rtol=1e-4, atol=1e-5)
    for one, other in ((0, 1), (0, 3), (1, 3)):
        assert float((noise[one] - noise[other]).abs().max()) > 1e-4


def test_equal_captions_are_embedded_once(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline: Any = target.conditioner.pipeline  # type: ignore[union-attr]
    seen, encode = [], pipeline.encode_prompt

    def counted(prompt: list[str], **options: Any) -> Any:
        seen.append(prompt)
        return encode(prompt=prompt, **options)

    monkeypatch.setattr(pipeline, "encode_prompt", counted)
    condition = target.condition(prompts("cat", None, "cat", "", "cat"))
    assert seen == [["", "cat"]]
    assert condition is not None
    for values in (condition["encoder_hidden_states"], condition["pooled_projections"]):
        assert torch.equal(values[0], values[4])
        assert torch.equal(values[1], values[3])
        assert not torch.equal(values[0], values[1])


@pytest.mark.parametrize("length", [int(1e30), 7])
def test_the_length_of_a_caption_is_the_shortest(sd3: Path, edit_json: Edit, length: int) -> None:
    edit_json(sd3 / "tokenizer_2" / "tokenizer_config.json", model_max_length=length)
    condition = load(sd3).condition(prompts("cat " * 50))
    assert condition is not None
    assert condition["encoder_hidden_states"].shape == (1, 2 * min(12, length), 32)


def test_prediction_does_not_depend_on_the_batch(target: Target) -> None:
    noisy, levels = normal(4, 4, 8, 8), [0, 10, 500, 1000]
    condition = target.condition(prompts("a cat", None, "dog", "a, b"))
    assert condition is not None
    together = target.predict_noise(noisy, levels, condition)
    assert together.dtype == torch.float32
    alone = torch.cat([
        target.predict_noise(noisy[row : row + 1], level, condition.rows([row])) for row, level in enumerate(levels)
    ])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_latents_are_scaled_and_shifted(target: Target) -> None:
    images = normal(2, 3, 16, 16)
    autoencoder: Any = target.autoencoder
    with torch.no_grad():
        raw = autoencoder.module.encode(images).latent_dist.mean
    torch.testing.assert_close(target.encode(images), (raw - 0.1) * 0.5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sixteen_bits(sd3_master: Path, target: Target, dtype: str) -> None:
    short = load(sd3_master, dtype)
    assert {value.dtype for value in short.denoiser.module.parameters()} == {getattr(torch, dtype)}
    noisy, condition = normal(2, 4, 8, 8), target.condition(prompts("cat", None))
    found = short.predict_noise(noisy, 500, short.condition(prompts("cat", None)))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, target.predict_noise(noisy, 500, condition), rtol=0.1, atol=0.1)


def test_loading_leaves_the_global_generator_alone(sd3_master: Path) -> None:
    before = torch.get_rng_state()
    load(sd3_master).condition(prompts("cat"))
    assert torch.equal(before, torch.get_rng_state())


# ------------------------------------------------------------------------------- what is refused


def test_levels_and_conditions_that_do_not_exist(target: Target) -> None:
    noisy = normal(1, 4, 8, 8)
    with pytest.raises(ConfigError, match="expected a noise level from 0 to 1000 for this target, got 1001"):
        target.predict_noise(noisy, 1001, target.condition(prompts(None)))
    with pytest.raises(
        TargetError, match="expected a condition for a text-to-image model, got none; pass target.condition"
    ):
        target.predict_noise(noisy, 10, None)


def test_a_diffusion_scheduler_beside_a_transformer(sd3: Path) -> None:
    DDPMScheduler().save_pretrained(sd3 / "scheduler")
    with pytest.raises(
        TargetError, match="expected a flow-matching scheduler for StableDiffusion3Pipeline in .*, got a scheduler of"
    ):
        load(sd3)


@pytest.mark.parametrize(
    ("component", "entry", "message"),
    [
        (
            "transformer",
            ["diffusers", "FluxTransformer2DModel"],
            "expected transformer of .* to be one of SD3Transformer2DModel, got FluxTransformer2DModel",
        ),
        ("transformer", None, "expected transformer of .* to be one of SD3Transformer2DModel, got None"),
        (
            "unet",
            ["diffusers", "UNet2DModel"],
            "expected only text_encoder and .* and transformer for Stable.*, but found unet as well",
        ),
        ("text_encoder_2", None, "expected text_encoder_2 of .* CLIPTextModelWithProjection, got None"),
        ("text_encoder", ["transformers", "CLIPTextModel"], "expected text_encoder of .* got CLIPTextModel;"),
        ("tokenizer_2", None, "expected tokenizer_2 of .* got None"),
        ("tokenizer_3", ["transformers", "T5Tokenizer"], "expected text_encoder_3 of .* T5EncoderModel, got None"),
        ("text_encoder_3", ["transformers", "T5Model"], "expected text_encoder_3 of .* T5EncoderModel, got T5Model"),
    ],
)
def test_components_that_are_not_read(sd3: Path, edit_json: Edit, component: str, entry: Any, message: str) -> None:
    edit_json(sd3 / "model_index.json", **{component: entry})
    with pytest.raises(TargetError, match=message):
        load(sd3)


@pytest.mark.parametrize(
    "part",
    ["transformer/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors", "vae"],
)
def test_incomplete_weights_are_refused(sd3: Path, part: str) -> None:
    path = sd3 / part if part.endswith("safetensors") else sd3 / part / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    weights.pop(min(weights))
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(TargetError, match=f"expected all weights of {path.parent.name} in .*, but 1 are missing"):
        load(sd3)


def test_incomplete_t5_weights_are_refused(make_sd3: Make) -> None:
    folder = make_sd3(t5=32)
    path = folder / "text_encoder_3" / "model.safetensors"
    weights = load_file(path)
    weights.pop(next(name for name in weights if "layer_norm" in name))
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(TargetError, match="expected all weights of text_encoder_3 in .*, but 1 are missing"):
        load(folder)


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        ({"joint_attention_dim": 20}, "width 20 or less for the transformer, but its two CLIP encoders give 24"),
        ({"pooled_projection_dim": 24}, "pooled embeddings of width 24 .* got 12 from the text encoders"),
        ({"out_channels": 8}, "expected the transformer to have as many output as input channels, 4, got 8"),
        (
            {"in_channels": 8, "out_channels": 8},
            "expected the transformer of .* autoencoder's 4 latent channels, got 8",
        ),
        ({"sample_size": 7}, "a multiple of patch_size = 2 and at most 4 patches, got 7x7"),
        ({"sample_size": 16}, "a multiple of patch_size = 2 and at most 4 patches, got 16x16"),
    ],
)
def test_networks_that_do_not_fit(make_sd3: Make, transformer: dict, message: str) -> None:
    folder = make_sd3(transformer=transformer)
    with pytest.raises(TargetError, match=message):
        load(folder)


def test_t5_of_another_width(make_sd3: Make) -> None:
    with pytest.raises(TargetError, match="text embeddings of T5 of width 32 for the denoiser, got 24"):
        load(make_sd3(t5=24))


def test_a_tokenizer_without_words(sd3: Path) -> None:
    for path in (sd3 / "tokenizer_2").iterdir():
        path.unlink()
    with pytest.raises(TargetError, match=r"expected tokenizer\.json or vocab\.json in .*tokenizer_2, found neither"):
        load(sd3)
