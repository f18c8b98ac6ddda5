"""Families with a U-Net: schedulers, guidance that is told, masks, levels of a refiner, class labels, MoVQ."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers.pipelines.kolors import tokenizer as kolors_tokenizer
from pipelines import save_ldm, save_sd, save_sdxl, tiny_conditional_unet
from pipelines_unet import (
    NEEDS_SENTENCEPIECE,
    SCHEDULE,
    save_child,
    save_kandinsky3,
    save_kolors,
    save_refiner,
    save_text_ldm,
)
from torch import Tensor

from privaudit.errors import ConfigError, TargetError
from privaudit.loading import ModelSource, load_autoencoder, load_target
from privaudit.loading.heads import noise_from_output
from privaudit.model.prompt import Prompt
from privaudit.model.schedule import DiffusionSchedule, FlowSchedule
from privaudit.model.target import Target

CAPTION = Prompt("a cat")


def load(folder: Path, resolution: tuple[int, int] | None = None, **overrides: Any) -> Target:
    source = ModelSource(folder, device="cpu", overrides={f"condition.{key}": v for key, v in overrides.items()})
    return load_target(ModelSource(**{**vars(source), "resolution": resolution}))


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


# ------------------------------------------------------------------------------- schedulers

FLOW_SIGMAS = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}
SCHEDULERS = {
    "DDPMScheduler": SCHEDULE,
    "DDIMScheduler": SCHEDULE,
    "PNDMScheduler": {**SCHEDULE, "skip_prk_steps": True},
    "LCMScheduler": SCHEDULE,
    "TCDScheduler": SCHEDULE,
    "EulerDiscreteScheduler": {**SCHEDULE, "timestep_spacing": "leading"},
    "EulerAncestralDiscreteScheduler": {**SCHEDULE, "timestep_spacing": "leading"},
    "HeunDiscreteScheduler": {**SCHEDULE, "timestep_spacing": "leading"},
    "LMSDiscreteScheduler": {**SCHEDULE, "timestep_spacing": "leading"},
    "KDPM2DiscreteScheduler": {**SCHEDULE, "timestep_spacing": "leading"},
    "UniPCMultistepScheduler": SCHEDULE,
    "DPMSolverMultistepScheduler": SCHEDULE,
    "DPMSolverMultistepScheduler with Karras sigmas": {**SCHEDULE, "use_karras_sigmas": True},
    "DEISMultistepScheduler": SCHEDULE,
    "UniPCMultistepScheduler of flows": FLOW_SIGMAS,
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_network_is_told_what_each_scheduler_tells_it(tmp_path: Path, name: str) -> None:
    scheduler = getattr(diffusers, name.split(" ")[0])(**SCHEDULERS[name])
    folder = save_child(tmp_path / "model", "StableDiffusionPipeline", scheduler=scheduler)
    target = load(folder)
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    calls = []
    pipeline.unet.register_forward_hook(lambda unet, inputs, output: calls.append((*inputs, output[0])))
    pipeline("a cat", guidance_scale=1.0, num_inference_steps=4, height=16, width=16, output_type="latent")
    checked = 0
    for noisy, timestep, output in calls:
        if float(timestep) != round(float(timestep)):
            continue  # between two levels of the training
        level = int(timestep)
        wanted = noise_from_output(target.info.prediction_type, output, noisy, *target.alpha_sigma(level))
        actual = target.predict_noise(noisy, level, target.condition([CAPTION]))
        torch.testing.assert_close(actual, wanted, rtol=1e-5, atol=1e-5)
        checked += 1
    assert checked >= 2


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "HeunDiscreteScheduler", "LMSDiscreteScheduler"])
def test_the_noise_of_a_scheduler_is_that_of_the_level(tmp_path: Path, name: str) -> None:
    """The input of the network is alpha z + sigma eps with the alpha and sigma of the level it is told."""
    scheduler = getattr(diffusers, name)(**SCHEDULERS[name])
    target = load(save_child(tmp_path / "model", "StableDiffusionPipeline", scheduler=scheduler))
    scheduler.set_timesteps(10)
    for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
        scheduler._step_index = None
        scaled = scheduler.scale_model_input(torch.ones(1), timestep)
        alpha, noise = target.alpha_sigma(int(timestep))
        assert (float(scaled), float(scaled * sigma)) == pytest.approx((alpha, noise), rel=1e-4)


def test_instaflow_as_published_needs_to_be_named(tmp_path: Path) -> None:
    folder = save_child(tmp_path / "model", "StableDiffusionPipeline", scheduler=diffusers.PNDMScheduler(**SCHEDULE))
    source = ModelSource(folder, device="cpu", overrides={"scheduler.prediction_type": "reversed_flow"})
    target = load_target(source)
    assert target.info.prediction_type == "reversed_flow"
    assert isinstance(target.schedule, FlowSchedule)
    assert load(folder).info.prediction_type == "epsilon"
    seen: list[Tensor] = []
    target.denoiser.module.register_forward_hook(lambda unet, inputs, output: seen.extend([*inputs, output[0]]))
    noisy = normal(1, 4, 8, 8)
    noise = target.predict_noise(noisy, 700, target.condition([CAPTION]))
    assert torch.equal(seen[0], noisy)
    assert float(seen[1]) == 700
    # The network says z_0 - eps, and noisy is .3 z_0 + .7 eps.
    torch.testing.assert_close(noise, noisy - 0.3 * seen[2])


def test_a_flow_that_was_saved_as_one(tmp_path: Path) -> None:
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    target = load(save_child(tmp_path / "model", "StableDiffusionPipeline", scheduler=scheduler))
    assert target.info.prediction_type == "flow"
    seen: list[Tensor] = []
    target.denoiser.module.register_forward_hook(lambda unet, inputs, output: seen.extend([*inputs, output[0]]))
    noisy = normal(1, 4, 8, 8)
    noise = target.predict_noise(noisy, 700, target.condition([CAPTION]))
    assert float(seen[1]) == 700
    # The network says eps - z_0.
    torch.testing.assert_close(noise, noisy + 0.3 * seen[2])


# ------------------------------------------------------------------------------- guidance that a network is told


@pytest.mark.parametrize("kind", ["LatentConsistencyModelPipeline", "StableDiffusionPipeline"])
def test_the_guidance_scale_is_the_users(tmp_path: Path, kind: str) -> None:
    folder = save_child(tmp_path / "model", kind, unet={"time_cond_proj_dim": 8})
    pipeline = getattr(diffusers, kind).from_pretrained(folder, local_files_only=True)
    for scale, target in ((8.5, load(folder)), (3.0, load(folder, guidance=3.0)), (1.0, load(folder, guidance=1))):
        wanted = pipeline.get_guidance_scale_embedding(torch.tensor([scale - 1]), embedding_dim=8)
        condition = target.condition([CAPTION])
        assert condition is not None
        torch.testing.assert_close(condition["timestep_cond"], wanted)


@pytest.mark.parametrize("save", [save_sd, save_sdxl])
def test_guidance_that_a_network_is_not_told_is_refused(tmp_path: Path, save: Any) -> None:
    folder = save(tmp_path / "model", tmp_path / "vocabulary")
    with pytest.raises(
        TargetError, match=r"no condition\.guidance for a U-Net that is not told a guidance scale, got 3"
    ):
        load(folder, guidance=3.0)
    with pytest.raises(ConfigError, match="expected condition.guidance.* for .*, got condition.strength"):
        load(folder, strength=3.0)


@pytest.mark.parametrize(
    ("kind", "xl"),
    [("StableDiffusionInstructPix2PixPipeline", False), ("StableDiffusionXLInstructPix2PixPipeline", True)],
)
def test_pipelines_that_never_tell_a_guidance_scale(tmp_path: Path, kind: str, xl: bool) -> None:
    folder = save_child(tmp_path / "model", kind, xl=xl, unet={"in_channels": 8, "time_cond_proj_dim": 8})
    with pytest.raises(TargetError, match="not told a guidance scale for this pipeline, got time_cond_proj_dim = 8"):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"attention_type": "gated"},
            "got attention_type = gated; other conditions, such as image embeddings or boxes",
        ),
        (
            {"encoder_hid_dim": 16, "encoder_hid_dim_type": "image_proj"},
            "got encoder_hid_dim_type = image_proj; other conditions",
        ),
    ],
)
def test_conditions_that_would_be_ignored_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        load(save_child(tmp_path / "model", "StableDiffusionPipeline", unet=changes))


# ------------------------------------------------------------------------------- masks and images to edit


def test_an_inpainting_network_sees_the_blank_image_at_the_users_resolution(tmp_path: Path) -> None:
    folder = save_child(tmp_path / "model", "StableDiffusionInpaintPipeline", unet={"in_channels": 9})
    target = load(folder, resolution=(16, 24))
    condition = target.condition([CAPTION, Prompt()])
    assert condition is not None
    assert condition["masked"].shape == (2, 5, 8, 12)
    blank = target.autoencoder.encode(torch.zeros(1, 3, 16, 24))
    torch.testing.assert_close(condition["masked"][1:, 1:], blank)
    assert torch.equal(condition["masked"][:, 0], torch.ones(2, 8, 12))
    target.predict_noise(normal(2, 4, 8, 12), 500, condition)


@pytest.mark.parametrize(
    ("kind", "channels", "expected"),
    [
        ("StableDiffusionPipeline", 9, "4 latent channels, got 9; inpainting and concatenated conditions are not"),
        ("StableDiffusionInpaintPipeline", 8, "4 latent channels in 4 or 9, got 8"),
        ("StableDiffusionInstructPix2PixPipeline", 4, "4 latent channels in 8, got 4"),
    ],
)
def test_other_channels_are_refused(tmp_path: Path, kind: str, channels: int, expected: str) -> None:
    folder = save_child(tmp_path / "model", "StableDiffusionPipeline", unet={"in_channels": channels})
    index = folder / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"_class_name": kind}))
    with pytest.raises(TargetError, match=expected):
        load(folder)


# ------------------------------------------------------------------------------- XL


def test_the_size_that_xl_is_told_is_the_users_resolution(tmp_path: Path) -> None:
    folder = save_sdxl(tmp_path / "model", tmp_path / "vocabulary")
    condition = load(folder, resolution=(16, 24)).condition([Prompt("a cat", original_size=(99, 77)), Prompt()])
    assert condition is not None
    assert condition["time_ids"].tolist() == [[99, 77, 0, 0, 16, 24], [16, 24, 0, 0, 16, 24]]


def test_the_refiner_is_asked_only_at_the_levels_of_its_training(tmp_path: Path) -> None:
    folder = save_refiner(tmp_path / "model")
    target = load(folder)
    assert target.schedule.last == 199
    with pytest.raises(ConfigError, match="expected a noise level from 0 to 199 for this target, got 200"):
        target.predict_noise(normal(1, 4, 8, 8), 200, target.condition([CAPTION]))
    with pytest.raises(ConfigError, match=r"expected condition\.levels from 1 to 1000, got 0"):
        load(folder, levels=0)
    tuned = load(folder, levels=1000, aesthetic_score=7)
    assert isinstance(tuned.schedule, DiffusionSchedule)
    assert tuned.schedule.last == 999
    assert target.alpha_sigma(150) == tuned.alpha_sigma(150)
    condition = tuned.condition([CAPTION])
    assert condition is not None
    assert condition["time_ids"].tolist() == [[16, 16, 0, 0, 7]]


def test_a_refiner_that_was_saved_as_a_base_is_refused(tmp_path: Path, edit_json: Any) -> None:
    folder = save_refiner(tmp_path / "model")
    edit_json(folder / "model_index.json", requires_aesthetics_score=False)
    with pytest.raises(TargetError, match="expected text_encoder of .* to be one of CLIPTextModel, got None"):
        load(folder)


def test_xl_needs_sizes(tmp_path: Path) -> None:
    folder = save_sdxl(tmp_path / "model", tmp_path / "vocabulary")
    tiny_conditional_unet(cross_attention_dim=32).save_pretrained(folder / "unet")
    with pytest.raises(TargetError, match="expected addition_embed_type text_time of the U-Net, got None"):
        load(folder)


def test_kolors_without_sentencepiece_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_kolors(tmp_path / "model")
    monkeypatch.setattr(kolors_tokenizer, "SPTokenizer", NEEDS_SENTENCEPIECE)
    monkeypatch.setattr(kolors_tokenizer, "is_sentencepiece_available", lambda: False)
    with pytest.raises(TargetError, match="cannot load tokenizer .* needs a package .* sentencepiece.*; install it"):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_hid_dim": 24}, "text embeddings of width 24 for the denoiser, got 16"),
        ({"projection_class_embeddings_input_dim": 32}, "pooled embeddings of width 8 for the denoiser, got 16"),
    ],
)
def test_a_kolors_whose_parts_do_not_fit(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        load(save_kolors(tmp_path / "model", **changes))


# ------------------------------------------------------------------------------- latent diffusion of classes and text


def test_a_class_conditional_network_has_no_null_class_unless_it_is_named(tmp_path: Path) -> None:
    folder = save_ldm(tmp_path / "model", unet={"num_class_embeds": 10})
    target = load(folder)
    assert target.info.family == "class-conditional"
    condition = target.condition([Prompt(class_label=3)])
    assert condition is not None
    assert condition["class_labels"].tolist() == [3]
    with pytest.raises(TargetError, match="expected a class label for every image, .* condition.null_class=N"):
        target.condition([Prompt(class_label=3), Prompt()])
    with pytest.raises(TargetError, match="expected class labels from 0 to 9 for this target, got 10; check the"):
        target.condition([Prompt(class_label=10)])
    named = load(folder, null_class=9).condition([Prompt(class_label=3), Prompt()])
    assert named is not None
    assert named["class_labels"].tolist() == [3, 9]
    with pytest.raises(TargetError, match=r"expected condition\.null_class from 0 to 9, got 10"):
        load(folder, null_class=10)


def test_a_text_encoder_of_few_positions_is_refused(tmp_path: Path, edit_json: Any) -> None:
    folder = save_text_ldm(tmp_path / "model")
    edit_json(folder / "unet" / "config.json", num_class_embeds=None)
    encoder = diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion.LDMBertModel.from_pretrained(
        folder / "bert"
    )
    encoder.config.max_position_embeddings = 60
    encoder.model.embed_positions = torch.nn.Embedding(60, 16)
    encoder.save_pretrained(folder / "bert")
    with pytest.raises(TargetError, match="expected a text encoder of 77 positions, got 60"):
        load(folder)


# ------------------------------------------------------------------------------- Kandinsky 3


def test_kandinsky_was_trained_for_1024_pixels(tmp_path: Path) -> None:
    info = load(save_kandinsky3(tmp_path / "model")).info
    assert (info.image_size, info.latent_shape) == ((1024, 1024), (4, 512, 512))


def test_the_latents_of_movq_are_used_as_they_are(tmp_path: Path) -> None:
    folder = save_kandinsky3(tmp_path / "model")
    pipeline = diffusers.Kandinsky3Pipeline.from_pretrained(folder, local_files_only=True)
    images, latents = normal(2, 3, 16, 16), normal(2, 4, 8, 8)
    for autoencoder in (load(folder, resolution=(16, 16)).autoencoder, load_autoencoder(ModelSource(folder, "cpu"))):
        with torch.no_grad():
            encoded, decoded = pipeline.movq.encode(images).latents, pipeline.movq.decode(latents, True).sample
            torch.testing.assert_close(autoencoder.encode(images), encoded)
            torch.testing.assert_close(autoencoder.decode(latents), decoded)


def test_a_side_that_kandinsky_cannot_halve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="expected a resolution of multiples of 4 for this U-Net, got 16x18"):
        load(save_kandinsky3(tmp_path / "model"), resolution=(16, 18))


def test_kandinsky_asks_each_prompt_as_if_it_were_alone(tmp_path: Path) -> None:
    target = load(save_kandinsky3(tmp_path / "model"), resolution=(16, 16))
    noisy, prompts = normal(3, 4, 8, 8), [CAPTION, Prompt("a dog, a cat, a fox"), Prompt()]
    together = target.predict_noise(noisy, 500, target.condition(prompts))
    for row, prompt in enumerate(prompts):
        alone = target.predict_noise(noisy[row : row + 1], 500, target.condition([prompt]))
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-4, atol=1e-5)


def test_kandinsky_of_other_widths_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="text embeddings of T5 of width 24 for the denoiser, got 32 from"):
        load(save_kandinsky3(tmp_path / "model", encoder_hid_dim=24), resolution=(16, 16))


# ------------------------------------------------------------------------------- other classes


def test_a_pipeline_class_of_the_users_own_is_read_by_its_components(sd: Path, edit_json: Any) -> None:
    wanted = load(sd).predict_noise(normal(1, 4, 8, 8), 10, load(sd).condition([CAPTION]))
    edit_json(sd / "model_index.json", _class_name=["pipeline", "MyPipeline"])
    (sd / "pipeline.py").write_text("raise SystemExit('code of the folder was run')")
    actual = load(sd).predict_noise(normal(1, 4, 8, 8), 10, load(sd).condition([CAPTION]))
    assert torch.equal(actual, wanted)


def test_an_export_to_onnx_is_named(sd: Path, edit_json: Any) -> None:
    edit_json(sd / "model_index.json", unet=["diffusers", "OnnxRuntimeModel"])
    with pytest.raises(TargetError, match="unet hold networks exported to ONNX, which have no derivatives; pass the"):
        load(sd)


def test_a_controlnet_is_refused_by_name(sd: Path, edit_json: Any) -> None:
    edit_json(sd / "model_index.json", _class_name="StableDiffusionControlNetPipeline")
    shutil.copytree(sd / "unet", sd / "controlnet")
    with pytest.raises(
        TargetError, match="StableDiffusionControlNetPipeline was trained with a control image for every"
    ):
        load(sd)
