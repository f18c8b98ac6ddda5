"""SecMI: how well a step of deterministic diffusion and its inverse agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from privaudit.attacks.base import FieldAttack, register
from privaudit.attacks.batch import Batch


@register
@dataclass(frozen=True)
class Secmi(FieldAttack):
    """||psi(phi(z_t)) - z_t||^2, z_t by DDIM inversion   (Duan et al., ICML 2023, arXiv:2302.01316).

    z_0 is moved along the predicted noise in steps of s levels to level t - s, then one step forward to t (phi) and one
    step back (psi). The forward step is the next step of the inversion, so a level costs one pass in addition to the
    path to it: t / s + 1 passes. Levels share their paths.

    Attributes:
        order: p of the norm; the authors take 2.
        step: s, levels per step; the authors take 10.
    """

    name: ClassVar[str] = "secmi"
    citation: ClassVar[str] = "Duan et al. 2023, arXiv:2302.01316"
    summary: ClassVar[str] = "error of a deterministic step and its inverse"
    presets = {"paper": {"levels": (100,)}}
    grid = (50, 100, 200)
    log_snr_grid = (4.0, 2.0, 0.0)
    order: float = 2.0
    step: int = 10

    def problems(self) -> list[str]:
        """Require steps of at least one level, and levels that are at least one step away from 0."""
        problems = self.at_least(1, "step")
        if any(level < self.step for level in self.levels):
            problems.append(f"expected levels >= step = {self.step} for {self.name}, got {self.levels}")
        return problems

    def path(self, level: int) -> tuple[int, ...]:
        """0, s, 2 s, ... up to the level, which ends the path even if it is not a multiple of s."""
        return (*range(0, level, self.step), level)

    def error_field(self, batch: Batch, level: int) -> Tensor:
        """psi(phi(z_t)) - z_t, ``(n, *latent)``."""
        path = self.path(level)
        before, beyond = batch.ddim_invert(path[:-1]), batch.ddim_invert(path)
        return batch.step(beyond, batch.predict(beyond, path[-1]), path[-1], path[-2]) - before
