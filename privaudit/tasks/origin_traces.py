"""Traces: the reconstruction error before and after inversion, of image files and of generated images."""

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
    """Reconstruction errors of each image before and after inversion.

    Attributes:
        encoder: Root mean square of clip(D(E(x))) - x, in [0, 2], ``(n,)``.
        inverted: Root mean square of clip(D(z)) - x at the inverted latent z, ``(n,)``.
        residual: Relative fixed-point residual at z, ``(n,)``.
    """

    encoder: NDArray[np.float64]
    inverted: NDArray[np.float64]
    residual: NDArray[np.float64]

    @property
    def remaining(self) -> NDArray[np.float64]:
        """Fraction of the encoder's error that remains after inversion, ``(n,)``; small for own generations."""
        # An exact reconstruction by the encoder would otherwise give 0 / 0.
        return self.inverted / np.maximum(self.encoder, np.finfo(np.float32).tiny)

    @staticmethod
    def join(parts: Sequence[Traces]) -> Traces:
        """Join the traces of one or more batches."""
        return Traces(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Traces)))


def generate(target: Target, keys: Sequence[str], steps: int, prompt: str | None, seed: int) -> Tensor:
    """Generate images by DDIM and round them to 8 bits, as in a saved file.

    Returns:
        ``(n, 3, h, w)``, in [-1, 1].
    """
    noise = normal_for(seed, keys, target.info.latent_shape, "generation")
    condition = target.condition([Prompt(prompt)] * len(keys))
    latents = ddim_sample(target, noise, steps, condition)
    with torch.no_grad():
        return to_eight_bits(target.decode(latents))


def to_eight_bits(images: Tensor) -> Tensor:
    """Clip images to [-1, 1] and round them to the 256 values of an 8-bit file."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def trace(target: Target, images: Tensor, solver: Solver, sample_ids: Sequence[str]) -> Traces:
    """Measure the reconstruction error of images before and after inversion.

    Args:
        target: Target with E and D.
        images: ``(n, 3, h, w)``, in [-1, 1].
        solver: Inversion solver.
        sample_ids: One id per image, for messages.

    Returns:
        Traces, on the CPU.
    """
    images = images.to(target.device)
    inversion = invert(target, images, solver, clip=True, sample_ids=sample_ids)

    def error(latents: Tensor) -> NDArray[np.float64]:
        with torch.no_grad():
            differences = (target.decode(latents).clamp(-1, 1) - images).double()
        values: NDArray[np.float64] = differences.square().flatten(1).mean(dim=1).sqrt().cpu().numpy()
        return values

    return Traces(error(inversion.encoded), error(inversion.latents), inversion.residual.double().cpu().numpy())
