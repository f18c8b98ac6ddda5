"""Scale and shift between the latents of an autoencoder and those of the denoiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from privaudit.errors import DataError


@dataclass(frozen=True)
class LatentUnits:
    """scaled = (raw - shift) * scale, for any number of axes.

    Attributes:
        scale: ``(1,)``, ``(channels,)``, or with further axes of the latents, such as ``(channels, frames)``; float32.
        shift: In the same form.
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

    def to(self, device: torch.device) -> LatentUnits:
        """Move scale and shift to a device."""
        return LatentUnits(self.scale.to(device), self.shift.to(device))

    def of_one_frame(self) -> LatentUnits:
        """Return the units of a video of one frame, without an axis of frames."""
        scale, shift = (values[:, 0] if values.ndim > 1 else values for values in (self.scale, self.shift))
        return LatentUnits(scale, shift)


STATISTICS: dict[str, tuple[int, ...]] = {"AutoencoderKLCosmos": (-1,), "AutoencoderKLLTX2Audio": (1, -1)}
"""Axes behind the channels of means and standard deviations: one per frame, or one per band of a spectrogram."""


def read_units(module: Any, device: torch.device) -> LatentUnits:  # noqa: ANN401 - a diffusers model
    """Read ``scaling_factor`` and ``shift_factor``, or per channel ``latents_std`` and ``latents_mean``.

    The autoencoder of Flux 2 has the running statistics of a batch normalisation of its latents instead, and that of
    Wuerstchen the inverse of a scale. `AutoencoderRAE` normalises its latents itself.

    Args:
        module: Diffusers autoencoder; some store std and mean as buffers and not in their configuration.
        device: Device of the latents.

    Returns:
        Scale and shift.
    """
    config, name = module.config, type(module).__name__
    if name == "AutoencoderRAE":
        return LatentUnits(torch.ones(1, device=device), torch.zeros(1, device=device))
    buffers: dict[str, Tensor] = dict(module.named_buffers(recurse=False))
    mean, deviation = (config.get(name, buffers.get(name)) for name in ("latents_mean", "latents_std"))
    if isinstance(getattr(module, "bn", None), torch.nn.BatchNorm2d):
        mean = module.bn.running_mean if mean is None else mean
        deviation = (module.bn.running_var + module.bn.eps).sqrt() if deviation is None else deviation
    factor = 1 / config["scale_factor"] if name == "PaellaVQModel" else config.get("scaling_factor")
    scale, shift = (torch.tensor([value]) for value in (1.0 if factor is None else float(factor), 0.0))
    if deviation is not None:
        scale = scale / torch.as_tensor(deviation, dtype=torch.float32).cpu()
    if mean is not None:
        shift = torch.as_tensor(mean, dtype=torch.float32).clone()
    elif config.get("shift_factor"):
        shift = torch.tensor([float(config["shift_factor"])])
    if name in STATISTICS:
        scale, shift = (
            values.view(config["latent_channels"], *STATISTICS[name]) if len(values) > 1 else values
            for values in (scale, shift)
        )
    return LatentUnits(scale.to(device), shift.to(device))


def _align(values: Tensor, latents: Tensor) -> Tensor:
    if values.ndim > 1 and values.shape[1] > 1:
        if latents.shape[2] > values.shape[1]:
            raise DataError(
                f"expected latents of at most {values.shape[1]} frames, of which the autoencoder knows mean and "
                f"standard deviation, got {latents.shape[2]}; cut the videos"
            )
        values = values[:, : latents.shape[2]]
    return values.view(*values.shape, *[1] * (latents.ndim - 1 - values.ndim))
