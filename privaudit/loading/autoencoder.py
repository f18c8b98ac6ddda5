"""A diffusers autoencoder in the denoiser's scaled units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class DiffusersAutoencoder:
    """`AutoencoderKL` or `VQModel`, with the scale and shift of its configuration.

    scaled = (raw - shift) * scale, where scale and shift come from ``scaling_factor`` and
    ``shift_factor``, or per channel from ``latents_std`` and ``latents_mean``.

    Attributes:
        module: The diffusers module, in eval mode, on its device.
        scale: Scalar, or ``(channels, 1, 1)``.
        shift: Scalar, or ``(channels, 1, 1)``.
        dtype: Of its weights.
    """

    module: Any
    scale: Tensor
    shift: Tensor
    dtype: torch.dtype

    def encode(self, images: Tensor) -> Tensor:
        """Encode to scaled latents: the posterior mean, or a VQ model's latent before quantisation."""
        encoded: Any = self.module.encode(images.to(self.dtype))
        raw = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
        scaled: Tensor = (raw.float() - self.shift) * self.scale
        return scaled

    def decode(self, latents: Tensor) -> Tensor:
        """Decode scaled latents; a VQ model quantises, and its derivative is the straight-through one."""
        raw = latents.float() / self.scale + self.shift
        decoded: Tensor = self.module.decode(raw.to(self.dtype)).sample.float()
        return decoded


def wrap_autoencoder(module: Any, device: torch.device, dtype: torch.dtype) -> DiffusersAutoencoder:  # noqa: ANN401 - a diffusers model
    """Freeze an autoencoder and read its scale and shift.

    Args:
        module: A diffusers `AutoencoderKL` or `VQModel`.
        device: Where to run it.
        dtype: Of the run; ignored where the configuration asks for float32 (``force_upcast``).

    Returns:
        The autoencoder in eval mode, tiling and slicing off.
    """
    config: Any = module.config
    dtype = torch.float32 if config.get("force_upcast", False) else dtype
    for switch in ("disable_tiling", "disable_slicing"):
        if hasattr(module, switch):
            getattr(module, switch)()
    module = module.to(device).eval().requires_grad_(False)
    module = module if dtype == torch.float32 else module.to(dtype)  # loaded as float32
    mean, deviation = config.get("latents_mean"), config.get("latents_std")
    factor = config.get("scaling_factor")
    scale = torch.tensor(1.0 if factor is None else float(factor))
    if deviation is not None:
        scale = scale / torch.tensor(deviation, dtype=torch.float32).view(-1, 1, 1)
    if mean is not None:
        shift = torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1)
    else:
        shift = torch.tensor(float(config.get("shift_factor") or 0.0))
    return DiffusersAutoencoder(module, scale.to(device), shift.to(device), dtype)
