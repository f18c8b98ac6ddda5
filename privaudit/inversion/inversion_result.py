"""What an inversion gives: latents, and everything that is known about how good they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn import functional

OUTCOMES = ("converged", "budget spent", "stalled", "at rounding floor", "diverged")
"""How the inversion of an image can end; all but the first return the best iterate that was met."""

PROGRESS = 0.01
"""An image whose least residual fell by less than this share in the last third of its evaluations has stalled."""


@dataclass(frozen=True)
class Inversion:
    """Latents of a batch of images, with the history of their residuals.

    Attributes:
        latents: ``(n, *latent)``, float32: the best iterate of each image.
        encoded: ``(n, *latent)``, float32: E(x), where every solver starts.
        residuals: ``(n, k)``: ||E(D(z_k)) - E(x)|| / ||E(x)|| of every evaluated iterate; NaN where an image
            was not evaluated, because it had stopped or because the solver does not need it.
        pixel_residuals: ``(n, k)``: ||D(z_k) - x|| / ||x|| of the same iterates.
        best: ``(n,)``, int64: column of the returned iterate.
        evaluations: ``(n,)``, int64: evaluations of E(D(z)) (for the gradient baseline, of D and its gradient).
        tolerance: The relative residual at which an image counts as converged.
        diverged: ``(n,)``, bool: the residual grew tenfold and above 1, or became NaN or infinite.
        floor: ``(n,)``: estimated effect of rounding on the residual, for images of a 16-bit run that did not
            converge; else NaN.
        nmse: ``(n,)``, in dB, against the true latents; None where they are not known.
        cocoercivity: ``(n,)`` (see `privaudit.inversion.cocoercivity`); None where it was not asked for.
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
        """``(n,)``: relative residual of the returned latents; infinite if none was finite."""
        return self._at_best(self.residuals)

    @property
    def pixel_residual(self) -> Tensor:
        """``(n,)``: relative pixel error of the returned latents; infinite if none was finite."""
        return self._at_best(self.pixel_residuals)

    @property
    def converged(self) -> Tensor:
        """``(n,)``, bool: whether the residual reached the tolerance."""
        return self.residual <= self.tolerance

    @property
    def stalled(self) -> Tensor:
        """``(n,)``, bool: neither converged nor diverged, and no progress in the last third of the evaluations.

        Where residuals are not evaluated (the gradient baseline), progress is that of the error in pixels.
        """
        steps = torch.arange(self.residuals.shape[1], device=self.residuals.device)
        early = steps < torch.ceil(self.evaluations * 2 / 3)[:, None]
        history = self.pixel_residuals if bool(self.residuals[:, 0].isnan().all()) else self.residuals
        values = history.nan_to_num(nan=torch.inf, posinf=torch.inf)
        before = values.masked_fill(~early, torch.inf).amin(dim=1)
        least = values.amin(dim=1)
        stuck = (least > (1 - PROGRESS) * before) & (self.evaluations >= 6)
        return stuck & ~self.converged & ~self.diverged

    @property
    def at_floor(self) -> Tensor:
        """``(n,)``, bool: not converged, and the residual is no larger than what 16-bit rounding causes."""
        return ~self.converged & ~self.diverged & (self.residual <= self.floor)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """How each image ended, one of `OUTCOMES`."""
        flags = torch.stack([self.converged, self.diverged, self.at_floor, self.stalled]).T.tolist()
        names = ("converged", "diverged", "at rounding floor", "stalled")
        return tuple(next((n for n, f in zip(names, row, strict=True) if f), "budget spent") for row in flags)

    @staticmethod
    def join(parts: Sequence[Inversion]) -> Inversion:
        """Join the inversions of several batches by one solver; histories are filled up with NaN."""
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
        """Return it with its tensors on a device."""
        found = {part.name: getattr(self, part.name) for part in fields(self)}
        moved = {name: value.to(device) for name, value in found.items() if isinstance(value, Tensor)}
        return replace(self, **moved)  # type: ignore[arg-type]

    def _at_best(self, history: Tensor) -> Tensor:
        return history.gather(1, self.best[:, None])[:, 0].nan_to_num(nan=torch.inf, posinf=torch.inf)


def nmse_db(latents: Tensor, truth: Tensor) -> Tensor:
    """Normalised mean squared error to the true latents: 10 log10(||z - z*||^2 / ||z*||^2).

    (Hong et al. 2024, arXiv:2409.18442.)

    Args:
        latents: ``(n, *latent)``.
        truth: ``(n, *latent)``, the latents that the images were decoded from.

    Returns:
        ``(n,)``, float64, in dB; -20 is a relative error of a tenth. NaN or infinite for a truth of zero.
    """
    error = (latents.double() - truth.to(latents.device).double()).square().flatten(1).sum(dim=1)
    return 10 * torch.log10(error / truth.to(latents.device).double().square().flatten(1).sum(dim=1))
