"""A diffusers autoencoder in the denoiser's scaled units, for images, videos and audio."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from privaudit.errors import DataError, TargetError
from privaudit.loading.autoencoder_layouts import (
    AUTOENCODERS,
    IMAGES,
    INPUT_CHANNELS,
    LATENT_CHANNELS,
    LAYOUTS,
    ONE_AT_A_TIME,
    PATCHED,
    PIXELS,
    TILED_AS_RELEASED,
    UNREADABLE,
    VIDEOS,
)
from privaudit.loading.units import LatentUnits, read_units

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

    def latent_shape(self, sample_shape: Sequence[int]) -> tuple[int, ...]:
        """Measure the shape of a latent by encoding a blank sample on the meta device, without computing values.

        Args:
            sample_shape: Shape of a sample, without the batch axis.

        Returns:
            The shape of its latent, without the batch axis.
        """
        blank = replace(self, module=deepcopy(self.module).to("meta"))
        with torch.no_grad():
            return tuple(blank._encode_raw(torch.empty(1, *sample_shape, dtype=self.dtype, device="meta")).shape[1:])

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


@dataclass(frozen=True)
class QuantisingAutoencoder(DiffusersAutoencoder):
    """`VQModel`. Its codes are compared in float32 even if its layers run in 16 bits, as `torch.cdist` requires."""

    def decode(self, latents: Tensor) -> Tensor:
        """Quantise and decode scaled latents; the quantisation has the straight-through derivative."""
        self._check("latents", latents, self.latent_channels)
        quantised = self.module.quantize(self.units.raw(latents))[0].to(self.dtype)
        spatial = quantised if self.module.config["norm_type"] == "spatial" else None
        decoded: Tensor = self.module.decoder(self.module.post_quant_conv(quantised), spatial).float()
        return decoded


@dataclass(frozen=True)
class ContinuousAutoencoder(DiffusersAutoencoder):
    """`VQModel` as Kandinsky uses it (MoVQ, Zheng et al. 2022, arXiv:2209.09002): latents are not quantised."""

    def decode(self, latents: Tensor) -> Tensor:
        """Decode ``(n, c, h', w')`` to ``(n, 3, h, w)``, not clamped; same errors as the base class."""
        self._check("latents", latents, self.latent_channels)
        raw = self.units.raw(latents).to(self.dtype)
        decoded: Tensor = self.module.decode(raw, force_not_quantize=True).sample.float()
        return decoded


@dataclass(frozen=True)
class FramesAutoencoder(DiffusersAutoencoder):
    """`AutoencoderKLTemporalDecoder`, which encodes each frame alone and decodes the frames of a video together."""

    def encode(self, images: Tensor) -> Tensor:
        """Encode ``(n, frames, 3, h, w)`` in [-1, 1] to ``(n, frames, c, h', w')``; same errors as the base class."""
        self._check("data", images, self.channels)
        frames = self._encode_raw(images.flatten(0, 1).to(self.dtype))
        return self.units.scaled(frames).view(*images.shape[:2], *frames.shape[1:])

    def decode(self, latents: Tensor) -> Tensor:
        """Decode ``(n, frames, c, h', w')`` to ``(n, frames, 3, h, w)``, not clamped; same errors as the base class."""
        self._check("latents", latents, self.latent_channels)
        raw = self.units.raw(latents.flatten(0, 1)).to(self.dtype)
        decoded: Tensor = self.module.decode(raw, num_frames=latents.shape[1]).sample.float()
        return decoded.view(*latents.shape[:2], *decoded.shape[1:])


@dataclass(frozen=True)
class PatchesAutoencoder(DiffusersAutoencoder):
    """`AutoencoderKLFlux2`, whose latents are the 2x2 patches that the denoiser receives, normalised per channel."""

    def decode(self, latents: Tensor) -> Tensor:
        """Decode ``(n, 4 c, h', w')`` to ``(n, 3, h, w)``, not clamped; same errors as the base class."""
        self._check("latents", latents, self.latent_channels)
        return self._decode_raw(pixel_shuffle(self.units.raw(latents), 2).to(self.dtype))

    def _encode_raw(self, images: Tensor) -> Tensor:
        return pixel_unshuffle(super()._encode_raw(images), 2)


@dataclass(frozen=True)
class ResizingAutoencoder(DiffusersAutoencoder):
    """`AutoencoderRAE`, which resizes every image to the size that it decodes."""

    def _check(self, what: str, values: Tensor, channels: int) -> None:
        super()._check(what, values, channels)
        side = self.module.decoder_image_size
        if what == "data" and values.shape[-2:] != (side, side):
            raise DataError(
                f"expected images of {side}x{side} for {type(self.module).__name__}, which decodes no other size, got "
                f"{values.shape[-2]}x{values.shape[-1]}; resize the images"
            )


@dataclass(frozen=True)
class StillAutoencoder(DiffusersAutoencoder):
    """An autoencoder of videos that encodes each image as a video of one frame."""

    def decode(self, latents: Tensor) -> Tensor:
        """Decode ``(n, c, h', w')`` to ``(n, 3, h, w)``, not clamped; same errors as the base class."""
        self._check("latents", latents, self.latent_channels)
        return self._decode_raw(self.units.raw(latents).unsqueeze(2).to(self.dtype)).squeeze(2)

    def _encode_raw(self, images: Tensor) -> Tensor:
        return super()._encode_raw(images.unsqueeze(2)).squeeze(2)


WRAPPERS: dict[str, type[DiffusersAutoencoder]] = {
    "VQModel": QuantisingAutoencoder,
    "AutoencoderKLTemporalDecoder": FramesAutoencoder,
    "AutoencoderKLFlux2": PatchesAutoencoder,
    "AutoencoderRAE": ResizingAutoencoder,
    "AutoencoderKLQwenImage21": StillAutoencoder,
}


def wrap_autoencoder(
    module: Any,  # noqa: ANN401 - a diffusers model
    device: torch.device,
    dtype: torch.dtype,
    *,
    upcast: bool = True,
    still: bool = False,
    continuous: bool = False,
) -> DiffusersAutoencoder:
    """Freeze an autoencoder and read its scale and shift.

    Args:
        module: Instance of a class in `AUTOENCODERS`, loaded as float32.
        device: Device of the autoencoder.
        dtype: Precision of the run.
        upcast: Whether the autoencoder runs in float32 whatever ``dtype`` says. In 16 bits the rounding error of
            latents and derivatives exceeds the differences that an audit measures, and the weights of some autoencoders
            overflow.
        still: Whether an autoencoder of videos encodes images, each as a video of one frame.
        continuous: Whether the latents of a VQ model are neither scaled nor quantised, as in Kandinsky. The
            ``scaling_factor`` that diffusers writes into its configuration is a default that the pipeline never reads.

    Returns:
        The autoencoder in eval mode. Slicing is off, which affects memory alone.

    Raises:
        TargetError: The class is not supported, tiling is on, or the decoder depends on more than the latent.
    """
    name, config = type(module).__name__, module.config
    if name in UNREADABLE:
        raise TargetError(f"cannot read an autoencoder of this class: {name} {UNREADABLE[name]}")
    if name not in LAYOUTS:
        raise TargetError(f"expected an autoencoder of a class among {', '.join(AUTOENCODERS)}, got {name}")
    if config.get("regularizer") == "fsq" or config.get("reshape_to_2d") is False:
        raise TargetError(
            f"expected {name} with continuous latents on a grid, got regularizer = {config.get('regularizer')} and "
            f"reshape_to_2d = {config.get('reshape_to_2d')}; codes and lists of tokens are not supported yet"
        )
    if config.get("timestep_conditioning") or any(config.get("decoder_inject_noise") or ()):
        raise TargetError(
            f"expected a decoder that is a function of the latent, got {name} with timestep_conditioning "
            "or decoder_inject_noise; such decoders are not supported yet"
        )
    refuse_tiling(module)
    if hasattr(module, "disable_slicing"):
        module.disable_slicing()
    dtype = torch.float32 if upcast else dtype
    module = module.to(device).eval().requires_grad_(False)
    units = read_units(module, device)
    if continuous:
        units = LatentUnits(torch.ones(1, device=device), torch.zeros(1, device=device))
    if dtype != torch.float32:
        # All layers but the quantisation, which compares codes in float32 (see QuantisingAutoencoder).
        for part, child in module.named_children():
            if part != "quantize":
                child.to(dtype)
    wrapper, layout = WRAPPERS.get(name, DiffusersAutoencoder), LAYOUTS[name]
    if still and layout == VIDEOS:
        wrapper, layout, units = StillAutoencoder, IMAGES, units.of_one_frame()
    if continuous:
        wrapper = ContinuousAutoencoder
    return wrapper(
        module,
        units,
        layout,
        channels=_input_channels(name, config),
        latent_channels=_latent_channels(name, config),
        dtype=dtype,
        pixels=_pixels(name, len(layout)),
        one_at_a_time=name in ONE_AT_A_TIME,
    )


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


def _pixels(name: str, axes: int) -> tuple[Tensor, Tensor] | None:
    if name not in PIXELS:
        return None
    mean, deviation = (torch.tensor(values).view(-1, *[1] * (axes - 2)) for values in PIXELS[name])
    return mean, deviation


def _input_channels(name: str, config: Any) -> int:  # noqa: ANN401 - a diffusers configuration
    channels = int(config[INPUT_CHANNELS.get(name, "in_channels")])
    if name in PATCHED and config.get("patch_size"):
        return channels // int(config["patch_size"]) ** 2  # in_channels counts the pixels of a patch as channels
    return channels


def _latent_channels(name: str, config: Any) -> int:  # noqa: ANN401 - a diffusers configuration
    channels = int(config.get(LATENT_CHANNELS.get(name)) or config["latent_channels"])
    return 4 * channels if name == "AutoencoderKLFlux2" else channels
