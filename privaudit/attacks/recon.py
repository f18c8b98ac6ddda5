"""What the autoencoder alone remembers."""

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

    (Reconstruction attacks on autoencoders: Hilprecht et al., PoPETs 2019, arXiv:1906.03006.) The denoiser is not
    asked. A mask belongs to latent dimensions and the error to pixels, so the error of each latent position's patch of
    pixels is spread evenly over the position's channels; without a mask the sum is the squared error itself. The preset
    ``latent`` measures E(D(E(x))) - E(x) instead, which is a field over the latent by itself.

    Attributes:
        latent: Measure in the latent.
    """

    name: ClassVar[str] = "recon"
    citation: ClassVar[str] = "Hilprecht et al. 2019, arXiv:1906.03006"
    summary: ClassVar[str] = "the autoencoder's own reconstruction error"
    needs: ClassVar[tuple[Need, ...]] = ("images",)
    presets = {"latent": {"latent": True}}
    latent: bool = False

    def measure(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One column."""
        images, target = batch.require_images(), batch.target
        batch.cache.note("encode")
        encoded = target.encode(images)
        batch.cache.note("decode")
        decoded = target.decode(encoded)
        if self.latent:
            batch.cache.note("encode")
            field = target.encode(decoded) - encoded
        else:
            field = spread((images.to(decoded) - decoded).double().square(), encoded.shape).sqrt()
        return {name: errors[:, None] for name, errors in masked_errors(field, masks, 2.0).items()}


def spread(squares: Tensor, shape: torch.Size) -> Tensor:
    """Sum pixel errors over the patch of each latent position and divide them by its channels.

    Args:
        squares: ``(n, 3, h, w)``.
        shape: Shape of the latents, ``(n, c, h', w')``.

    Returns:
        ``(n, c, h', w')``, with the sums over an image of ``squares``.
    """
    pixels = squares.shape[-2] * squares.shape[-1] / (shape[-2] * shape[-1])
    patches = adaptive_avg_pool2d(squares.sum(dim=1, keepdim=True), (shape[-2], shape[-1])) * pixels
    return (patches / shape[1]).expand(shape)
