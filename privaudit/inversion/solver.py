"""What an inversion solver is, and the registry of all solvers.

Given images x, find latents z with D(z) = x without backpropagation, by solving T(z) = E(D(z)) - E(x) = 0 from z = E(x)
(Hong et al. 2024, arXiv:2409.18442). A solver defines one step of the iteration. The loop around it
(`privaudit.inversion.fixed_point`) evaluates E and D, stops each image on its own and remembers its best iterate.
"""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor

from privaudit.registry import KindRegistry, Named


class Invertible(Protocol):
    """Encoder and decoder: a `Target`, or an autoencoder alone. Latents and images have any number of axes."""

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the computation; inputs and outputs are float32."""

    def encode(self, images: Tensor) -> Tensor:
        """E, ``(n, *image)`` to ``(n, *latent)``."""

    def decode(self, latents: Tensor) -> Tensor:
        """D, ``(n, *latent)`` to ``(n, *image)``."""


@dataclass(frozen=True)
class Evaluation:
    """E and D at the current iterates of the images that have not stopped.

    Attributes:
        iterates: Iterates z, ``(a, *latent)``.
        reconstruction_errors: Reconstruction errors D(z) - x, ``(a, *image)``.
        residuals: Fixed-point residuals T(z) = E(D(z)) - E(x), ``(a, *latent)``; for a gradient solver, the gradient of
            ||D(z) - x||^2.
    """

    iterates: Tensor
    reconstruction_errors: Tensor
    residuals: Tensor

    def __getitem__(self, rows: Tensor) -> Evaluation:
        """Select images by flags or indices ``(a,)``."""
        return Evaluation(self.iterates[rows], self.reconstruction_errors[rows], self.residuals[rows])


Memory = dict[str, Tensor]
"""State of a solver between steps; the first axis of every tensor is the images that have not stopped."""


@dataclass(frozen=True)
class Solver(Named, ABC):
    """Base of all solvers: frozen dataclasses of hyper-parameters, without state.

    Attributes:
        judge: Residual by which the best iterate is chosen, ``latent`` or ``pixel``.
        by_gradient: Whether steps use the gradient of the decoder instead of the encoder.
        recovers: Whether the solver itself returns to an earlier iterate when a residual has grown or is not finite.
        evaluations: Maximum number of evaluations of E(D(z)) per image.
        tolerance: Relative residual at which an image has converged and stops.
    """

    judge: ClassVar[Literal["latent", "pixel"]] = "latent"
    by_gradient: ClassVar[bool] = False
    recovers: ClassVar[bool] = False
    evaluations: int
    tolerance: float

    def common_problems(self) -> list[str]:
        """Require at least one evaluation and a tolerance that is not negative."""
        problems = self.at_least(1, "evaluations")
        if self.tolerance < 0:
            problems.append(f"expected tolerance >= 0 for {self.name}, got {self.tolerance}")
        return problems

    def step(self, iteration: int, at: Evaluation, memory: Memory) -> tuple[Tensor, Memory]:
        """Compute the next iterates.

        Returns:
            The next iterates ``(a, *latent)``, and the memory for the next step.
        """
        raise NotImplementedError(f"{self.name} takes no steps")


SOLVERS = KindRegistry[Solver]("an inversion solver", folder="privaudit.inversion", listed_by="privaudit solvers")
register = SOLVERS.register


def positive(solver: Solver, *names: str) -> list[str]:
    """List the named parameters that are not positive."""
    return [
        f"expected {name} > 0 for {solver.name}, got {getattr(solver, name)}"
        for name in names
        if not getattr(solver, name) > 0
    ]
