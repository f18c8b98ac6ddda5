"""Random numbers that belong to an image, not to its position in a batch.

Every draw is made on the CPU and seeded by a hash of (seed, sample id, purpose). Batch size, order, device and number
of processes therefore never change it, and no global generator is read or set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def generator_for(seed: int, sample_id: str, *purpose: object) -> torch.Generator:
    """Make the generator of one image and one purpose.

    Args:
        seed: Seed of the audit.
        sample_id: Content hash of the image.
        purpose: Purpose of the draw, such as ``("noise", level, draw)``.

    Returns:
        A fresh CPU generator.
    """
    key = "\0".join(map(str, (seed, sample_id, *purpose))).encode()
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(key).digest()[:8], "little", signed=True))


def normal_for(seed: int, sample_ids: Sequence[str], shape: Sequence[int], *purpose: object) -> Tensor:
    """Draw standard normal values for each image of a batch.

    Args:
        seed: Seed of the audit.
        sample_ids: One id per image.
        shape: Shape of the draw for one image.
        purpose: Purpose of the draw.

    Returns:
        ``(n, *shape)``, float32, on the CPU.
    """
    # Explicit dtype and device: torch.set_default_dtype and set_default_device must not change a score.
    options: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}
    drawn = [torch.randn(tuple(shape), generator=generator_for(seed, key, *purpose), **options) for key in sample_ids]
    return torch.stack(drawn) if drawn else torch.empty(0, *shape, **options)
