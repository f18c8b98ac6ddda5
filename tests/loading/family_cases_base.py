"""What a case of the contract test of families is, and the cases of the first families.

Other modules ``family_cases_NAME.py`` of this folder add theirs in a dictionary ``CASES``; their pipelines are in
``pipelines_NAME.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pipelines import save_dit, save_flux, save_ldm, save_sd, save_sd3, save_sdxl
from torch import Tensor

from privaudit.model.prompt import Prompt
from privaudit.model.target import Target

TOLD = Prompt("a cat", 3, original_size=(20, 30), crop=(0, 2))
OTHERS = (Prompt("dog", 5, original_size=(16, 40), crop=(1, 7)), Prompt())
FLOW = {"sigmas": [0.7, 0.3]}
TEXT = {"height": 16, "width": 16, "output_type": "latent"}
SIZES = {"original_size": (20, 30), "crops_coords_top_left": (0, 2), "target_size": (16, 16)}


@dataclass(frozen=True)
class Step:
    """One step of a real call of a pipeline: what it hands to its scheduler.

    Attributes:
        output: Output of the network, shaped like the latent.
        time: Timestep of the scheduler; after `Case.read_step`, level of the target.
        noisy: Noisy latent, in the units of the target.
    """

    output: Tensor
    time: float
    noisy: Tensor


def as_it_is(pipeline: Any, target: Target, step: Step) -> Step:
    """The scheduler's timestep is the level."""
    del pipeline, target
    assert round(step.time) == pytest.approx(step.time, abs=1e-3)
    return replace(step, time=round(step.time))


@dataclass(frozen=True)
class Case:
    """A tiny pipeline of a family.

    Attributes:
        save: Writes it to a folder.
        call: What the pipeline is asked, for `TOLD` and without guidance; or a function of the pipeline that says it.
        null: Its own null condition, by the names of the network's parameters.
        pipeline: Its class in diffusers; the name of the case if None.
        family: The name of its family in the registry; the class of the pipeline if None.
        options: Options of `ModelSource` with which it is loaded, such as overrides.
        parts: Arguments of `from_pretrained` of the pipeline, such as components that it would miss.
        read_step: Turns what the scheduler receives into the raw output, the level and the noisy latent of the target;
            for packed latents, for times that are not levels, and for outputs whose sign the pipeline turns.
        spied: The scheduler's method that receives them.
        insensitive: Parts of a prompt that the family reads and that have no effect with these options.
        constant: Names in `null` that are the same for every prompt.
        latent_shape: Shape of a latent of the target.
        image_size: Height and width of its images.
    """

    save: Callable[[Path], Path]
    call: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]]
    null: Callable[[Any], Mapping[str, Tensor]]
    pipeline: str | None = None
    family: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    read_step: Callable[[Any, Target, Step], Step] = as_it_is
    spied: str = "step"
    insensitive: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    latent_shape: tuple[int, ...] = (4, 8, 8)
    image_size: tuple[int, int] = (16, 16)


def scratch(folder: Path) -> Path:
    return folder.parent / f"{folder.name} vocabulary"


def sdxl_null(pipeline: Any) -> dict[str, Tensor]:
    _, hidden, _, pooled = pipeline.encode_prompt("cat", do_classifier_free_guidance=True)
    return {
        "encoder_hidden_states": hidden,
        "text_embeds": pooled,
        "time_ids": torch.tensor([[16.0, 16, 0, 0, 16, 16]]),
    }


def sd3_null(pipeline: Any) -> dict[str, Tensor]:
    _, hidden, _, pooled = pipeline.encode_prompt("cat", None, None, max_sequence_length=12)
    return {"encoder_hidden_states": hidden, "pooled_projections": pooled}


def unpacked(pipeline: Any, target: Target, step: Step) -> Step:
    """The latents are packed in 2x2 patches."""
    height, width = target.info.image_size
    output, noisy = (pipeline._unpack_latents(values, height, width, 2) for values in (step.output, step.noisy))
    return as_it_is(pipeline, target, Step(output, step.time, noisy))


def flux_null(pipeline: Any) -> dict[str, Tensor]:
    return dict(zip(("encoder_hidden_states", "pooled_projections"), pipeline.encode_prompt(""), strict=False))


CASES: dict[str, Case] = {
    "LDMPipeline": Case(save_ldm, {"output_type": "pil"}, lambda pipeline: {}),
    "StableDiffusionPipeline": Case(
        lambda folder: save_sd(folder, scratch(folder)),
        {"prompt": "a cat", "guidance_scale": 1.0, **TEXT},
        lambda pipeline: {"encoder_hidden_states": pipeline.encode_prompt("cat", "cpu", 1, True)[1]},
    ),
    "StableDiffusionXLPipeline": Case(
        lambda folder: save_sdxl(folder, scratch(folder)),
        {"prompt": "a cat", "guidance_scale": 1.0, **TEXT, **SIZES},
        sdxl_null,
    ),
    "StableDiffusion3Pipeline": Case(
        lambda folder: save_sd3(folder, scratch(folder), t5=32, shift=1.0),
        {"prompt": "a cat", "guidance_scale": 1.0, "max_sequence_length": 12, **TEXT, **FLOW},
        sd3_null,
    ),
    "FluxPipeline": Case(
        lambda folder: save_flux(folder, scratch(folder)),
        {"prompt": "a cat", "guidance_scale": 1.0, **TEXT, **FLOW},
        flux_null,
        read_step=unpacked,
    ),
    "DiTPipeline": Case(
        save_dit,
        {"class_labels": [3], "guidance_scale": 1.0},
        lambda pipeline: {"class_labels": torch.tensor([1000])},
    ),
}
