"""The transformer of a Stable Diffusion 3 folder, a flow model, with its two or three text encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from privaudit.errors import TargetError
from privaudit.loading.components import (
    EncoderNames,
    TextEncoder,
    check_class,
    class_name,
    load_component,
    load_text_encoder,
)
from privaudit.loading.conditioner import StableDiffusion3Conditioner, caption_length
from privaudit.loading.denoiser import DiffusersTransformer, Parts
from privaudit.model.schedule import Schedule

TRANSFORMERS = ("SD3Transformer2DModel",)
CLIP = tuple(
    EncoderNames(f"text_encoder{end}", ("CLIPTextModelWithProjection",), f"tokenizer{end}") for end in ("", "_2")
)
T5 = EncoderNames("text_encoder_3", ("T5EncoderModel",), "tokenizer_3", ("T5Tokenizer", "T5TokenizerFast"))


def load_transformer(
    folder: Path,
    index: dict[str, Any],
    schedule: Schedule,
    prediction_type: str,
    device: torch.device,
    dtype: torch.dtype,
) -> Parts:
    """Load the transformer of a pipeline and its text encoders, of which T5 may be missing.

    Args:
        folder: Of the pipeline.
        index: Its ``model_index.json``.
        schedule: Its noise levels.
        prediction_type: What the transformer predicts.
        device: Where it runs.
        dtype: Of its weights; the text encoders run in float32.

    Returns:
        Denoiser and conditioner.

    Raises:
        TargetError: They are incomplete, do not fit together, or are of a kind that is not read.
    """
    from diffusers import StableDiffusion3Pipeline  # slow, and warns of torchvision where that is not installed

    check_class(folder, index, "transformer", TRANSFORMERS)
    transformer = load_component(folder, index, "transformer", dtype)
    # without accelerate, diffusers leaves this class in the dtype of its files; its own to() warns at any other
    torch.nn.Module.to(transformer, device, dtype).eval().requires_grad_(False)
    _check_transformer(transformer.config, folder)
    clip = [load_text_encoder(folder, index, names, device) for names in CLIP]
    has_t5 = any(class_name(index, name) for name in (T5.encoder, T5.tokenizer))
    t5 = load_text_encoder(folder, index, T5, device) if has_t5 else TextEncoder(None, None)
    _check_widths(transformer.config, clip, t5, folder)
    pipeline = StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=None,
        vae=None,
        text_encoder=clip[0].encoder,
        tokenizer=clip[0].tokenizer,
        text_encoder_2=clip[1].encoder,
        tokenizer_2=clip[1].tokenizer,
        text_encoder_3=t5.encoder,
        tokenizer_3=t5.tokenizer,
    )
    length = min(caption_length(one.tokenizer, one.encoder) for one in clip)
    pipeline.tokenizer_max_length = length
    conditioner = StableDiffusion3Conditioner(pipeline, device, length)
    return Parts(DiffusersTransformer(transformer, schedule, prediction_type, dtype), conditioner)


def _check_transformer(config: Any, folder: Path) -> None:  # noqa: ANN401 - a diffusers configuration
    if config.out_channels not in (None, config.in_channels):
        raise TargetError(
            f"expected the transformer of {folder} to give as many channels as it takes, {config.in_channels}, "
            f"got {config.out_channels}; inpainting and the like are not read"
        )
    side, patch = config.sample_size, config.patch_size
    if side % patch or side // patch > config.pos_embed_max_size:
        raise TargetError(
            f"expected sample_size of the transformer of {folder} to be a multiple of patch_size = {patch} and at most "
            f"{config.pos_embed_max_size} patches, got {side}; copy its config.json again"
        )


def _check_widths(config: Any, clip: list[TextEncoder], t5: TextEncoder, folder: Path) -> None:  # noqa: ANN401
    width = sum(one.encoder.config.hidden_size for one in clip)
    if width > config.joint_attention_dim:  # diffusers would cut the rest off
        raise TargetError(
            f"expected text embeddings of width {config.joint_attention_dim} or less for the transformer of {folder}, "
            f"but its two CLIP encoders give {width}; save the whole pipeline again"
        )
    if t5.encoder is not None and t5.encoder.config.d_model != config.joint_attention_dim:
        raise TargetError(
            f"expected text embeddings of width {config.joint_attention_dim} for the transformer of {folder}, "
            f"but its T5 encoder gives {t5.encoder.config.d_model}; save the whole pipeline again"
        )
    pooled = sum(one.encoder.config.projection_dim for one in clip)
    if pooled != config.pooled_projection_dim:
        raise TargetError(
            f"expected pooled embeddings of width {config.pooled_projection_dim} for the transformer of {folder}, "
            f"but its CLIP encoders give {pooled}; save the whole pipeline again"
        )
