"""The reconstruction error of the autoencoder, without the denoiser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from privaudit.attacks.base import Attack, Need, masked_errors, register
from privaudit.attacks.batch import Batch


@register
@dataclass(frozen=True)
class Recon(Attack):
    """||x - D(E(x))||^2: the autoencoder may have memorised, too.

    (Reconstruction attacks on autoencoders: Hilprecht et al., PoPETs 2019, arXiv:1906.03006.) The denoiser does not
    run. Masks apply to latent dimensions, but the error belongs to pixels. The error of the patch of pixels under each
    latent position is therefore spread evenly over the channels of that position; without a mask, the sum is the
    squared error itself. Preset ``latent`` measures E(D(E(x))) - E(x) instead, which is already a field over the
    latent.

    Attributes:
        latent: Whether to measure the error in the latent.
    """

    name: ClassVar[str] = "recon"
    citation: ClassVar[str] = "Hilprecht et al. 2019, arXiv:1906.03006"
    summary: ClassVar[str] = "the autoencoder's own reconstruction error"
    needs: ClassVar[tuple[Need, ...]] = ("images",)
    presets = {"latent": {"latent": True}}
    latent: bool = False

    def measure(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Errors with one column."""
        images, target = batch.require_images(), batch.target
        batch.cache.note("encode")
        encoded = target.encode(images)
        batch.cache.note("decode")
        decoded = target.decode(encoded)
        if self.latent:
            batch.cache.note("encode")
            field = target.encode(decoded) - encoded
        else:
            # The root, because the reduction squares the field again.
            field = spread((images.to(decoded) - decoded).double().square(), encoded.shape).sqrt()
        return {name: errors[:, None] for name, errors in masked_errors(field, masks, 2.0).items()}


def spread(squares: Tensor, shape: torch.Size) -> Tensor:
    """Sum pixel errors over the patch of each latent position and divide the sum evenly among its channels.

    Args:
        squares: ``(n, 3, h, w)``.
        shape: Shape of the latents, ``(n, c, h', w')``.

    Returns:
        ``(n, c, h', w')``; the sum over each image equals that of ``squares``.
    """
    pixels = squares.shape[-2] * squares.shape[-1] / (shape[-2] * shape[-1])  # per patch
    patches = adaptive_avg_pool2d(squares.sum(dim=1, keepdim=True), (shape[-2], shape[-1])) * pixels
    return (patches / shape[1]).expand(shape)
