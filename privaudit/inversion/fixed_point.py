"""The loop around every solver: evaluate, record, remember the best iterate, drop finished images."""

from __future__ import annotations

import torch
from torch import Tensor

from privaudit.inversion.inversion_result import Inversion
from privaudit.inversion.mixing import lengths
from privaudit.inversion.problem import Problem
from privaudit.inversion.rounding import rounding_floor
from privaudit.inversion.solver import Evaluation, Solver

MAX_GROWTH = 10.0
"""An image has diverged when its judged residual exceeds its first value by this factor, and exceeds 1."""


def solve(problem: Problem, solver: Solver) -> Inversion:
    """Run a solver; an image that has converged or diverged costs no further evaluations.

    Returns:
        The best iterate of each image. An image whose residual was never finite gets E(x) and counts as diverged.
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
            # Everything with an axis of active images shrinks together, the solver's memory included.
            active = ~finished
            rows, at, memory = rows[active], at[active], {name: part[active] for name, part in memory.items()}
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
        self.smallest = torch.full((count,), torch.inf, device=device)
        self.evaluations = torch.zeros(count, dtype=torch.int64, device=device)
        self.diverged = torch.zeros(count, dtype=torch.bool, device=device)

    def record(self, iteration: int, at: Evaluation, rows: Tensor) -> Tensor:
        """Record an evaluation.

        Args:
            iteration: Number of the iteration, from 0.
            at: Evaluation at the iterates of the active images.
            rows: Indices of these images, ``(a,)``.

        Returns:
            Whether each of them has converged or diverged, ``(a,)``, bool.
        """
        pixel = lengths(at.reconstruction_errors) / self.problem.image_scale[rows]
        if self.solver.by_gradient:
            # The residual would cost an encoder pass per iterate. `result` computes that of the best iterate alone.
            residual = torch.full_like(pixel, torch.nan)
        else:
            residual = lengths(at.residuals) / self.problem.latent_scale[rows]
        judged = residual if self.solver.judge == "latent" else pixel
        if iteration == 0:
            self.start[rows] = judged
        # Columns have one row per image of the batch; images that have stopped get NaN.
        for history, values in ((self.residuals, residual), (self.pixel_residuals, pixel)):
            column = torch.full_like(self.smallest, torch.nan)
            column[rows] = values
            history.append(column)
        converged = residual <= self.solver.tolerance
        # An image stops when it converges, so its last iterate is returned even if another has a smaller pixel error.
        better = (judged < self.smallest[rows]) | converged
        improved = rows[better]
        self.smallest[improved], self.best[improved] = judged[better], iteration
        self.latents[improved] = at.iterates[better]
        self.evaluations[rows] += 1
        # Such a solver returns to an earlier iterate by itself, so a grown residual does not end the run.
        if iteration > 0 and self.solver.recovers:
            return converged
        # At least 1, because steps of a fixed length, such as Adam's, first lead away from a nearly exact start.
        limit = (MAX_GROWTH * self.start[rows]).clamp_min(1.0)
        bounded = (judged <= limit) & torch.isfinite(lengths(at.residuals))  # false for NaN
        diverged = ~bounded & ~converged
        self.diverged[rows[diverged]] = True
        return converged | diverged

    def result(self) -> Inversion:
        """Join the columns, and compute what only the returned iterates need."""
        residuals = torch.stack(self.residuals, dim=1)
        all_rows = torch.arange(len(self.smallest), device=self.smallest.device)
        if self.solver.by_gradient:
            last = self.problem.evaluate(self.latents, all_rows)
            residuals[all_rows, self.best] = lengths(last.residuals) / self.problem.latent_scale
        inversion = Inversion(
            latents=self.latents,
            encoded=self.problem.encoded,
            residuals=residuals,
            pixel_residuals=torch.stack(self.pixel_residuals, dim=1),
            best=self.best,
            evaluations=self.evaluations,
            tolerance=self.solver.tolerance,
            diverged=self.diverged,
            floor=torch.full_like(self.smallest, torch.nan),
        )
        if self.problem.autoencoder.dtype in (torch.float16, torch.bfloat16):
            # Two evaluations per image, spent only where the rounding floor could explain the outcome.
            rows = all_rows[~inversion.converged & ~inversion.diverged]
            inversion.floor[rows] = rounding_floor(self.problem, inversion.latents[rows], rows)
        return inversion
