"""Checks the assumption of the convergence theorems for an image."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from privaudit.errors import ConfigError
from privaudit.inversion.mixing import lengths
from privaudit.inversion.problem import Problem
from privaudit.inversion.solver import Solver

LIMIT_ITERATION = 300
"""Iteration whose iterate stands for the limit z^inf, as in the paper."""


def not_along_t(solver: Solver) -> list[str]:
    """Explain why cocoercivity is undefined along the path of a solver; empty if it is defined."""
    if solver.by_gradient or type(solver).step is Solver.step:
        return [f"expected a solver that steps along T(z) for the cocoercivity, got {solver.name}; try forward-step"]
    return []


def cocoercivity(problem: Problem, solver: Solver) -> Tensor:
    """Minimum ratio min_k <EDz' - EDz_k, z' - z_k> / ||EDz' - EDz_k||^2 over the iterates of a solver, z' = z_300.

    (Hong et al. 2024, arXiv:2409.18442.) Theorems 1 and 2 assume that this value, their beta, is positive along the
    path. Forward steps with 0 < rho < 2 beta then converge. The iterates are computed twice, in 602 evaluations of
    E(D(z)), so that memory does not grow with their number.
    Differs from the paper: nothing is sampled, and every image runs all steps, whatever its residual. Left out are
    iterates that equal z' to rounding (a ten-thousandth of the first distance), and everything after a value that is
    not finite.

    Returns:
        ``(n,)``, float32; NaN where z_300 is not finite or no iterate differs from it.

    Raises:
        ConfigError: The solver takes no steps along T.
    """
    if problems := not_along_t(solver):
        raise ConfigError(problems)
    # Solvers with a schedule take its length from the number of evaluations.
    solver = replace(solver, evaluations=LIMIT_ITERATION + 1)
    rows = torch.arange(len(problem), device=problem.encoded.device)

    def path(limit: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        iterates, memory = problem.encoded.clone(), dict[str, Tensor]()
        minimum = torch.full((len(rows),), torch.inf, device=iterates.device)
        first = torch.zeros_like(minimum)
        for iteration in range(LIMIT_ITERATION + 1):
            at = problem.evaluate(iterates, rows)
            if limit is not None:
                # z' - z and T(z') - T(z), in which E(x) cancels and EDz' - EDz remains.
                latent_step, residual_step = limit[0] - at.iterates, limit[1] - at.residuals
                squared = lengths(residual_step).square()
                first = squared if iteration == 0 else first
                ratio = (latent_step * residual_step).flatten(1).sum(dim=1) / squared
                # Below 1e-8 of the squared distance, a ten-thousandth of the distance, the ratio is rounding error.
                usable = torch.isfinite(ratio) & (squared > 1e-8 * first)
                minimum = torch.where(usable, torch.minimum(minimum, ratio), minimum)
            if iteration < LIMIT_ITERATION:
                iterates, memory = solver.step(iteration, at, memory)
        return at.iterates, at.residuals, minimum

    # The ratios need the limit, so the first run finds it and the second compares every iterate with it.
    iterates, residuals, _ = path(None)
    _, _, minimum = path((iterates, residuals))
    defined = torch.isfinite(iterates).flatten(1).all(dim=1) & torch.isfinite(minimum)
    return torch.where(defined, minimum, torch.nan)
