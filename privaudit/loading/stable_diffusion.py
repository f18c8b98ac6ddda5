"""The U-Net of a latent diffusion or Stable Diffusion folder, with its text encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch

from privaudit.errors import TargetError
from privaudit.loading.components import EncoderNames, check_class, class_name, load_component, load_text_encoder
from privaudit.loading.conditioner import ClipConditioner
from privaudit.loading.denoiser import DiffusersUNet, Parts
from privaudit.model.schedule import Schedule

UNETS = ("UNet2DModel", "UNet2DConditionModel")
CLIP = EncoderNames("text_encoder", ("CLIPTextModel",), "tokenizer")


def load_unet(
    folder: Path,
    index: dict[str, Any],
    schedule: Schedule,
    prediction_type: str,
    device: torch.device,
    dtype: torch.dtype,
) -> Parts:
    """Load the U-Net of a pipeline, and its text encoder if it has one.

    Args:
        folder: Of the pipeline.
        index: Its ``model_index.json``.
        schedule: Its noise levels.
        prediction_type: What the U-Net predicts.
        device: Where it runs.
        dtype: Of its weights.

    Returns:
        Denoiser and conditioner.

    Raises:
        TargetError: They are incomplete, do not fit together, or are of a kind that is not read.
    """
    check_class(folder, index, "unet", UNETS)
    unet = load_component(folder, index, "unet", dtype).to(device).eval().requires_grad_(False)
    conditioner = _load_conditioner(folder, index, device)
    _check_conditions(unet, conditioner, folder)
    return Parts(DiffusersUNet(unet, schedule, prediction_type, dtype), conditioner)


def _load_conditioner(folder: Path, index: dict[str, Any], device: torch.device) -> ClipConditioner | None:
    if None in (class_name(index, CLIP.encoder), class_name(index, CLIP.tokenizer)):
        return None
    if class_name(index, "text_encoder_2"):
        raise TargetError(f"expected one text encoder in {folder}, found two; such pipelines are not read yet")
    found = load_text_encoder(folder, index, CLIP, device)
    return ClipConditioner(found.tokenizer, found.encoder, device)


def _check_conditions(unet: Any, conditioner: ClipConditioner | None, folder: Path) -> None:  # noqa: ANN401
    conditional = isinstance(unet, diffusers.UNet2DConditionModel)
    if conditional != (conditioner is not None):
        raise TargetError(
            f"expected text_encoder and tokenizer in {folder} exactly if its U-Net is conditional; "
            "save the whole pipeline with save_pretrained"
        )
    for key in ("class_embed_type", "num_class_embeds", "addition_embed_type"):
        if unet.config.get(key) is not None:
            raise TargetError(
                f"expected a U-Net without conditions or conditioned on text in {folder}, "
                f"got {key} = {unet.config[key]}; class labels and the like are not read yet"
            )
    if conditioner is not None:
        wanted = unet.config.get("encoder_hid_dim") or unet.config["cross_attention_dim"]
        widths = {wanted} if isinstance(wanted, int) else set(wanted)
        width = conditioner.encoder.config.hidden_size
        if widths != {width}:
            raise TargetError(
                f"expected text embeddings of width {', '.join(map(str, sorted(widths)))} for the U-Net "
                f"of {folder}, but its text encoder gives {width}; save the whole pipeline again"
            )
