"""Cheap decoders: linear with given singular values, and curved."""

from __future__ import annotations

import pytest
import torch
from models import IMAGE, random_normal


def _with_spectrum(singular, pixels=192, dtype=torch.float64, seed=0):
    """D(z) = U diag(singular) V^T z, U and V random."""
    singular = torch.as_tensor(singular, dtype=torch.float64)
    left = torch.linalg.qr(random_normal(pixels, len(singular), seed=seed, dtype=torch.float64))[0]
    right = torch.linalg.qr(random_normal(len(singular), len(singular), seed=seed + 1, dtype=torch.float64))[0]
    matrix = (left * singular @ right.T).to(dtype)
    shape = IMAGE if pixels == 192 else (pixels,)
    return lambda z: (z.flatten(1) @ matrix.T).view(-1, *shape)


@pytest.fixture(scope="session")
def with_spectrum():
    return _with_spectrum


@pytest.fixture(scope="session")
def curved():
    """Has another Jacobian at every latent, and compiles faster than a real decoder."""
    matrix = random_normal(192, 32, seed=7, dtype=torch.float64)
    return lambda z: torch.tanh(0.2 * z.flatten(1) @ matrix.T).view(-1, *IMAGE)
