"""The distortion by stochastic Lanczos quadrature: random probes with a few Krylov steps each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.decoder_geometry.distortion.bidiagonal import bidiagonalise, log_quadrature
from privaudit.decoder_geometry.distortion.method import Distortion, Method, register
from privaudit.decoder_geometry.distortion.singular import relative_rounding
from privaudit.decoder_geometry.distortion.whitening import measure_whitening
from privaudit.decoder_geometry.jacobian import Jacobian
from privaudit.model.noise import generator_for


@register
@dataclass(frozen=True)
class Lanczos(Method):
    """1/2 tr log G = size E_v[v^T log(G^1/2) v], v of unit length with random signs, by Gauss quadrature.

    For each probe v, `bidiagonalise` gives J V = U B from ``steps`` products with J and ``steps`` - 1 with J^T, and
    `log_quadrature` gives the quadratic form from B (Ubaru, Chen, Saad 2017, doi:10.1137/16M1104974). Not in the paper.
    Differs from Ubaru et al., who apply Lanczos to G. In exact arithmetic the two are equal, but in floating point
    Lanczos on G loses the singular values below sqrt(eps) of the largest, and bidiagonalisation only those below eps.

    The value has three errors:

    - Gauss quadrature of the logarithm is never too small (its even derivatives are negative). So the mean over probes
      is an upper bound, which falls to the distortion as ``steps`` grows.
    - Each theta below ``floor`` of the largest counts as ``floor`` of the largest: those of a singular J are pure
      rounding, and their logarithm could be anything.
    - The error from few probes, sqrt(2 / probes) times the off-diagonal norm of log(G^1/2), is estimated from the
      variation between probes and reported as ``standard_error``.

    The first and the last are large if the singular values spread widely, as those of decoders do, mostly because some
    combinations of channels hardly affect the image. So J is replaced by J S, where S mixes the channels such that
    their effects become about equal (see `Whitening`). The determinant of S is known, and
    log sqrt(det G) = log sqrt(det S G S) - log det S for any S.

    Attributes:
        probes: Random vectors per image.
        steps: Bidiagonalisation steps per probe.
        whitening: Products with J^T per image from which S is estimated; 0 for S = I.
        floor: Minimum singular value of J S relative to the largest; raised to `relative_rounding` if below it.
    """

    name: ClassVar[str] = "lanczos"
    citation: ClassVar[str] = "Ubaru, Chen, Saad 2017, doi:10.1137/16M1104974"
    summary: ClassVar[str] = "stochastic Lanczos quadrature of 1/2 tr log G: all singular values, with an error"
    probes: int = 8
    steps: int = 8
    whitening: int = 2
    floor: float = 1e-4

    def problems(self) -> list[str]:
        """Require at least two probes and one step, and a floor between 0 and 1."""
        problems = [*self.at_least(2, "probes"), *self.at_least(1, "steps"), *self.at_least(0, "whitening")]
        if not 0 < self.floor < 1:
            problems.append(f"expected 0 < floor < 1 for {self.name}, got {self.floor}")
        return problems

    def compute(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Distortion:
        """Estimate the distortion (see `Method.compute`)."""
        size = jacobian.latent_size
        steps = min(self.steps, size)  # with as many steps, the Krylov space is the whole space
        rounding = relative_rounding(jacobian)
        floor = max(self.floor, rounding)
        whitening = measure_whitening(jacobian, self.whitening, floor, sample_ids, seed)
        bidiagonal = bidiagonalise(
            lambda v: jacobian.jvp(whitening.apply(v)),
            lambda u: whitening.apply(jacobian.vjp(u)),
            _signs(jacobian, self.probes, sample_ids, seed),
            steps,
            rounding,
        )
        samples = size * log_quadrature(bidiagonal, floor) - whitening.log_det
        error = samples.std(dim=0).nan_to_num(0) / math.sqrt(self.probes)  # NaN if samples are -inf
        unresolved = "" if steps == size else f"what {steps} steps do not resolve, so that the mean is too large; "
        below = f"how far singular values are below {floor:.1e} of the largest"
        products = bidiagonal.products.sum(dim=0) + self.whitening
        return Distortion(samples.mean(dim=0), error, products, left_out=unresolved + below)


def _signs(jacobian: Jacobian, count: int, sample_ids: Sequence[str], seed: int) -> Tensor:
    """Vectors of random signs, scaled to unit length, for each image, ``(count, n, *latent)``."""
    shape = (count, *jacobian.latents.shape[1:])
    drawn = [
        torch.randint(0, 2, shape, generator=generator_for(seed, key, "lanczos"), dtype=torch.int8, device="cpu")
        for key in sample_ids
    ]
    signs = torch.stack(drawn, dim=1).to(jacobian.latents) * 2 - 1
    return signs / math.sqrt(jacobian.latent_size)
