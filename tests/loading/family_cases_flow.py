"""Cases of the contract test for the families of flow-matching transformers."""

from __future__ import annotations

from typing import Any

import diffusers
import torch
from family_cases_base import FLOW, TEXT, Case, Step, as_it_is, flux_null, unpacked
from pipelines import save_sd3
from pipelines_flow import (
    NoChecker,
    TwoSteps,
    save_aura_flow,
    save_chroma,
    save_cogview_4,
    save_cosmos_2,
    save_flux_2,
    save_flux_2_klein,
    save_flux_fill,
    save_flux_like,
    save_hidream,
    save_hunyuan_image,
    save_longcat_image,
    save_lumina_2,
    save_lumina_next,
    save_ovis_image,
    save_qwen_image,
    save_z_image,
)
from torch import Tensor

from privaudit.model.target import Target

ASKED = {"prompt": "a cat", "guidance_scale": 1.0, **TEXT, **FLOW}
LARGE = ASKED | {"height": 64, "width": 64}
"""For pipelines that take the factor of every autoencoder for 8."""
SMALL = {"resolution": (16, 16)}


def scratch(folder: Any) -> Any:
    return folder.parent / f"{folder.name} vocabulary"


def still(pipeline: Any, target: Target, step: Step) -> Step:
    """The latents are packed in 2x2 patches, and unpacked as a video of one frame."""
    output, noisy = (pipeline._unpack_latents(each, 16, 16, 2).squeeze(2) for each in (step.output, step.noisy))
    return as_it_is(pipeline, target, Step(output, step.time, noisy))


def sequence(pipeline: Any, target: Target, step: Step) -> Step:
    """The positions of the latent are one sequence."""
    shape = (-1, *target.info.latent_shape)
    output, noisy = (values.transpose(1, 2).reshape(shape) for values in (step.output, step.noisy))
    return as_it_is(pipeline, target, Step(output, step.time, noisy))


def at_its_sigma(pipeline: Any, target: Target, step: Step) -> Step:
    """The timestep is not the level: the scheduler shifts it."""
    index = pipeline.scheduler.timesteps.tolist().index(step.time)
    sigma = float(pipeline.scheduler.sigmas[index])
    assert abs(step.time - 1000 * sigma) > 100
    return as_it_is(pipeline, target, Step(step.output, 1000 * sigma, step.noisy))


def of_a_video(pipeline: Any, target: Target, step: Step) -> Step:
    """The sampler hands z_0 + s eps and a noise prediction to its scheduler; the latent is that divided by 1 + s."""
    index = pipeline.scheduler.timesteps.tolist().index(step.time)
    scale = float(pipeline.scheduler.sigmas[index])
    noisy = (step.noisy / (1 + scale)).squeeze(2)
    # eps = z + (1 - sigma) v, with 1 - sigma = 1 / (1 + s)
    velocity = (step.output.squeeze(2) - noisy) * (1 + scale)
    return as_it_is(pipeline, target, Step(velocity, 1000 * scale / (1 + scale), noisy))


def with_mask(embedded: Tensor, mask: Tensor | None, names: tuple[str, str]) -> dict[str, Tensor]:
    mask = torch.ones(embedded.shape[:2]) if mask is None else mask
    return {names[0]: embedded, names[1]: mask.bool()}


def sd3_null(pipeline: Any) -> dict[str, Tensor]:
    _, hidden, _, pooled = pipeline.encode_prompt("cat", None, None)
    return {"encoder_hidden_states": hidden, "pooled_projections": pooled}


def fill_null(pipeline: Any) -> dict[str, Tensor]:
    blank = pipeline.vae.encode(torch.zeros(1, 3, 16, 16)).latent_dist.mode()
    return flux_null(pipeline) | {"masked_image": (blank - 0.1) * 0.5}


def chroma_null(pipeline: Any) -> dict[str, Tensor]:
    encoded = pipeline.encode_prompt("cat")
    return with_mask(encoded[3], encoded[5], ("encoder_hidden_states", "attention_mask"))


def lumina_null(pipeline: Any, mask: str) -> dict[str, Tensor]:
    return with_mask(*pipeline.encode_prompt("cat")[2:], names=("encoder_hidden_states", mask))


def qwen_null(pipeline: Any) -> dict[str, Tensor]:
    return with_mask(*pipeline.encode_prompt(""), names=("encoder_hidden_states", "encoder_hidden_states_mask"))


def cogview_4_null(pipeline: Any) -> dict[str, Tensor]:
    hidden = pipeline.encode_prompt("cat")[1]
    size = torch.tensor([[16.0, 16.0]])
    sizes = {"original_size": size, "target_size": size, "crop_coords": torch.zeros(1, 2)}
    return {"encoder_hidden_states": hidden, "tokens": torch.tensor([hidden.shape[1]]), **sizes}


def hidream_null(pipeline: Any) -> dict[str, Tensor]:
    _, t5, _, llama, _, pooled = pipeline.encode_prompt("cat")
    return {
        "encoder_hidden_states_t5": t5,
        "encoder_hidden_states_llama3": llama.transpose(0, 1),
        "pooled_embeds": pooled,
    }


