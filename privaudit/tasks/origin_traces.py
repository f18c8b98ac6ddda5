"""What inversion leaves of an image's error: of image files, and of generations made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from privaudit.inversion import Solver, invert
from privaudit.model.ddim import ddim_sample
from privaudit.model.noise import normal_for
from privaudit.model.prompt import Prompt
from privaudit.model.target import Target


@dataclass(frozen=True)
class Traces:
    """What inversion leaves of each image's error.

    Attributes:
        encoder: ``(n,)``, root mean square of clip(D(E(x))) - x, in [0, 2].
        inverted: ``(n,)``, that of clip(D(z)) - x at the inverted latent z.
        residual: ``(n,)``, relative residual of the fixed point at z.
    """

    encoder: NDArray[np.float64]
    inverted: NDArray[np.float64]
    residual: NDArray[np.float64]

    @property
    def remaining(self) -> NDArray[np.float64]:
        """``(n,)``: fraction of the encoder's error that remains after inversion; small for own generations."""
        return self.inverted / np.maximum(self.encoder, np.finfo(np.float32).tiny)

    @staticmethod
    def join(parts: Sequence[Traces]) -> Traces:
        """Join those of several batches, one or more."""
        return Traces(*(np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(Traces)))


def generate(target: Target, keys: Sequence[str], steps: int, prompt: str | None, seed: int) -> Tensor:
    """Generate images by DDIM and round them to 8 bits, as a saved file would be.

    Returns:
        ``(n, 3, h, w)`` in [-1, 1].
    """
    noise = normal_for(seed, keys, target.info.latent_shape, "generation")
    condition = target.condition([Prompt(prompt)] * len(keys))
    latents = ddim_sample(target, noise, steps, condition)
    with torch.no_grad():
        return to_eight_bits(target.decode(latents))


def to_eight_bits(images: Tensor) -> Tensor:
    """Clip to [-1, 1] and round to the 256 values that a file can hold."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def trace(target: Target, images: Tensor, solver: Solver, sample_ids: Sequence[str]) -> Traces:
    """Measure what inversion leaves of the error of some images.

    Args:
        target: Gives E and D.
        images: ``(n, 3, h, w)`` in [-1, 1].
        solver: Solver of the inversion.
        sample_ids: One id per image.

    Returns:
        The traces.
    """
    images = images.to(target.device)
    inversion = invert(target, images, solver, clip=True, sample_ids=sample_ids)

    def error(latents: Tensor) -> NDArray[np.float64]:
        with torch.no_grad():
            gaps = (target.decode(latents).clamp(-1, 1) - images).double()
        values: NDArray[np.float64] = gaps.square().flatten(1).mean(dim=1).sqrt().cpu().numpy()
        return values

    return Traces(error(inversion.encoded), error(inversion.latents), inversion.residual.double().cpu().numpy())
