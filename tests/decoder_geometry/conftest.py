"""A real decoder in float64 with its Jacobian by reverse mode, element by element."""

from __future__ import annotations

import pytest
import torch
from models import random_normal, small_autoencoder
from reference import jacobian


@pytest.fixture(scope="session")
def decoder():
    """The decoder of a real AutoencoderKL (convolution, group norm, attention, upsampling), in float64."""
    model = small_autoencoder().double()
    return lambda latents: model.decode(latents).sample


@pytest.fixture(scope="session")
def latents():
    return random_normal(3, 2, 4, 4, seed=3, dtype=torch.float64)


@pytest.fixture(scope="session")
def reference_jacobian(decoder, latents):
    """``(3, 192, 32)``."""
    return torch.stack([jacobian(decoder, latent) for latent in latents])


@pytest.fixture(scope="session")
def exact(reference_jacobian, latents):
    """G_ii, shaped like the latents."""
    return reference_jacobian.square().sum(dim=1).view(latents.shape)
