"""Fine-tunes with a LoRA, saved as the training scripts of diffusers save it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from privaudit.errors import ConfigError
from privaudit.lab.family import Family

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""Layers that train_text_to_image_lora.py of diffusers adapts."""


@dataclass(frozen=True)
class LowRank(Family):
    """Another family whose denoiser is changed by a LoRA alone.

    Attributes:
        network: Networks of the other family, with the LoRA in its denoiser.
        inner: The other family.
        denoiser: Name of the denoiser among the networks.
    """

    network: nn.ModuleDict
    inner: Family
    denoiser: str

    def loss(self, latents: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of the other family."""
        return self.inner.loss(latents, rows, generator)

    def pipeline(self, network: nn.Module, autoencoder: Any) -> Any:  # noqa: ANN401 - diffusers' own types
        """Make the pipeline of the other family, with the LoRA in its denoiser and not merged."""
        return self.inner.pipeline(network, autoencoder)

    def trained(self, network: nn.Module) -> list[nn.Parameter]:
        """Return the factors of the LoRA."""
        return [values for name, values in network.named_parameters() if ".lora_" in name]

    def save(self, network: nn.Module, autoencoder: Any, folder: Path) -> None:  # noqa: ANN401 - a diffusers model
        """Save the LoRA alone."""
        from peft import get_peft_model_state_dict

        networks: Any = network
        layers = get_peft_model_state_dict(networks[self.denoiser])
        settings = networks[self.denoiser].peft_config["default"].to_dict()
        named = {f"{self.denoiser}_lora_layers": layers, f"{self.denoiser}_lora_adapter_metadata": settings}
        self.pipeline(network, autoencoder).save_lora_weights(folder, **named)


def add_lora(family: Family, rank: int, seed: int) -> LowRank:
    """Add a LoRA with alpha equal to its rank to the attention of a family's denoiser.

    Args:
        family: Family of a base, which is changed in place.
        rank: Rank of all layers.
        seed: Seed of the initial factors.

    Returns:
        The family that trains the LoRA.

    Raises:
        ConfigError: peft is not installed, or the family has no text encoders.
    """
    network: Any = family.network
    if not isinstance(network, nn.ModuleDict):
        raise ConfigError([
            "expected a LoRA of a target that takes text, got another family; pass --family text or flow"
        ])
    try:
        from peft import LoraConfig
    except ImportError as error:
        problem = "expected the package peft, which trains a LoRA, found none; pip install 'privaudit[lab]'"
        raise ConfigError([problem]) from error
    denoiser = "unet" if "unet" in network else "transformer"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed * 2 + 2)
        parts: Any = network[denoiser]
        parts.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(ATTENTION))
        )
    return LowRank(network, family, denoiser)
