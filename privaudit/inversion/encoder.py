"""The encoder alone, from which every other solver starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from privaudit.inversion.solver import Solver, register


@register
@dataclass(frozen=True)
class Encoder(Solver):
    """z = E(x); the single evaluation of E(D(z)) only measures how far this is from an inverse.

    Attributes:
        evaluations: Always 1, because nothing is iterated.
        tolerance: Relative residual at which an image counts as converged.
    """

    name: ClassVar[str] = "encoder"
    citation: ClassVar[str] = "the usual practice"
    summary: ClassVar[str] = "E(x), no inversion"
    evaluations: int = 1
    tolerance: float = 0.02

    def problems(self) -> list[str]:
        """Require exactly one evaluation."""
        return [] if self.evaluations == 1 else [f"expected evaluations = 1 for encoder, got {self.evaluations}"]
