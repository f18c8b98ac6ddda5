"""What every decoder-inversion solver takes and gives, and the list of them.

Given images x, find latents z with D(z) = x, without backpropagation: solve T(z) = E(D(z)) - E(x) = 0
from z = E(x) (Hong et al. 2024, arXiv:2409.18442).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from privaudit.errors import ConfigError
from privaudit.target import Target


@dataclass(frozen=True)
class Inversion:
    """Latents of a batch of images, with what is known about their convergence.

    Attributes:
        latents: ``(n, *latent)``: the iterate of least residual of each image.
        encoded: ``(n, *latent)``: E(x), the start.
        residuals: ``(n, evaluations)``: ||E(D(z_k)) - E(x)|| / ||E(x)|| of every evaluated iterate.
        tolerance: The residual at which an image counts as converged.
    """

    latents: Tensor
    encoded: Tensor
    residuals: Tensor
    tolerance: float

    @property
    def residual(self) -> Tensor:
        """``(n,)``: relative residual of the returned latents."""
        return self.residuals.min(dim=1).values

    @property
    def converged(self) -> Tensor:
        """``(n,)``, bool: whether the residual reached the tolerance."""
        return self.residual <= self.tolerance


class Solver(Protocol):
    """A frozen dataclass of hyper-parameters: images in, `Inversion` out.

    Attributes:
        evaluations: Evaluations of E(D(z)) an image.
        tolerance: Relative residual at which an image counts as converged.
    """

    @property
    def evaluations(self) -> int:
        """Evaluations of E(D(z)) an image."""

    @property
    def tolerance(self) -> float:
        """Relative residual at which an image counts as converged."""

    def __call__(self, target: Target, images: Tensor) -> Inversion:
        """Invert ``(n, 3, h, w)`` in [-1, 1]."""


Kind = TypeVar("Kind", bound=type)
SOLVERS: dict[str, type] = {}


def register(name: str) -> Callable[[Kind], Kind]:
    """Add a solver class under a name; its file is imported by `privaudit.inversion`."""

    def add(kind: Kind) -> Kind:
        SOLVERS[name] = kind
        return kind

    return add


def make_solver(name: str) -> Solver:
    """Return the named solver with its default parameters.

    Args:
        name: A key of `SOLVERS`.

    Returns:
        The solver.

    Raises:
        ConfigError: There is no such solver.
    """
    if name not in SOLVERS:
        raise ConfigError([f"expected an inversion solver of {', '.join(sorted(SOLVERS))}, got {name}"])
    solver: Solver = SOLVERS[name]()
    return solver


Update = Callable[[int, Tensor, Tensor], Tensor]
"""(iteration from 0, iterate, T(iterate)) -> next iterate."""


def iterate(target: Target, images: Tensor, update: Update, evaluations: int, tolerance: float) -> Inversion:
    """Run a fixed-point iteration on T and keep the best iterate of each image.

    Args:
        target: Gives E and D.
        images: ``(n, 3, h, w)`` in [-1, 1].
        update: The solver's step.
        evaluations: Evaluations of E(D(z)), the last of which judges the last iterate.
        tolerance: See `Inversion`.

    Returns:
        The best iterate of each image and the residual of every one. An image whose residual is not
        finite keeps its best earlier iterate (E(x) if there is none) and an infinite residual.
    """
    with torch.no_grad():
        encoded = target.encode(images)
        scale = _norm(encoded).clamp_min(torch.finfo(torch.float32).tiny)
        latents, best = encoded.clone(), encoded.clone()
        least = torch.full((len(encoded),), torch.inf, device=encoded.device)
        residuals = []
        for step in range(evaluations):
            gap = target.encode(target.decode(latents)) - encoded
            residual = (_norm(gap) / scale).nan_to_num(nan=torch.inf)
            residuals.append(residual)
            better = residual < least
            least = torch.where(better, residual, least)
            best[better] = latents[better]
            if step + 1 < evaluations:
                latents = update(step, latents, gap)
    return Inversion(best, encoded, torch.stack(residuals, dim=1), tolerance)


def _norm(values: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(values.flatten(1), dim=1)
    return norms
