"""Cases of PixArt, SANA and Hunyuan-DiT."""

from __future__ import annotations

from math import atan2, cos, sin
from typing import Any

import torch
from family_cases_base import FLOW, TEXT, Case, Step
from pipelines_dit import save_hunyuan_dit, save_pixart, save_sana, save_sana_sprint
from torch import Tensor

from privaudit.model.target import Target

NOISE = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
PLAIN = {"prompt": "a cat", "use_resolution_binning": False, "latents": NOISE, "output_type": "latent"}
"""The sizes that these pipelines make are multiples of 8 or 32 latent positions, unless a latent is passed."""


def pixart_null(pipeline: Any) -> dict[str, Tensor]:
    length = 120 if type(pipeline).__name__ == "PixArtAlphaPipeline" else 300
    _, _, hidden, mask = pipeline.encode_prompt("cat", max_sequence_length=length)
    return {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}


def alpha_null(pipeline: Any) -> dict[str, Tensor]:
    return {
        **pixart_null(pipeline),
        "resolution": torch.tensor([[16.0, 16.0]]),
        "aspect_ratio": torch.tensor([[1.0]]),
    }


def sana_null(pipeline: Any) -> dict[str, Tensor]:
    _, _, hidden, mask = pipeline.encode_prompt("cat", complex_human_instruction=["Say more: "])
    return {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}


def sprint_null(pipeline: Any) -> dict[str, Tensor]:
    return dict(zip(("encoder_hidden_states", "encoder_attention_mask"), pipeline.encode_prompt(""), strict=True))


def untrigonometric(pipeline: Any, target: Target, step: Step) -> Step:
    """Velocity and latent of the flow, from those of the scheduler (see `privaudit.loading.families.sana`)."""
    del target
    deviation = pipeline.scheduler.config.sigma_data
    s = sin(step.time) / (cos(step.time) + sin(step.time))
    norm = (s**2 + (1 - s) ** 2) ** 0.5
    noisy = step.noisy / deviation * norm
    velocity = (step.output / deviation * norm - (1 - 2 * s) * noisy) / (1 - 2 * s + 2 * s**2)
    return Step(velocity, round(1000 * s), noisy)


def hunyuan_null(pipeline: Any) -> dict[str, Tensor]:
    null: dict[str, Tensor] = {
        "image_meta_size": torch.tensor([[16.0, 16, 16, 16, 0, 0]]),
        "style": torch.zeros(1, dtype=torch.int64),
    }
    for index, suffix in enumerate(("", "_t5")):
        _, hidden, _, mask = pipeline.encode_prompt("cat", text_encoder_index=index)
        null |= {f"encoder_hidden_states{suffix}": hidden, f"text_embedding_mask{suffix}": mask}
    return null


CASES = {
    "PixArtAlphaPipeline": Case(
        # 128 latent positions are how the pipeline recognises the model of 1024 pixels, which is told sizes.
        lambda folder: save_pixart(folder, kind="PixArtAlphaPipeline", sample_size=128),
        {**PLAIN, **TEXT, "guidance_scale": 1.0, "clean_caption": False},
        alpha_null,
        options={"resolution": (16, 16), "overrides": {"condition.size_ids": "target"}},
        insensitive=("original_size",),
        constant=("resolution", "aspect_ratio"),
    ),
    "PixArtSigmaPipeline": Case(
        save_pixart, {**PLAIN, **TEXT, "guidance_scale": 1.0, "clean_caption": False}, pixart_null
    ),
    "SanaPipeline": Case(save_sana, {**PLAIN, **FLOW, "height": 32, "width": 32, "guidance_scale": 1.0}, sana_null),
    "SanaSprintPipeline": Case(
        save_sana_sprint,
        {
            **PLAIN,
            "height": 32,
            "width": 32,
            "guidance_scale": 4.5,
            "max_timesteps": atan2(0.7, 0.3),
            "intermediate_timesteps": atan2(0.3, 0.7),
        },
        sprint_null,
        read_step=untrigonometric,
    ),
    "HunyuanDiTPipeline": Case(
        save_hunyuan_dit,
        {
            **PLAIN,
            # The pipeline counts 8 pixels per latent position, whatever its autoencoder does.
            "height": 64,
            "width": 64,
            "guidance_scale": 1.0,
            "original_size": (30, 20),
            "target_size": (16, 16),
            "crops_coords_top_left": (2, 0),
        },
        hunyuan_null,
        constant=("style",),
    ),
}
