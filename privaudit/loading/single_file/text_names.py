"""Weights of text encoders in single files, in the names of transformers."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

OPEN_CLIP = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)")
IN_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
FUSED = {"attn.in_proj_weight": "weight", "attn.in_proj_bias": "bias"}


def of_clip(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], component: str = "text_encoder"
) -> dict[str, Tensor]:
    """Rename the weights of a CLIP text encoder whose names are those of transformers.

    Args:
        tensors: Weights by name in the file, without the start that names the component.
        wanted: Weights of the class, by name, which tell whether it has the level ``text_model``.
        component: Name of the text encoder.

    Returns:
        Weights by name in the class.
    """
    named = {_level(name, wanted): values for name, values in tensors.items()}
    # Files of Stable Diffusion 3 leave out the projection of the first encoder, which is the identity.
    projection = wanted.get("text_projection.weight") if component == "text_encoder" else None
    if projection is not None and "text_projection.weight" not in named and projection.shape[0] == projection.shape[1]:
        named["text_projection.weight"] = torch.eye(len(projection))
    return named


def of_t5(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of a T5 encoder; its embedding has two names of which files hold one or both."""
    shared = tensors.get("shared.weight", tensors.get("encoder.embed_tokens.weight"))
    both = {} if shared is None else dict.fromkeys(("shared.weight", "encoder.embed_tokens.weight"), shared)
    return {name: values for name, values in {**tensors, **both}.items() if name in wanted or name not in both}


def of_open_clip(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of an OpenCLIP text encoder, and split its fused query, key and value.

    Stable Diffusion 2 uses the output of the last layer but one; diffusers leaves the last layer out.

    Args:
        tensors: Weights by name in the file, without the start that names the component.
        wanted: Weights of the class, by name.

    Returns:
        Weights by name in the class.
    """
    named: dict[str, Tensor] = {}
    for name, values in tensors.items():
        match = LAYER.fullmatch(name)
        if name == "text_projection":
            if "text_projection.weight" in wanted:
                named["text_projection.weight"] = values.T.contiguous()
        elif match is None:
            named[_level(OPEN_CLIP.get(name, name), wanted)] = values
        elif int(match[1]) != _layers(wanted):  # the one after the last
            named |= {_level(key, wanted): part for key, part in _of_layer(match[1], match[2], values).items()}
    return named


def _layers(wanted: Mapping[str, Tensor]) -> int:
    return sum(name.endswith(".mlp.fc1.weight") for name in wanted)


def _of_layer(number: str, name: str, values: Tensor) -> dict[str, Tensor]:
    layer = f"encoder.layers.{number}"
    if name in FUSED:
        parts = values.chunk(3)
        return {f"{layer}.self_attn.{each}_proj.{FUSED[name]}": part for each, part in zip("qkv", parts, strict=True)}
    inner, _, kind = name.rpartition(".")
    return {f"{layer}.{IN_LAYER.get(inner, inner)}.{kind}": values}


def _level(name: str, wanted: Mapping[str, Tensor]) -> str:
    inner = name.removeprefix("text_model.")
    return (
        f"text_model.{inner}"
        if any(key.startswith("text_model.") for key in wanted) and "projection" not in name
        else inner
    )
