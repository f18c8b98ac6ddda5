"""An autoencoder of diffusers in the denoiser's scaled units, for images, videos and audio."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from privaudit.errors import DataError, TargetError
from privaudit.loading.autoencoder.layouts import IMAGE_SIZE, TILED_AS_RELEASED
from privaudit.loading.units import LatentUnits

TILING = ("use_tiling", "use_framewise_encoding", "use_framewise_decoding")
"""Attributes that make diffusers encode or decode overlapping tiles and blend them."""


@dataclass(frozen=True)
class DiffusersAutoencoder:
    """A diffusers autoencoder, with the scale and shift of its configuration.

    Attributes:
        module: Diffusers module, in eval mode, on its device.
        units: Scale and shift of the latents.
        layout: Names of the axes of the inputs.
        channels: Channels of the inputs.
        latent_channels: Channels of the latents.
        dtype: Precision of the weights; inputs and outputs are float32.
        pixels: Mean and standard deviation of pixels in [0, 1] that the module expects to be taken off, ``(c, 1, 1)``
            or with an axis of frames; None for pixels in [-1, 1].
        one_at_a_time: Whether the module is called for each item alone.
    """

    module: Any
    units: LatentUnits
    layout: tuple[str, ...]
    channels: int
    latent_channels: int
    dtype: torch.dtype
    pixels: tuple[Tensor, Tensor] | None = None
    one_at_a_time: bool = False

    @property
    def channel_axis(self) -> int:
        """Axis of the channels of inputs and latents: 1, or 2 for a video that is a batch of frames."""
        return self.layout.index("channels")

    @property
    def recorded_size(self) -> tuple[int, int] | None:
        """Height and width of the images that the configuration records, in pixels; None if it has none."""
        config = self.module.config
        keys = IMAGE_SIZE.get(type(self.module).__name__, ("sample_size",))
        filled_in = config.get("_use_default_values", ())  # by diffusers, with 32, where the file has none
        sides = [config[key] for key in keys if key not in filled_in and config.get(key)]
        if not sides or len(sides) < len(keys):
            return None
        height, width = (sides[0], sides[-1]) if isinstance(sides[0], int) else sides[0]
        return int(height), int(width)

    def latent_shape(self, sample_shape: Sequence[int]) -> tuple[int, ...]:
        """Measure the shape of a latent by encoding a blank sample on the meta device, without computing values.

        Args:
            sample_shape: Shape of a sample, without the batch axis.

        Returns:
            The shape of its latent, without the batch axis.
        """
        with torch.no_grad():
            blank = torch.empty(1, *sample_shape, dtype=self.dtype, device="meta")
            return tuple(self.without_values()._encode_raw(blank).shape[1:])

    def without_values(self) -> DiffusersAutoencoder:
        """Copy the autoencoder to the meta device, where shapes are computed and no values."""
        meta = torch.device("meta")
        # What deepcopy finds here it takes instead of a copy, so that the weights are never held twice.
        copies: dict[int, Any] = {id(values): values.to(meta) for values in self.module.buffers()}
        for values in self.module.parameters():
            copies[id(values)] = torch.nn.Parameter(values.to(meta), requires_grad=False)
        return replace(self, module=deepcopy(self.module, copies).to(meta), units=self.units.to(meta))

    def encode(self, images: Tensor) -> Tensor:
        """Encode to scaled latents: the posterior mean, or the latent of a VQ model before quantisation.

        Args:
            images: Images, videos or audio with the axes of `layout`, in [-1, 1].

        Returns:
            The latents, float32, with the axes of the images.

        Raises:
            DataError: The images have the wrong axes or the wrong number of channels.
            TargetError: Tiling has been switched on.
        """
        self._check("data", images, self.channels)
        return self.units.scaled(self._encode_raw(images.to(self.dtype)))

    def decode(self, latents: Tensor) -> Tensor:
        """Decode scaled latents without a clamp of ours; those of Wan and Qwen-Image themselves clamp to [-1, 1].

        Returns:
            Images, videos or audio, float32.

        Raises:
            DataError: The latents have the wrong axes or the wrong number of channels.
            TargetError: Tiling has been switched on.
        """
        self._check("latents", latents, self.latent_channels)
        return self._decode_raw(self.units.raw(latents).to(self.dtype))

    def _encode_raw(self, images: Tensor) -> Tensor:
        if self.pixels is not None:
            mean, deviation = (values.to(images) for values in self.pixels)
            images = ((images + 1) / 2 - mean) / deviation
        return torch.cat([_latents_of(self.module.encode(part)) for part in self._parts(images)])

    def _decode_raw(self, raw: Tensor) -> Tensor:
        decoded = [self.module.decode(part) for part in self._parts(raw)]
        # Some classes return the tensor itself.
        images = torch.cat([each if isinstance(each, Tensor) else each.sample for each in decoded]).float()
        if self.pixels is not None:
            mean, deviation = (values.to(images) for values in self.pixels)
            images = 2 * (images * deviation + mean) - 1
        return images

    def _parts(self, values: Tensor) -> Sequence[Tensor]:
        return [item.unsqueeze(0) for item in values] if self.one_at_a_time else [values]

    def _check(self, what: str, values: Tensor, channels: int) -> None:
        refuse_tiling(self.module)
        if values.ndim != len(self.layout) or values.shape[self.channel_axis] != channels:
            expected = ", ".join(str(channels) if name == "channels" else name for name in self.layout)
            advice = "convert the data" if what == "data" else "pass latents that this autoencoder encoded"
            raise DataError(
                f"expected {what} of shape ({expected}) for {type(self.module).__name__}, got {tuple(values.shape)}; "
                f"{advice}, or pass an autoencoder that was trained on such {what}"
            )


def _latents_of(encoded: Any) -> Tensor:  # noqa: ANN401 - an output of diffusers
    if hasattr(encoded, "latent_dist"):
        mean: Tensor = encoded.latent_dist.mode()
        return mean
    latents: Tensor = encoded.latents if hasattr(encoded, "latents") else encoded.latent
    return latents


def refuse_tiling(module: Any) -> None:  # noqa: ANN401 - a diffusers model
    """Check that an autoencoder processes an image as a whole, whatever its size.

    Raises:
        TargetError: Tiling is on and is not part of the released model.
    """
    name = type(module).__name__
    enabled = [switch for switch in TILING if getattr(module, switch, False)]
    enabled = [switch for switch in enabled if switch not in TILED_AS_RELEASED.get(name, ())]
    if enabled:
        raise TargetError(
            f"expected {name} without tiling, got {' and '.join(enabled)} = True: tiles overlap and are blended, so "
            "the function that is inverted and differentiated would not be the decoder; set to False, and lower the "
            "batch size if memory is short"
        )
