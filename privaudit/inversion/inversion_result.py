"""Result of an inversion: latents, and measures of their accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn import functional

OUTCOMES = ("converged", "budget spent", "stalled", "at rounding floor", "diverged")
"""Outcomes of the inversion of an image; all but the first return the best iterate of the run."""

MIN_PROGRESS = 0.01
"""Minimum relative decrease of the smallest residual over the last third of the evaluations.

An image with less progress has stalled.
"""


@dataclass(frozen=True)
class Inversion:
    """Latents of a batch of images, with the history of their residuals.

    Attributes:
        latents: Best iterate of each image, ``(n, *latent)``, float32.
        encoded: E(x), the start of every solver, ``(n, *latent)``, float32.
        residuals: ||E(D(z_k)) - E(x)|| / ||E(x)|| of every iterate, ``(n, k)``; NaN where it was not evaluated, because
            the image had stopped or because the solver does not need it.
        pixel_residuals: ||D(z_k) - x|| / ||x|| of the same iterates, ``(n, k)``.
        best: Column of the returned iterate, ``(n,)``, int64.
        evaluations: Evaluations of E(D(z)) per image (for the gradient baseline, of D and its gradient), ``(n,)``,
            int64.
        tolerance: Relative residual at which an image counts as converged.
        diverged: Whether the residual grew tenfold and above 1, or became NaN or infinite, ``(n,)``, bool.
        floor: Estimated effect of rounding on the residual, ``(n,)``, for images of a 16-bit run that did not
            converge; otherwise NaN.
        nmse: Error against the true latents in dB, ``(n,)``; None if they are unknown.
        cocoercivity: Cocoercivity along the path, ``(n,)`` (see `privaudit.inversion.cocoercivity`); None if it was not
            requested.
    """

    latents: Tensor
    encoded: Tensor
    residuals: Tensor
    pixel_residuals: Tensor
    best: Tensor
    evaluations: Tensor
    tolerance: float
    diverged: Tensor
    floor: Tensor
    nmse: Tensor | None = None
    cocoercivity: Tensor | None = None

    @property
    def residual(self) -> Tensor:
        """Relative residual of the returned latents, ``(n,)``; infinite if none was finite."""
        return self._at_best(self.residuals)

    @property
    def pixel_residual(self) -> Tensor:
        """Relative pixel error of the returned latents, ``(n,)``; infinite if none was finite."""
        return self._at_best(self.pixel_residuals)

    @property
    def converged(self) -> Tensor:
        """Whether the residual reached the tolerance, ``(n,)``, bool."""
        return self.residual <= self.tolerance

    @property
    def stalled(self) -> Tensor:
        """Whether an image neither converged nor diverged, and made no progress in the last third of its evaluations.

        ``(n,)``, bool. If residuals are not evaluated (the gradient baseline), the pixel error measures progress.
        """
        steps = torch.arange(self.residuals.shape[1], device=self.residuals.device)
        early = steps < torch.ceil(self.evaluations * 2 / 3)[:, None]
        # NaN in the first column of all images means that the solver records no latent residuals.
        history = self.pixel_residuals if bool(self.residuals[:, 0].isnan().all()) else self.residuals
        values = history.nan_to_num(nan=torch.inf, posinf=torch.inf)
        early_minimum = values.masked_fill(~early, torch.inf).amin(dim=1)
        minimum = values.amin(dim=1)
        # With fewer than 6 evaluations, the last third is a single one, which says little.
        no_progress = (minimum > (1 - MIN_PROGRESS) * early_minimum) & (self.evaluations >= 6)
        return no_progress & ~self.converged & ~self.diverged

    @property
    def at_floor(self) -> Tensor:
        """Whether an image did not converge, but its residual is within the effect of 16-bit rounding, ``(n,)``."""
        return ~self.converged & ~self.diverged & (self.residual <= self.floor)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Outcome of each image, one of `OUTCOMES`."""
        # The first flag that is set decides, in the order of the names.
        flags = torch.stack([self.converged, self.diverged, self.at_floor, self.stalled]).T.tolist()
        names = ("converged", "diverged", "at rounding floor", "stalled")
        return tuple(next((n for n, f in zip(names, row, strict=True) if f), "budget spent") for row in flags)

    @staticmethod
    def join(parts: Sequence[Inversion]) -> Inversion:
        """Join the inversions of several batches by one solver; shorter histories are padded with NaN."""
        width = max(part.residuals.shape[1] for part in parts)

        def joined(name: str) -> Tensor | None:
            values = [getattr(part, name) for part in parts]
            if any(value is None for value in values):
                return None
            if name in ("residuals", "pixel_residuals"):
                values = [functional.pad(value, (0, width - value.shape[1]), value=torch.nan) for value in values]
            return torch.cat(values)

        names = [part.name for part in fields(Inversion) if part.name != "tolerance"]
        return Inversion(tolerance=parts[0].tolerance, **{name: joined(name) for name in names})  # type: ignore[arg-type]

    def to(self, device: torch.device | str) -> Inversion:
        """Return a copy with all tensors on a device."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        moved = {name: value.to(device) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **moved)  # type: ignore[arg-type]

    def _at_best(self, history: Tensor) -> Tensor:
        return history.gather(1, self.best[:, None])[:, 0].nan_to_num(nan=torch.inf, posinf=torch.inf)


def nmse_db(latents: Tensor, truth: Tensor) -> Tensor:
    """Normalised mean squared error to the true latents: 10 log10(||z - z*||^2 / ||z*||^2).

    (Hong et al. 2024, arXiv:2409.18442.)

    Args:
        latents: ``(n, *latent)``.
        truth: Latents that the images were decoded from, ``(n, *latent)``.

    Returns:
        ``(n,)``, float64, in dB; -20 means a relative error of a tenth. NaN or infinite if the true latent is zero.
    """
    error = (latents.double() - truth.to(latents.device).double()).square().flatten(1).sum(dim=1)
    return 10 * torch.log10(error / truth.to(latents.device).double().square().flatten(1).sum(dim=1))
