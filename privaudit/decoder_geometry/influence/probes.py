"""Random cotangents that belong to an image: the same whatever its batch, its place in it, or the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from privaudit.decoder_geometry.jacobian import Jacobian
from privaudit.model.noise import generator_for

TOGETHER = 16
"""Probes per image held at once."""


class Probes:
    """A stream of random vectors in image space for each image, with identity covariance.

    Attributes:
        rademacher: Entries +-1 with equal chances, drawn as bits, instead of standard normal ones.
    """

    def __init__(self, sample_ids: Sequence[str], seed: int, *, rademacher: bool = False) -> None:
        self.rademacher = rademacher
        self._generators = [generator_for(seed, key, "probe") for key in sample_ids]

    def draw(self, count: int, jacobian: Jacobian) -> Tensor:
        """Draw the next vectors of each image, ``(count, n, *image)``, on the device of the latents."""
        shape, like = jacobian.image_shape, jacobian.latents
        one = self._signs if self.rademacher else self._normal
        size = shape.numel()
        drawn = [torch.stack([one(size, generator, like) for generator in self._generators]) for _ in range(count)]
        return torch.stack(drawn).view(count, len(self._generators), *shape).to(like.dtype)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the images only, by their places."""
        self._generators = [self._generators[row] for row in rows]

    @staticmethod
    def _normal(size: int, generator: torch.Generator, like: Tensor) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float32, device="cpu").to(like.device)

    @staticmethod
    def _signs(size: int, generator: torch.Generator, like: Tensor) -> Tensor:
        bytes_ = torch.randint(0, 256, (-(-size // 8),), generator=generator, dtype=torch.uint8, device="cpu")
        bits = bytes_.to(like.device).unsqueeze(1) >> torch.arange(8, device=like.device, dtype=torch.uint8) & 1
        return bits.flatten()[:size].float() * 2 - 1


def squared_products(jacobian: Jacobian, probes: Probes, count: int) -> Iterator[Tensor]:
    """(J^T v)^2, elementwise, for the next probes of each image, one ``(n, *latent)`` a probe."""
    for start in range(0, count, TOGETHER):
        yield from jacobian.vjp(probes.draw(min(TOGETHER, count - start), jacobian)).square()


def mean_square(jacobian: Jacobian, sample_ids: Sequence[str], seed: int, count: int, *, rademacher: bool) -> Tensor:
    """Mean of (J^T v)^2 over the first ``count`` probes of each image, ``(n, *latent)``."""
    probes = Probes(sample_ids, seed, rademacher=rademacher)
    total = torch.zeros_like(jacobian.latents)
    for squares in squared_products(jacobian, probes, count):
        total += squares / count
    return total
