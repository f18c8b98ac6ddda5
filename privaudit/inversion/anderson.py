"""Anderson acceleration of the forward step, safeguarded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.inversion.mixing import combine, lengths, mixing_coefficients, per_image, remember
from privaudit.inversion.solver import Evaluation, Memory, Solver, positive, register

MIN_REGULARISATION = 1e-14
"""Minimum regularisation; below it, the Gram matrix may be singular in float64."""


@register
@dataclass(frozen=True)
class Anderson(Solver):
    """Anderson acceleration (type II) of z <- z - rho T(z), per image   (Anderson 1965; Walker & Ni 2011).

    With differences dz_j, dT_j of the last ``memory`` + 1 iterates, gamma = argmin ||T(z_k) - sum_j gamma_j dT_j||
    and   z_{k+1} = z_k - sum_j gamma_j dz_j - rho (T(z_k) - sum_j gamma_j dT_j).
    For a linear T this is GMRES. Not in Hong et al. 2024; it converges to the same fixed point in fewer evaluations.
    Our safeguards: The least-squares problem is solved in float64 on the scaled, regularised Gram matrix. An image
    whose residual exceeds its best by the factor ``growth`` returns to its best iterate, drops its differences and
    takes a plain step, which is halved after each failure in a row.

    Attributes:
        memory: Maximum number of remembered differences.
        rho: Damping: step along the mixed residual.
        regularisation: Regularisation of the Gram matrix, relative to its unit diagonal.
        growth: Ratio of the residual to the smallest one so far at which an image restarts.
        evaluations: Maximum number of evaluations of E(D(z)) per image.
        tolerance: Relative residual at which an image has converged and stops.
    """

    name: ClassVar[str] = "anderson"
    citation: ClassVar[str] = "Anderson 1965; Walker & Ni 2011, doi:10.1137/10078356X"
    summary: ClassVar[str] = "fixed-point iteration, extrapolated from its own history"
    recovers: ClassVar[bool] = True
    memory: int = 5
    rho: float = 1.0
    regularisation: float = 1e-8
    growth: float = 1.5
    evaluations: int = 20
    tolerance: float = 0.01

    def problems(self) -> list[str]:
        """Require positive memory and rho, enough regularisation, and growth of at least 1."""
        problems = positive(self, "memory", "rho")
        if self.regularisation < MIN_REGULARISATION:
            bound = f"{MIN_REGULARISATION:g}"
            problems.append(f"expected regularisation >= {bound} for {self.name}, got {self.regularisation}")
        if self.growth < 1:
            problems.append(f"expected growth >= 1 for {self.name}, got {self.growth}")
        return problems

    def step(self, iteration: int, at: Evaluation, memory: Memory) -> tuple[Tensor, Memory]:
        """Mix the iterates, or return to the best one and take a plain step."""
        return safeguarded_step(self, at, at.residuals, memory)


def safeguarded_step(solver: Anderson, at: Evaluation, minimised: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
    """Take a step of Anderson acceleration whose coefficients minimise ``minimised``.

    Args:
        solver: Solver with memory, rho, regularisation and growth.
        at: Evaluation at the current iterates.
        minimised: Quantity to minimise, ``(a, *shape)``: T(z), or the error in pixels.
        memory: Memory from the previous step: ``last`` and ``best`` iterate, differences ``d``, ``damping``.

    Returns:
        The next iterates and the next memory.
    """
    now = {"iterates": at.iterates, "residuals": at.residuals, "minimised": minimised}
    size = lengths(minimised)
    if not memory:
        start = {f"{place} {name}": part for name, part in now.items() for place in ("last", "best")}
        return at.iterates - solver.rho * at.residuals, {**start, "damping": torch.ones_like(size)}
    smallest = lengths(memory["best minimised"])
    # Negated, because every comparison with NaN is false: NaN must count as a failure.
    failed = ~((size <= solver.growth * smallest) & torch.isfinite(lengths(at.residuals)))
    better = (size < smallest) & ~failed
    # Damping recovers only with progress. Otherwise failures and neutral steps could alternate between the same two
    # iterates forever.
    restored = torch.where(better, (2 * memory["damping"]).clamp(max=1), memory["damping"])
    damping = torch.where(failed, memory["damping"] / 2, restored)
    best = {name: _where(better, part, memory[f"best {name}"]) for name, part in now.items()}
    differences = {}
    for name, part in now.items():
        extended = remember(memory.get(f"d {name}"), part - memory[f"last {name}"], solver.memory)
        differences[name] = _where(failed, torch.zeros_like(extended), extended)  # zero differences get coefficient 0
    gamma = mixing_coefficients(differences["minimised"], minimised, solver.regularisation)
    iterates = at.iterates - combine(gamma, differences["iterates"])
    residuals = at.residuals - combine(gamma, differences["residuals"])
    # After a failure, the iteration continues from the best iterate, and so does the next difference.
    last = {name: _where(failed, best[name], part) for name, part in now.items()}
    iterates, residuals = _where(failed, best["iterates"], iterates), _where(failed, best["residuals"], residuals)
    rho = solver.rho * torch.where(failed, damping, torch.ones_like(damping))
    remembered = {
        f"{place} {name}": part
        for place, parts in (("last", last), ("best", best), ("d", differences))
        for name, part in parts.items()
    }
    return iterates - per_image(rho, residuals) * residuals, {**remembered, "damping": damping}


def _where(flags: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(per_image(flags, new), new, old)
