"""What a family of lab targets is: its networks, its loss and its pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn


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

    @abstractmethod
    def pipeline(self, network: nn.Module, autoencoder: Any) -> Any:  # noqa: ANN401 - diffusers' own types
        """Make the diffusers pipeline of this family from an autoencoder and a network shaped like `network`."""
