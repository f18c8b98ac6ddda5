"""Many latent dimensions in one product, chosen so far apart that their effects on the image hardly overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.decoder_geometry.influence.estimator import Estimator, Influence, register
from privaudit.decoder_geometry.jacobian import Jacobian
from privaudit.model.noise import generator_for


@register
@dataclass(frozen=True)
class Coloured(Estimator):
    """G_ii ~ w_i (J^T J w)_i for i in C, for each colour C: the dimensions of one channel on a lattice of positions.

    With w_i = +-1 at random on C and 0 elsewhere, w_i (G w)_i = G_ii + sum_{j in C, j != i} w_i w_j G_ij. This is
    unbiased (before negative values are set to 0), and exact where the dimensions of a colour affect disjoint parts of
    the image. Attention and group norm make everything overlap a little. Each colour costs two products; there are
    channels x spacing^axes colours, whatever the size of the latent.
    The standard error is the root mean square of (G w) halfway between the positions of the colour. Those points are
    nearer to the colour than its positions are to each other, so it is an upper bound where G falls off with distance.

    Attributes:
        spacing: Distance between neighbouring positions of a colour, along each axis.
    """

    name: ClassVar[str] = "coloured"
    citation: ClassVar[str] = "Tang and Saad 2012; Stathopoulos, Laeuchli, Orginos 2013, arXiv:1302.4018"
    summary: ClassVar[str] = "J^T J w for signs w on lattices of latent positions: for large latents, nearly exact"
    spacing: int = 4

    @property
    def memory(self) -> float:
        """The traced linear map takes several times the memory of a pass."""
        return 12.0

    def problems(self) -> list[str]:
        """Require a spacing of at least 2."""
        return self.at_least(2, "spacing")

    def estimate(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Influence:
        """Estimate the diagonal of G (see `Estimator.estimate`)."""
        latents = jacobian.latents
        signs = _signs(latents, sample_ids, seed).movedim(jacobian.channel_axis, 1)
        values, error = torch.zeros_like(signs), torch.zeros_like(signs)
        colours = list(product(*(range(min(self.spacing, size)) for size in signs.shape[2:])))
        for channel in range(signs.shape[1]):
            for offset in colours:
                colour = torch.zeros_like(signs, dtype=torch.bool)
                lattice: tuple[slice, ...] = tuple(slice(start, None, self.spacing) for start in offset)
                colour[:, channel][(slice(None), *lattice)] = True
                tangents = torch.where(colour, signs, 0).movedim(1, jacobian.channel_axis).unsqueeze(0)
                metric_product = jacobian.vjp(jacobian.jvp(tangents))[0].movedim(jacobian.channel_axis, 1)
                values = torch.where(colour, metric_product * signs, values)
                error = torch.where(colour, _halfway(metric_product, self.spacing // 2), error)
        products = torch.full((len(latents),), 2 * signs.shape[1] * len(colours))
        values = torch.where(values < 0, 0, values)  # negative because of overlap alone; NaN stays
        return Influence(values.movedim(1, jacobian.channel_axis), error.movedim(1, jacobian.channel_axis), products)


def _halfway(products: Tensor, shift: int) -> Tensor:
    """Root mean square of the values ``shift`` positions away along all axes, on either side."""
    axes = tuple(range(2, products.ndim))
    sides = [products.roll([side * shift] * len(axes), axes).square() for side in (-1, 1)]
    return (torch.stack(sides).mean(dim=0)).sqrt()


def _signs(latents: Tensor, sample_ids: Sequence[str], seed: int) -> Tensor:
    """Random signs, shaped like the latents, drawn from seed and sample id."""
    drawn = [
        torch.randint(0, 2, latents.shape[1:], generator=generator_for(seed, key, "colour"), device="cpu")
        for key in sample_ids
    ]
    return (torch.stack(drawn) * 2 - 1).to(latents)
