"""Cases of the contract test: families with a U-Net."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import EDMDPMSolverMultistepScheduler, LCMScheduler
from family_cases_base import SIZES, TEXT, Case, Step, as_it_is, sdxl_null
from pipelines import save_ldm, tiny_autoencoder
from pipelines_unet import (
    SCHEDULE,
    save_child,
    save_kandinsky3,
    save_kolors,
    save_refiner,
    save_text_ldm,
    tiny_asymmetric_autoencoder,
    tiny_taesd,
)
from torch import Tensor

from privaudit.model.target import Target

BLANK = torch.zeros(1, 3, 16, 16)
MASK = torch.ones(1, 1, 16, 16)
CAPTION = {"prompt": "a cat", "guidance_scale": 1.0}
IMAGE = {**CAPTION, "image": BLANK, "strength": 1.0, "output_type": "latent"}
REFINED = {**IMAGE, "strength": 0.15, "num_inference_steps": 20}
INSTRUCTION = {**CAPTION, "image": torch.zeros(1, 4, 8, 8), "image_guidance_scale": 1.0, "output_type": "latent"}
SQUARE = torch.tensor([[16.0, 16, 0, 0, 16, 16]])
XL = {"original_size": (20, 30), "crops_coords_top_left": (0, 2)}


def sd_null(pipeline: Any) -> dict[str, Tensor]:
    return {"encoder_hidden_states": pipeline.encode_prompt("cat", "cpu", 1, True)[1]}


def blank_latent(pipeline: Any) -> Tensor:
    with torch.no_grad():
        return pipeline.vae.encode(BLANK).latent_dist.mode() * pipeline.vae.config.scaling_factor


def masked_call(pipeline: Any) -> dict[str, Any]:
    return {**IMAGE, "mask_image": MASK, "masked_image_latents": blank_latent(pipeline)}


def masked(pipeline: Any) -> dict[str, Tensor]:
    return {"masked": torch.cat([torch.ones(1, 1, 8, 8), blank_latent(pipeline)], dim=1)}


def with_guidance(pipeline: Any) -> dict[str, Tensor]:
    return {"timestep_cond": pipeline.get_guidance_scale_embedding(torch.tensor([7.5]), embedding_dim=8)}


def refiner_null(pipeline: Any) -> dict[str, Tensor]:
    return {**sdxl_null(pipeline), "time_ids": torch.tensor([[16.0, 16, 0, 0, 6]])}


def preconditioned(pipeline: Any, target: Target, step: Step) -> Step:
    """The scheduler of EDM adds noise of scale s to the latent; its timestep is log(s) / 4."""
    scale = math.exp(4 * step.time)
    levels = range(target.schedule.last + 1)
    ratios = [sigma / alpha for alpha, sigma in map(target.alpha_sigma, levels)]
    level = min(levels, key=lambda each: abs(math.log(ratios[each] / scale)))
    assert math.isclose(ratios[level], scale, rel_tol=1e-3)
    return Step(step.output, level, step.noisy / math.hypot(1, scale))


def variance_preserving(pipeline: Any, target: Target, step: Step) -> Step:
    """The schedulers of Euler and Heun add noise of scale s to the latent; their timestep is the level."""
    alpha, _ = target.alpha_sigma(round(step.time))
    return as_it_is(pipeline, target, Step(step.output, step.time, step.noisy * alpha))


def labelled_call(pipeline: Any) -> Mapping[str, Any]:
    """The pipeline does not pass a label to its network: a hook does."""
    labels = {"class_labels": torch.tensor([3])}
    pipeline.unet.register_forward_pre_hook(lambda unet, args, kwargs: (args, kwargs | labels), with_kwargs=True)
    return {"output_type": "pil"}


def kandinsky_null(pipeline: Any) -> dict[str, Tensor]:
    _, hidden, _, mask = pipeline.encode_prompt("cat")
    return {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}


def save_lcm(folder: Path) -> Path:
    scheduler = LCMScheduler(**SCHEDULE)
    return save_child(folder, "LatentConsistencyModelPipeline", unet={"time_cond_proj_dim": 8}, scheduler=scheduler)


def save_playground(folder: Path) -> Path:
    return save_child(
        folder,
        "StableDiffusionXLPipeline",
        xl=True,
        vae=tiny_autoencoder(latents_mean=[0.1, 0.2, 0.3, 0.4], latents_std=[1.0, 2.0, 3.0, 4.0]),
        scheduler=EDMDPMSolverMultistepScheduler(sigma_max=80.0, sigma_data=0.5),
    )


CASES: dict[str, Case] = {
    "LatentConsistencyModelPipeline": Case(
        save_lcm,
        {"prompt": "a cat", "guidance_scale": 8.5, **TEXT},
        lambda pipeline: sd_null(pipeline) | with_guidance(pipeline),
        family="StableDiffusionPipeline",
        constant=("timestep_cond",),
    ),
    "StableDiffusionImg2ImgPipeline": Case(
        lambda folder: save_child(folder, "StableDiffusionImg2ImgPipeline"),
        IMAGE,
        sd_null,
        family="StableDiffusionPipeline",
    ),
    "StableDiffusionInpaintPipeline": Case(
        lambda folder: save_child(folder, "StableDiffusionInpaintPipeline", unet={"in_channels": 9}),
        masked_call,
        lambda pipeline: sd_null(pipeline) | masked(pipeline),
        constant=("masked",),
    ),
    "an inpainting pipeline whose network sees no mask": Case(
        lambda folder: save_child(folder, "StableDiffusionInpaintPipeline"),
        masked_call,
        sd_null,
        pipeline="StableDiffusionInpaintPipeline",
    ),
    "StableDiffusionInstructPix2PixPipeline": Case(
        lambda folder: save_child(folder, "StableDiffusionInstructPix2PixPipeline", unet={"in_channels": 8}),
        INSTRUCTION,
        lambda pipeline: {"encoder_hidden_states": pipeline._encode_prompt("", "cpu", 1, False)},
    ),
    "an autoencoder with a larger decoder": Case(
        lambda folder: save_child(folder, "StableDiffusionPipeline", vae=tiny_asymmetric_autoencoder()),
        {**CAPTION, **TEXT},
        sd_null,
        pipeline="StableDiffusionPipeline",
    ),
    "the tiny autoencoder": Case(
        lambda folder: save_child(folder, "StableDiffusionPipeline", vae=tiny_taesd()),
        {**CAPTION, **TEXT},
        sd_null,
        pipeline="StableDiffusionPipeline",
    ),
    "a distilled XL network": Case(
        lambda folder: save_child(folder, "StableDiffusionXLPipeline", xl=True, unet={"time_cond_proj_dim": 8}),
        {"prompt": "a cat", "guidance_scale": 8.5, **TEXT, **SIZES},
        lambda pipeline: sdxl_null(pipeline) | with_guidance(pipeline),
        pipeline="StableDiffusionXLPipeline",
        constant=("timestep_cond",),
    ),
    "Playground 2.5": Case(
        save_playground,
        {**CAPTION, **TEXT, **SIZES},
        sdxl_null,
        pipeline="StableDiffusionXLPipeline",
        read_step=preconditioned,
    ),
    "StableDiffusionXLImg2ImgPipeline": Case(
        lambda folder: save_child(folder, "StableDiffusionXLImg2ImgPipeline", xl=True),
        {**IMAGE, **SIZES},
        sdxl_null,
    ),
    "the refiner of XL": Case(
        save_refiner,
        {**REFINED, **XL},
        refiner_null,
        pipeline="StableDiffusionXLImg2ImgPipeline",
    ),
    "StableDiffusionXLInpaintPipeline": Case(
        lambda folder: save_child(folder, "StableDiffusionXLInpaintPipeline", xl=True, unet={"in_channels": 9}),
        lambda pipeline: masked_call(pipeline) | SIZES,
        lambda pipeline: sdxl_null(pipeline) | masked(pipeline),
        constant=("masked",),
    ),
    "StableDiffusionXLInstructPix2PixPipeline": Case(
        lambda folder: save_child(folder, "StableDiffusionXLInstructPix2PixPipeline", xl=True, unet={"in_channels": 8}),
        {**INSTRUCTION, **TEXT, **SIZES},
        sdxl_null,
    ),
    "latent diffusion with class labels": Case(
        lambda folder: save_ldm(folder, unet={"num_class_embeds": 10}),
        labelled_call,
        lambda pipeline: {"class_labels": torch.tensor([9])},
        pipeline="LDMPipeline",
        options={"overrides": {"condition.null_class": 9}},
    ),
    "KolorsPipeline": Case(
        save_kolors,
        {**CAPTION, **TEXT, **SIZES},
        lambda pipeline: dict(
            zip(
                ("encoder_hidden_states", "text_embeds", "time_ids"),
                (*pipeline.encode_prompt("", do_classifier_free_guidance=False)[::2], SQUARE),
                strict=True,
            )
        ),
        read_step=variance_preserving,
    ),
    "LDMTextToImagePipeline": Case(
        save_text_ldm,
        {**CAPTION, "height": 64, "width": 64, "output_type": "np"},
        lambda pipeline: {
            "encoder_hidden_states": pipeline.bert(
                pipeline.tokenizer("", padding="max_length", max_length=77, return_tensors="pt").input_ids
            )[0]
        },
    ),
    "Kandinsky3Pipeline": Case(
        save_kandinsky3,
        {**CAPTION, "height": 64, "width": 64, "output_type": "latent"},
        kandinsky_null,
        options={"resolution": (16, 16)},
    ),
}
