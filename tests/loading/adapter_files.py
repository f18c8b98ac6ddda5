"""Adapter files for tests: random factors for chosen layers of a network, in the names of several tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

ENDS = {"kohya": ("lora_down.weight", "lora_up.weight"), "peft": ("lora_A.weight", "lora_B.weight")}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.1


def factors(weight: Tensor, rank: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Down and up of a linear map, or of a convolution."""
    ones = [1] * (weight.ndim - 2)
    return random(rank, *weight.shape[1:], seed=seed), random(len(weight), rank, *ones, seed=seed + 1)


def product(down: Tensor, up: Tensor) -> Tensor:
    return torch.einsum("or,r...->o...", up.flatten(1), down)


def layers(network: nn.Module, kinds: tuple[type, ...] = (nn.Linear, nn.Conv2d)) -> list[str]:
    return [path for path, each in network.named_modules() if isinstance(each, kinds)]


def lora_tensors(
    network: nn.Module,
    style: str = "peft",
    *,
    start: str = "unet.",
    ranks: tuple[int, ...] = (4,),
    alphas: tuple[float | None, ...] = (None,),
    only: tuple[type, ...] = (nn.Linear, nn.Conv2d),
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Tensors of a LoRA of every layer, and the exact change of each; ranks and alphas take turns."""
    tensors, changes = {}, {}
    for number, path in enumerate(layers(network, only)):
        weight = network.get_submodule(path).weight
        rank, alpha = ranks[number % len(ranks)], alphas[number % len(alphas)]
        down, up = factors(weight, rank, seed=number)
        name = start + (path if "." in start else path.replace(".", "_"))
        tensors |= dict(zip((f"{name}.{end}" for end in ENDS[style]), (down, up), strict=True))
        if alpha is not None:
            tensors[f"{name}.alpha"] = torch.tensor(alpha)
        changes[path] = product(down, up) * ((rank if alpha is None else alpha) / rank)
    return tensors, changes


def save(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: values.contiguous() for key, values in tensors.items()}, path, metadata)
    return path
