"""The distortion by stochastic Lanczos quadrature: random probes, and a few steps in the Krylov space of each."""

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
    `log_quadrature` the quadratic form from B (Ubaru, Chen, Saad 2017, doi:10.1137/16M1104974). Not in the paper.
    Differs from Ubaru et al.: they take Lanczos on G. In exact arithmetic that is the same, but rounding hides from it
    the singular values below sqrt(eps) of the largest, and from this those below eps.

    What is wrong with the value:

    - Gauss quadrature of the logarithm is never too small (its even derivatives are negative): the mean over probes is
      an upper bound, which falls to the distortion as ``steps`` grows.
    - theta below ``floor`` of the largest count as ``floor`` of the largest: those of a singular J are pure rounding,
      and their logarithm could be anything.
    - The error from few probes, sqrt(2 / probes) times the norm of log(G^1/2) off its diagonal, is the
      ``standard_error``, from the spread of the probes.

    First and last are large where singular values spread, as those of decoders do, mostly because some combinations
    of channels hardly show in the image. So J S is taken for J, with a mixing S of channels that evens them out (see
    `Whitening`). The determinant of S is known, and log sqrt(det G) = log sqrt(det S G S) - log det S for any S.

    Attributes:
        probes: Random vectors per image; their spread gives the standard error.
        steps: Steps of the iteration for each probe.
        whitening: Products with J^T from which S is measured; 0 for S = I.
        floor: Least singular value of J S relative to the largest; at least `relative_rounding`.
    """

    name: ClassVar[str] = "lanczos"
    citation: ClassVar[str] = "Ubaru, Chen, Saad 2017, doi:10.1137/16M1104974"
    summary: ClassVar[str] = "stochastic Lanczos quadrature of 1/2 tr log G: all singular values, with an error"
    probes: int = 8
    steps: int = 8
    whitening: int = 2
    floor: float = 1e-4

    def problems(self) -> list[str]:
        """Say what is wrong with the parameters."""
        found = [*self.at_least(2, "probes"), *self.at_least(1, "steps"), *self.at_least(0, "whitening")]
        if not 0 < self.floor < 1:
            found.append(f"expected 0 < floor < 1 for {self.name}, got {self.floor}")
        return found

    def compute(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Distortion:
        """Estimate the distortion (see `Method.compute`)."""
        size = jacobian.latent_size
        steps = min(self.steps, size)  # the Krylov space is then the whole space
        rounding = relative_rounding(jacobian)
        floor = max(self.floor, rounding)
        whitening = measure_whitening(jacobian, self.whitening, floor, sample_ids, seed)
        band = bidiagonalise(
            lambda v: jacobian.jvp(whitening.apply(v)),
            lambda u: whitening.apply(jacobian.vjp(u)),
            _signs(jacobian, self.probes, sample_ids, seed),
            steps,
            rounding,
        )
        samples = size * log_quadrature(band, floor) - whitening.log_det
        error = samples.std(dim=0).nan_to_num(0) / math.sqrt(self.probes)  # -inf has no spread
        unresolved = "" if steps == size else f"what {steps} steps do not resolve, so that the mean is too large; "
        below = f"how far singular values are below {floor:.1e} of the largest"
        products = band.products.sum(dim=0) + self.whitening
        return Distortion(samples.mean(dim=0), error, products, left_out=unresolved + below)


def _signs(jacobian: Jacobian, count: int, sample_ids: Sequence[str], seed: int) -> Tensor:
    """Vectors of unit length and random signs for each image, ``(count, n, *latent)``."""
    shape = (count, *jacobian.latents.shape[1:])
    drawn = [
        torch.randint(0, 2, shape, generator=generator_for(seed, key, "lanczos"), dtype=torch.int8, device="cpu")
        for key in sample_ids
    ]
    signs = torch.stack(drawn, dim=1).to(jacobian.latents) * 2 - 1
    return signs / math.sqrt(jacobian.latent_size)
