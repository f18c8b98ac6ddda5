"""Random cotangents determined by seed and sample id, whatever the batch, the position in it, and the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from privaudit.decoder_geometry.jacobian import Jacobian
from privaudit.model.noise import generator_for

MAX_PROBES_AT_ONCE = 16
"""Maximum number of probes per image in memory at once."""


class Probes:
    """One stream of random image-space vectors with identity covariance per image.

    Attributes:
        rademacher: Whether entries are +-1 with equal probability, drawn as bits, instead of standard normal.
    """

    def __init__(self, sample_ids: Sequence[str], seed: int, *, rademacher: bool = False) -> None:
        self.rademacher = rademacher
        self._generators = [generator_for(seed, key, "probe") for key in sample_ids]

    def draw(self, count: int, jacobian: Jacobian) -> Tensor:
        """Draw the next ``count`` vectors of each image, ``(count, n, *image)``, on the device of the latents."""
        shape, like = jacobian.image_shape, jacobian.latents
        draw_one = self._signs if self.rademacher else self._normal
        size = shape.numel()
        drawn = [torch.stack([draw_one(size, generator, like) for generator in self._generators]) for _ in range(count)]
        return torch.stack(drawn).view(count, len(self._generators), *shape).to(like.dtype)

    def select(self, rows: Sequence[int]) -> None:
        """Continue with the images at these positions only."""
        self._generators = [self._generators[row] for row in rows]

    @staticmethod
    def _normal(size: int, generator: torch.Generator, like: Tensor) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float32, device="cpu").to(like.device)

    @staticmethod
    def _signs(size: int, generator: torch.Generator, like: Tensor) -> Tensor:
        # one random bit per entry: eight signs per drawn byte
        bytes_ = torch.randint(0, 256, (-(-size // 8),), generator=generator, dtype=torch.uint8, device="cpu")
        bits = bytes_.to(like.device).unsqueeze(1) >> torch.arange(8, device=like.device, dtype=torch.uint8) & 1
        return bits.flatten()[:size].float() * 2 - 1


def squared_products(jacobian: Jacobian, probes: Probes, count: int) -> Iterator[Tensor]:
    """(J^T v)^2, elementwise, for the next ``count`` probes of each image: one ``(n, *latent)`` per probe."""
    for start in range(0, count, MAX_PROBES_AT_ONCE):
        yield from jacobian.vjp(probes.draw(min(MAX_PROBES_AT_ONCE, count - start), jacobian)).square()


def mean_square(jacobian: Jacobian, sample_ids: Sequence[str], seed: int, count: int, *, rademacher: bool) -> Tensor:
    """Mean of (J^T v)^2 over the first ``count`` probes of each image, ``(n, *latent)``."""
    probes = Probes(sample_ids, seed, rademacher=rademacher)
    total = torch.zeros_like(jacobian.latents)
    for squares in squared_products(jacobian, probes, count):
        total += squares / count
    return total
