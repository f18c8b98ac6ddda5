"""What a family of lab targets is: its networks, its loss and its pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPTokenizer

from privaudit.loading.components import quiet


class Family(ABC):
    """A denoiser with the networks that are trained together with it, and their loss.

    Attributes:
        network: Trained networks: the denoiser, or a `ModuleDict` of it and its text encoders.
    """

    network: nn.Module

    @abstractmethod
    def loss(self, latents: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Compute the loss of one batch.

        Args:
            latents: Clean, scaled latents, ``(n, *latent)``.
            rows: Indices of their training images, ``(n,)``.
            generator: Generator of noise, levels and dropped captions.

        Returns:
            Differentiable scalar.
        """

    def trained(self, network: nn.Module) -> list[nn.Parameter]:
        """Return the parameters that are trained, of `network` or of a copy of it; all of them by default."""
        return list(network.parameters())

    def save(self, network: nn.Module, autoencoder: Any, folder: Path) -> None:  # noqa: ANN401 - a diffusers model
        """Save what a training leaves behind: by default the pipeline.

        Args:
            network: Network shaped like `network`.
            autoencoder: Autoencoder.
            folder: Folder to write.
        """
        save_pipeline(self.pipeline(network, autoencoder), folder)

    @abstractmethod
    def pipeline(self, network: nn.Module, autoencoder: Any) -> Any:  # noqa: ANN401 - diffusers' own types
        """Make the diffusers pipeline of this family from an autoencoder and a network shaped like `network`."""


def save_pipeline(pipeline: Any, folder: Path) -> None:  # noqa: ANN401 - a diffusers pipeline
    """Save a pipeline, and each tokenizer also as ``vocab.json`` and ``merges.txt``, which older versions need."""
    with quiet():  # diffusers warns about components that are None
        pipeline.save_pretrained(folder, safe_serialization=True)
    for name, part in pipeline.components.items():
        if isinstance(part, CLIPTokenizer):
            tokenizer: Any = part
            tokenizer.backend_tokenizer.model.save(str(folder / name))
