"""Scale and shift between the latents of an autoencoder and those of the denoiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class LatentUnits:
    """scaled = (raw - shift) * scale, for any number of axes.

    Attributes:
        scale: ``(1,)`` or ``(channels,)``, float32.
        shift: ``(1,)`` or ``(channels,)``, float32.
    """

    scale: Tensor
    shift: Tensor

    def scaled(self, raw: Tensor) -> Tensor:
        """Turn the autoencoder's latents ``(n, channels, ...)`` into the denoiser's, float32."""
        raw = raw.float()
        return (raw - _align(self.shift, raw)) * _align(self.scale, raw)

    def raw(self, scaled: Tensor) -> Tensor:
        """Turn the denoiser's latents ``(n, channels, ...)`` into the autoencoder's, float32."""
        scaled = scaled.float()
        return scaled / _align(self.scale, scaled) + _align(self.shift, scaled)


def read_units(module: Any, device: torch.device) -> LatentUnits:  # noqa: ANN401 - a diffusers model
    """Read ``scaling_factor`` and ``shift_factor``, or per channel ``latents_std`` and ``latents_mean``.

    The autoencoder of Flux 2 has the running statistics of a batch normalisation of its latents instead.

    Args:
        module: Diffusers autoencoder; some store std and mean as buffers and not in their configuration.
        device: Device of the latents.

    Returns:
        Scale and shift.
    """
    config: Any = module.config
    buffers: dict[str, Tensor] = dict(module.named_buffers(recurse=False))
    mean, deviation = (config.get(name, buffers.get(name)) for name in ("latents_mean", "latents_std"))
    if isinstance(getattr(module, "bn", None), torch.nn.BatchNorm2d):
        mean = module.bn.running_mean if mean is None else mean
        deviation = (module.bn.running_var + module.bn.eps).sqrt() if deviation is None else deviation
    factor = config.get("scaling_factor")
    scale, shift = (torch.tensor([value]) for value in (1.0 if factor is None else float(factor), 0.0))
    if deviation is not None:
        scale = scale / torch.as_tensor(deviation, dtype=torch.float32).cpu()
    if mean is not None:
        shift = torch.as_tensor(mean, dtype=torch.float32).clone()
    elif config.get("shift_factor"):
        shift = torch.tensor([float(config["shift_factor"])])
    return LatentUnits(scale.to(device), shift.to(device))


def _align(values: Tensor, latents: Tensor) -> Tensor:
    return values.view(-1, *[1] * (latents.ndim - 2))