def hunyuan_image_null(pipeline: Any) -> dict[str, Tensor]:
    hidden, mask, glyphs, glyph_mask = pipeline.encode_prompt(None)
    return {
        **with_mask(hidden, mask, ("encoder_hidden_states", "encoder_attention_mask")),
        **with_mask(glyphs, glyph_mask, ("encoder_hidden_states_2", "encoder_attention_mask_2")),
    }


def flux_variant(name: str, **call: Any) -> Case:
    return Case(
        lambda folder: save_flux_like(folder, scratch(folder), getattr(diffusers, name)),
        ASKED | call,
        flux_null,
        pipeline=name,
        family="FluxPipeline",
        read_step=unpacked,
    )


CASES: dict[str, Case] = {
    "StableDiffusion3Pipeline with the tokens of the sampler": Case(
        lambda folder: save_sd3(folder, scratch(folder), t5=32, shift=1.0),
        ASKED,
        sd3_null,
        pipeline="StableDiffusion3Pipeline",
        options={"overrides": {"condition.text_length": 256}},
    ),
    "FluxKontextPipeline": flux_variant("FluxKontextPipeline", max_area=256),
    "FluxFillPipeline": Case(
        lambda folder: save_flux_fill(folder, scratch(folder)),
        {**ASKED, "image": torch.zeros(1, 3, 16, 16), "mask_image": torch.ones(1, 1, 16, 16)},
        fill_null,
        family="FluxPipeline",
        read_step=unpacked,
        constant=("masked_image",),
    ),
    "ChromaPipeline": Case(
        save_chroma,
        ASKED,
        chroma_null,
        options={"overrides": {"condition.mask": "added"}},
        read_step=unpacked,
    ),
    "Flux2Pipeline": Case(
        save_flux_2,
        ASKED,
        lambda pipeline: {"encoder_hidden_states": pipeline.encode_prompt("")[0]},
        read_step=sequence,
        latent_shape=(16, 4, 4),
    ),
    "Flux2KleinPipeline": Case(
        save_flux_2_klein,
        ASKED,
        lambda pipeline: {"encoder_hidden_states": pipeline.encode_prompt("")[0]},
        read_step=sequence,
        latent_shape=(16, 4, 4),
    ),
    "QwenImagePipeline": Case(
        save_qwen_image,
        {name: value for name, value in ASKED.items() if name != "guidance_scale"},
        qwen_null,
        options=SMALL,
        read_step=still,
    ),
    "OvisImagePipeline": Case(
        save_ovis_image,
        ASKED,
        lambda pipeline: {"encoder_hidden_states": pipeline.encode_prompt("cat")[1]},
        read_step=unpacked,
    ),
    "LongCatImagePipeline": Case(
        save_longcat_image,
        {**ASKED, "enable_prompt_rewrite": False},
        lambda pipeline: {"encoder_hidden_states": pipeline.encode_prompt("")[0]},
        parts={"text_processor": None},
        read_step=unpacked,
        latent_shape=(16, 8, 8),
    ),
    "ZImagePipeline": Case(
        save_z_image,
        ASKED | {"guidance_scale": 0.0},  # whose guidance is off at 0, not at 1
        lambda pipeline: with_mask(pipeline.encode_prompt("cat")[1][0][None], None, ("caption", "caption_mask")),
        options=SMALL,
    ),
    "Lumina2Pipeline": Case(save_lumina_2, LARGE, lambda pipeline: lumina_null(pipeline, "encoder_attention_mask")),
    "LuminaPipeline": Case(save_lumina_next, LARGE, lambda pipeline: lumina_null(pipeline, "encoder_mask")),
    "AuraFlowPipeline": Case(
        save_aura_flow,
        ASKED,
        lambda pipeline: {"encoder_hidden_states": pipeline.encode_prompt("cat")[2]},
        options=SMALL,
    ),
    "CogView4Pipeline": Case(
        save_cogview_4,
        {
            **{name: value for name, value in ASKED.items() if name != "sigmas"},
            # With the shift 3 these are sigma = 0.75 and 0.5.
            "timesteps": [500.0, 250.0],
            "original_size": (20, 30),
            "crops_coords_top_left": (0, 2),
        },
        cogview_4_null,
        read_step=at_its_sigma,
        constant=("target_size", "tokens"),
    ),
    "HiDreamImagePipeline": Case(
        lambda folder: save_hidream(folder, scratch(folder)), ASKED, hidream_null, options=SMALL
    ),
    "HunyuanImagePipeline": Case(
        save_hunyuan_image,
        {name: value for name, value in ASKED.items() if name != "guidance_scale"} | {"distilled_guidance_scale": 3.25},
        hunyuan_image_null,
        options=SMALL,
        constant=("encoder_hidden_states_2", "encoder_attention_mask_2"),
    ),
    "Cosmos2TextToImagePipeline": Case(
        save_cosmos_2,
        {name: value for name, value in ASKED.items() if name != "sigmas"},
        lambda pipeline: {"encoder_hidden_states": pipeline.encode_prompt("cat", "")[1]},
        options=SMALL,
        parts={"safety_checker": NoChecker(), "scheduler": TwoSteps()},
        read_step=of_a_video,
    ),
}
