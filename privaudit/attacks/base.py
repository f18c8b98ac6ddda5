"""What an attack is, and the reducer that every attack shares.

An attack turns a batch of latents and a noise level into an *error field* shaped like the latent. The
reducer applies every mask and the norm to that one field, so masks cost no denoiser passes, and flips
the sign: from there on a higher score means more likely a member.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.errors import ConfigError
from privaudit.noise import normal_for
from privaudit.target import Target, require_finite


@dataclass(frozen=True)
class Batch:
    """Latents of some images and the denoiser, with each distinct pass run once.

    Attributes:
        target: The audited model.
        latents: z_0, ``(n, *latent)``.
        sample_ids: One id an image; noise belongs to the id.
        condition: What `Target.condition` gave for the captions.
        seed: Of the audit.
    """

    target: Target
    latents: Tensor
    sample_ids: Sequence[str]
    condition: Tensor | None
    seed: int
    _clean: dict[int, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def predict(self, noisy: Tensor, level: int) -> Tensor:
        """Predict the noise in ``noisy`` at a level, ``(n, *latent)``: one pass."""
        return self.target.predict_noise(noisy, level, self.condition)

    def predict_clean(self, level: int) -> Tensor:
        """Predict noise at z_0 itself; attacks that ask for the same level share the pass."""
        if level not in self._clean:
            self._clean[level] = self.predict(self.latents, level)
        return self._clean[level]

    def noise(self, level: int, draw: int = 0) -> Tensor:
        """Standard normal noise of (seed, sample id, level, draw) alone, ``(n, *latent)``."""
        shape = self.latents.shape[1:]
        drawn = normal_for(self.seed, self.sample_ids, shape, "noise", level, draw)
        return drawn.to(self.latents.device)

    def noised(self, level: int, noise: Tensor) -> Tensor:
        """Return alpha z_0 + sigma noise."""
        alpha, sigma = self.target.alpha_sigma(level)
        return alpha * self.latents + sigma * noise


class Attack(ABC):
    """Base of all attacks: frozen dataclasses of hyper-parameters, without state.

    Attributes:
        name: In reports and on the command line.
        reference: Where the attack was published.
        summary: What it measures, in one line.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    summary: ClassVar[str]
    order: float
    levels: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check the parameters that all attacks share.

        Raises:
            ConfigError: No levels, repeated levels, or an order that is not positive.
        """
        problems = []
        if not self.levels or len(set(self.levels)) != len(self.levels):
            problems.append(f"expected one or more distinct levels for {self.name}, got {self.levels}")
        if any(level < 0 for level in self.levels):
            problems.append(f"expected levels >= 0 for {self.name}, got {self.levels}")
        if not 0 < self.order < float("inf"):
            problems.append(f"expected a finite order > 0 for {self.name}, got {self.order}")
        if problems:
            raise ConfigError(problems)

    @property
    @abstractmethod
    def cost(self) -> int:
        """Denoiser passes an image, over all levels, if it shares none."""

    @abstractmethod
    def error_field(self, batch: Batch, level: int) -> Tensor:
        """Residual whose masked norm is the attack's error, ``(n, *latent)``; small for members."""


REGISTRY: dict[str, type[Attack]] = {}


def register(kind: type[Attack]) -> type[Attack]:
    """Add an attack to the registry under its ``name``; its file is found by `privaudit.attacks`."""
    REGISTRY[kind.name] = kind
    return kind


def masked_scores(field_: Tensor, masks: Mapping[str, Tensor], order: float) -> dict[str, Tensor]:
    """Reduce an error field to a score per image and mask: score = -sum_i m_i |e_i|^order.

    The one place where the sign is flipped. With a hard mask this is -||e * 1_I||_p^p; with weights that
    sum to one, minus the weighted mean of |e_i|^p. Differs from Rao et al. 2026 in the power only: the
    p-th power of the norm ranks images like the norm.

    Args:
        field_: ``(n, *latent)``.
        masks: Name to ``(n, *latent)``.
        order: p.

    Returns:
        Name to ``(n,)``, float64, higher = more likely a member.
    """
    powers = field_.double().abs().pow(order).flatten(1)
    return {name: -(powers * mask.to(powers.device).double().flatten(1)).sum(dim=1) for name, mask in masks.items()}


def score_batch(attacks: Sequence[Attack], batch: Batch, masks: Mapping[str, Tensor]) -> dict[tuple[str, str], Tensor]:
    """Score a batch with every attack under every mask, from one set of denoiser passes.

    Args:
        attacks: With distinct names.
        batch: Latents and denoiser.
        masks: Name to ``(n, *latent)``.

    Returns:
        (attack, mask) to ``(n, levels)``, float64.

    Raises:
        NonFiniteError: An error field is NaN or infinite; names attack, level and images.
    """
    scores: dict[tuple[str, str], Tensor] = {}
    with torch.no_grad():
        for attack in attacks:
            by_level: dict[str, list[Tensor]] = {name: [] for name in masks}
            for level in attack.levels:
                found = attack.error_field(batch, level)
                require_finite(found, f"error of {attack.name} at level {level}", batch.sample_ids)
                for name, values in masked_scores(found, masks, attack.order).items():
                    by_level[name].append(values.cpu())
            scores.update({(attack.name, name): torch.stack(values, dim=1) for name, values in by_level.items()})
    return scores
