"""Writes a pipeline as a single-file checkpoint, in the names of the code that published its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from privaudit.loading.original.original_names import original_names

CLIP_STARTS = {
    "StableDiffusionPipeline": {"text_encoder": "cond_stage_model.transformer."},
    "StableDiffusionXLPipeline": {
        "text_encoder": "conditioner.embedders.0.transformer.",
        "text_encoder_2": "conditioner.embedders.1.model.",
    },
    "StableDiffusion3Pipeline": {
        "text_encoder": "text_encoders.clip_l.transformer.",
        "text_encoder_2": "text_encoders.clip_g.transformer.",
        "text_encoder_3": "text_encoders.t5xxl.transformer.",
    },
    "FluxPipeline": {
        "text_encoder": "text_encoders.clip_l.transformer.",
        "text_encoder_2": "text_encoders.t5xxl.transformer.",
    },
}


def original(network: nn.Module) -> dict[str, Tensor]:
    """Weights of a denoiser or autoencoder in original names."""
    state = dict(network.state_dict())
    tensors: dict[str, Tensor] = {}
    for name, places in original_names(network, ""):
        for kind in ("weight", "bias"):
            keys = [f"{place.module}.{kind}" for place in places]
            if all(key in state for key in keys):
                parts = [state.pop(key) for key in keys]
                end = "scale" if name.endswith(("query_norm", "key_norm")) else kind
                rows = places[0].rows
                if len(places) == 1 and rows is not None:  # shift and scale, the other way round
                    parts = list(parts[0].chunk(2)[::-1])
                whole = torch.cat(parts)
                if ".attn_1." in name and "norm" not in name and kind == "weight":
                    whole = whole[:, :, None, None]
                tensors[f"{name}.{end}"] = whole
    renamed = {"pos_embed.pos_embed": "pos_embed"}
    return tensors | {renamed.get(name, name): values for name, values in state.items()}


def clip(encoder: nn.Module) -> dict[str, Tensor]:
    """Weights of a CLIP text encoder as files have them, with the level ``text_model``."""
    state = encoder.state_dict()
    plain = ("text_model.", "text_projection")
    return {name if name.startswith(plain) else f"text_model.{name}": values for name, values in state.items()}


def open_clip(encoder: nn.Module) -> dict[str, Tensor]:
    """Weights of a CLIP text encoder in the names of OpenCLIP, with one more layer than is read."""
    state = {name.removeprefix("text_model."): values for name, values in encoder.state_dict().items()}
    tensors = {
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "ln_final.weight": state["final_layer_norm.weight"],
        "ln_final.bias": state["final_layer_norm.bias"],
        "logit_scale": torch.ones(()),
    }
    if "text_projection.weight" in state:
        tensors["text_projection"] = state["text_projection.weight"].T
    parts = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    parts["attn.out_proj"] = "self_attn.out_proj"
    for number in range(encoder.config.num_hidden_layers):
        layer = f"encoder.layers.{number}."
        for kind in ("weight", "bias"):
            fused = [state[f"{layer}self_attn.{each}_proj.{kind}"] for each in "qkv"]
            tensors[f"transformer.resblocks.{number}.attn.in_proj_{kind}"] = torch.cat(fused)
            for name, part in parts.items():
                tensors[f"transformer.resblocks.{number}.{name}.{kind}"] = state[f"{layer}{part}.{kind}"]
    return tensors


def write(pipeline: Any, path: Path, *, leave_out: tuple[str, ...] = (), **extra: Tensor) -> Path:
    """Save a pipeline of diffusers as a single file."""
    denoiser = "unet" if hasattr(pipeline, "unet") else "transformer"
    tensors = {f"model.diffusion_model.{key}": each for key, each in original(getattr(pipeline, denoiser)).items()}
    vae = "vae." if denoiser == "transformer" else "first_stage_model."
    tensors |= {f"{vae}{key}": each for key, each in original(pipeline.vae).items()}
    for name, start in CLIP_STARTS[type(pipeline).__name__].items():
        encoder = getattr(pipeline, name)
        if encoder is not None:
            named = open_clip if ".model." in start else dict if "t5" in start else clip
            weights = named(encoder.state_dict()) if named is dict else named(encoder)
            tensors |= {f"{start}{key}": each for key, each in weights.items()}
    tensors = {key: each for key, each in tensors.items() if not key.startswith(leave_out or ("\0",))}
    save_file({key: each.detach().clone().contiguous() for key, each in (tensors | extra).items()}, path)
    return path
