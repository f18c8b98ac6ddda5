"""The encoder alone: what every other solver starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from privaudit.inversion.solver import Solver, register


@register
@dataclass(frozen=True)
class Encoder(Solver):
    """z = E(x); the one evaluation of E(D(z)) only says how far that is from an inverse.

    Attributes:
        evaluations: 1, there is nothing to iterate.
        tolerance: Relative residual at which an image counts as converged.
    """

    name: ClassVar[str] = "encoder"
    citation: ClassVar[str] = "the usual practice"
    summary: ClassVar[str] = "E(x), no inversion"
    evaluations: int = 1
    tolerance: float = 0.02

    def problems(self) -> list[str]:
        """Say what is wrong with the parameters."""
        return [] if self.evaluations == 1 else [f"expected evaluations = 1 for encoder, got {self.evaluations}"]
