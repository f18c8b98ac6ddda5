"""What differs between kinds of target: their networks, their loss and the pipeline that they are saved as."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn


class Family(ABC):
    """A denoiser with whatever is trained beside it, and how it is trained.

    Attributes:
        network: All that is trained: the denoiser, or a `ModuleDict` of it and its text encoders.
    """

    network: nn.Module

    @abstractmethod
    def loss(self, latents: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Give the loss of one batch.

        Args:
            latents: Clean, scaled, ``(n, *latent)``.
            rows: Which training images they are of, ``(n,)``.
            generator: Draws noise, levels and dropped captions.

        Returns:
            A scalar with a derivative.
        """

    @abstractmethod
    def pipeline(self, network: nn.Module, autoencoder: Any) -> Any:  # noqa: ANN401 - diffusers' own types
        """Put a network shaped like `network` and an autoencoder into the diffusers pipeline of this family."""
