"""Whether the assumption behind the convergence theorems holds for an image."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from privaudit.errors import ConfigError
from privaudit.inversion.mixing import lengths
from privaudit.inversion.problem import Problem
from privaudit.inversion.solver import Solver

LIMIT = 300
"""The iterate that stands for the limit z^inf: the paper's z^300."""


def not_along_t(solver: Solver) -> list[str]:
    """Say why there is no cocoercivity along a solver's path; nothing if there is."""
    if solver.by_gradient or type(solver).step is Solver.step:
        return [f"expected a solver that steps along T(z) for the cocoercivity, got {solver.name}; try forward-step"]
    return []


def cocoercivity(problem: Problem, solver: Solver) -> Tensor:
    """Least ratio min_k <EDz' - EDz_k, z' - z_k> / ||EDz' - EDz_k||^2 over a solver's iterates, z' = z_300.

    (Hong et al. 2024, arXiv:2409.18442.) A positive value is what Theorems 1 and 2 assume along the
    path: with it as beta, forward steps of 0 < rho < 2 beta converge. The iterates are computed twice, so memory
    does not grow with their number: 602 evaluations of E(D(z)).
    Differs from the paper: nothing is sampled; every image runs all steps, whatever its residual. Iterates that
    equal z' to rounding (a ten-thousandth of the first distance) are left out, and so is everything after
    a value that is not finite.

    Returns:
        ``(n,)``, float32; NaN where z_300 is not finite or no iterate differs from it.

    Raises:
        ConfigError: The solver takes no steps along T.
    """
    if found := not_along_t(solver):
        raise ConfigError(found)
    solver = replace(solver, evaluations=LIMIT + 1)
    rows = torch.arange(len(problem), device=problem.encoded.device)

    def path(ratios_to: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        iterates, memory = problem.encoded.clone(), dict[str, Tensor]()
        least = torch.full((len(rows),), torch.inf, device=iterates.device)
        first = torch.zeros_like(least)
        for iteration in range(LIMIT + 1):
            at = problem.evaluate(iterates, rows)
            if ratios_to is not None:
                apart, moved = ratios_to[0] - at.iterates, ratios_to[1] - at.residuals  # E(x) cancels in T(z') - T(z)
                squared = lengths(moved).square()
                first = squared if iteration == 0 else first
                ratio = (apart * moved).flatten(1).sum(dim=1) / squared
                usable = torch.isfinite(ratio) & (squared > 1e-8 * first)
                least = torch.where(usable, torch.minimum(least, ratio), least)
            if iteration < LIMIT:
                iterates, memory = solver.step(iteration, at, memory)
        return at.iterates, at.residuals, least

    iterates, residuals, _ = path(None)
    _, _, least = path((iterates, residuals))
    known = torch.isfinite(iterates).flatten(1).all(dim=1) & torch.isfinite(least)
    return torch.where(known, least, torch.nan)
