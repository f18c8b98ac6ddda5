"""Autoencoders that are called in another way than most."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from privaudit.errors import DataError
from privaudit.loading.autoencoder.diffusers_autoencoder import DiffusersAutoencoder


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

    @property
    def recorded_size(self) -> tuple[int, int] | None:
        """Height and width of the only size that it decodes."""
        return self.module.decoder_image_size, self.module.decoder_image_size

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


@dataclass(frozen=True)
class StillFramesAutoencoder(DiffusersAutoencoder):
    """`AutoencoderKLTemporalDecoder`, which reads each image as a video of one frame."""

    def _decode_raw(self, raw: Tensor) -> Tensor:
        decoded: Tensor = self.module.decode(raw, num_frames=1).sample.float()
        return decoded


WRAPPERS: dict[str, type[DiffusersAutoencoder]] = {
    "VQModel": QuantisingAutoencoder,
    "AutoencoderKLTemporalDecoder": FramesAutoencoder,
    "AutoencoderKLFlux2": PatchesAutoencoder,
    "AutoencoderRAE": ResizingAutoencoder,
    "AutoencoderKLQwenImage21": StillAutoencoder,
}
