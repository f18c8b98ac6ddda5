"""The loop around every solver: evaluate, record, keep the best, let finished images go."""

from __future__ import annotations

import torch
from torch import Tensor

from privaudit.inversion.inversion_result import Inversion
from privaudit.inversion.mixing import lengths
from privaudit.inversion.problem import Problem
from privaudit.inversion.rounding import rounding_floor
from privaudit.inversion.solver import Evaluation, Solver

DIVERGED = 10.0
"""An image is given up when what judges it has grown by this factor over its first value, and above 1."""


def solve(problem: Problem, solver: Solver) -> Inversion:
    """Run a solver; an image that has converged or diverged costs no further evaluations.

    Returns:
        The best iterate of each image. One whose residual was never finite keeps E(x) and counts as diverged.
    """
    count, device = len(problem), problem.encoded.device
    iterates, rows = problem.encoded.clone(), torch.arange(count, device=device)
    history = History(problem, solver)
    memory: dict[str, Tensor] = {}
    for iteration in range(solver.evaluations):
        at = problem.evaluate(iterates, rows, by_gradient=solver.by_gradient)
        finished = history.record(iteration, at, rows)
        if iteration + 1 == solver.evaluations or bool(finished.all()):
            break
        if bool(finished.any()):
            going = ~finished
            rows, at, memory = rows[going], at[going], {name: part[going] for name, part in memory.items()}
        iterates, memory = solver.step(iteration, at, memory)
    return history.result()


class History:
    """Residuals of every iterate, and the best iterate of each image so far."""

    def __init__(self, problem: Problem, solver: Solver) -> None:
        """Start with E(x) as the best iterate."""
        count, device = len(problem), problem.encoded.device
        self.problem, self.solver = problem, solver
        self.latents = problem.encoded.clone()
        self.residuals: list[Tensor] = []
        self.pixel_residuals: list[Tensor] = []
        self.start = torch.full((count,), torch.nan, device=device)
        self.best = torch.zeros(count, dtype=torch.int64, device=device)
        self.least = torch.full((count,), torch.inf, device=device)
        self.evaluations = torch.zeros(count, dtype=torch.int64, device=device)
        self.diverged = torch.zeros(count, dtype=torch.bool, device=device)

    def record(self, iteration: int, at: Evaluation, rows: Tensor) -> Tensor:
        """Take note of an evaluation.

        Args:
            iteration: Number of the iteration, from 0.
            at: E and D at the iterates of some images.
            rows: ``(a,)``: which images.

        Returns:
            ``(a,)``, bool: which of them have converged or diverged.
        """
        pixel = lengths(at.reconstruction_errors) / self.problem.image_scale[rows]
        if self.solver.by_gradient:
            residual = torch.full_like(pixel, torch.nan)  # would cost the encoder; the best iterate's comes last
        else:
            residual = lengths(at.residuals) / self.problem.latent_scale[rows]
        judged = residual if self.solver.judge == "latent" else pixel
        if iteration == 0:
            self.start[rows] = judged
        for history, values in ((self.residuals, residual), (self.pixel_residuals, pixel)):
            column = torch.full_like(self.least, torch.nan)
            column[rows] = values
            history.append(column)
        converged = residual <= self.solver.tolerance
        better = (judged < self.least[rows]) | converged
        improved = rows[better]
        self.least[improved], self.best[improved] = judged[better], iteration
        self.latents[improved] = at.iterates[better]
        self.evaluations[rows] += 1
        if iteration > 0 and self.solver.recovers:
            return converged
        # above 1 too: steps of a fixed length, as Adam's, first lead away from a start that is nearly exact
        limit = (DIVERGED * self.start[rows]).clamp_min(1.0)
        fine = (judged <= limit) & torch.isfinite(lengths(at.residuals))
        lost = ~fine & ~converged
        self.diverged[rows[lost]] = True
        return converged | lost

    def result(self) -> Inversion:
        """Join the columns; add what only the returned iterates need."""
        residuals = torch.stack(self.residuals, dim=1)
        everyone = torch.arange(len(self.least), device=self.least.device)
        if self.solver.by_gradient:
            last = self.problem.evaluate(self.latents, everyone)
            residuals[everyone, self.best] = lengths(last.residuals) / self.problem.latent_scale
        found = Inversion(
            latents=self.latents,
            encoded=self.problem.encoded,
            residuals=residuals,
            pixel_residuals=torch.stack(self.pixel_residuals, dim=1),
            best=self.best,
            evaluations=self.evaluations,
            tolerance=self.solver.tolerance,
            diverged=self.diverged,
            floor=torch.full_like(self.least, torch.nan),
        )
        if self.problem.autoencoder.dtype in (torch.float16, torch.bfloat16):
            rows = everyone[~found.converged & ~found.diverged]
            found.floor[rows] = rounding_floor(self.problem, found.latents[rows], rows)
        return found
