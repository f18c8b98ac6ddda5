"""What an attack is, and the reducer that every attack shares.

Most attacks turn a batch of latents and a noise level into an *error field* shaped like the latent. The reducer applies
every mask and the norm to that one field, so masks cost no denoiser passes. `score_batch` flips the sign: from there on
a higher score means more likely a member.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from privaudit.attacks.batch import Batch
from privaudit.errors import ConfigError
from privaudit.model.schedule import DiffusionSchedule, FlowSchedule
from privaudit.model.target import Target, require_finite
from privaudit.registry import KindRegistry, Named

Need = Literal["images", "captions", "flow model", "gradients"]
"""What an attack cannot run without, in addition to latents and denoiser."""


@dataclass(frozen=True)
class Attack(Named, ABC):
    """Base of all attacks: frozen dataclasses of hyper-parameters, without state.

    Attributes:
        preset: Name of a set of published parameters, ``name@preset``; empty for our defaults.
        variant: Parameters that distinguish it from others of its name, such as ``order=2``; empty if it is the only
            one.
        candidate_of: Report line that it shares with its variants; empty if it has a line of its own.
        presets: Parameters by preset name.
        needs: What it cannot run without.
        axis: Meaning of the columns, such as ``level``; cross-fitting chooses one of their values.
        learned: Whether the columns are features of a classifier, none of them a score by itself.
        additive: Whether errors under complementary masks add up to the error without a mask.
        published: Whether others published it; our own attacks are compared with the best published one.
        scale: Kind of the errors: a positive ``energy``, the ``log`` of one, or ``other``.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    needs: ClassVar[tuple[Need, ...]] = ()
    axis: ClassVar[str] = "level"
    learned: ClassVar[bool] = False
    additive: ClassVar[bool] = True
    published: ClassVar[bool] = True
    scale: ClassVar[Literal["energy", "log", "other"]] = "other"
    preset: str = ""
    variant: str = ""
    candidate_of: str = ""

    @property
    def label(self) -> str:
        """Name in reports and on the command line: ``pian@eq``, ``sima:order=2``."""
        named = f"{self.name}@{self.preset}" if self.preset else self.name
        return f"{named}:{self.variant}" if self.variant else named

    @property
    def report_name(self) -> str:
        """Name of its report line. Variants share a line, and one of them is chosen for each fold."""
        return self.candidate_of or self.label

    @property
    def candidates(self) -> tuple[float, ...]:
        """Values of the columns of `measure`; empty if there is one score, or if the columns are features."""
        return ()

    @property
    def noise_levels(self) -> tuple[int, ...]:
        """Every noise level at which the denoiser runs, after `for_target`."""
        return ()

    def for_target(self, target: Target) -> Self:
        """Choose the levels that suit a target, unless the user configured some.

        Returns:
            The attack with levels of this target.

        Raises:
            ConfigError: A configured level does not exist on the target.
        """
        del target
        return self

    def unsupported_reason(self, target: Target) -> str | None:
        """Explain why the attack cannot run on a target; None if it can."""
        if "captions" in self.needs and not target.takes_captions:
            return "needs a text-to-image target, and this one takes no captions"
        if "flow model" in self.needs and not isinstance(target.schedule, FlowSchedule):
            return f"needs a flow model, and this one predicts {target.info.prediction_type}"
        return None

    @abstractmethod
    def measure(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Measure the errors of a batch, small for members, or features if the attack is `learned`.

        Args:
            batch: Latents and denoiser.
            masks: Masks by name, each ``(n, *latent)``.

        Returns:
            Errors by mask name, each ``(n, columns)``, float64.
        """


@dataclass(frozen=True)
class LevelAttack(Attack):
    """Base of attacks that run the denoiser at one or more noise levels.

    Attributes:
        levels: Noise levels; if empty, those of `log_snr`, or the defaults for the target.
        log_snr: 2 log(alpha / sigma), to compare models with different schedules; the nearest levels are used.
        grid: Default levels for models that predict noise or the sample.
        log_snr_grid: Default log SNR for models that predict v or a flow, whose schedules differ more.
    """

    alternatives: ClassVar[Mapping[str, str]] = {"log_snr": "levels"}
    grid: ClassVar[tuple[int, ...]]
    log_snr_grid: ClassVar[tuple[float, ...]]
    levels: tuple[int, ...] = ()
    log_snr: tuple[float, ...] = ()

    def common_problems(self) -> list[str]:
        """Require distinct, non-negative levels, given as ``levels`` or as ``log_snr`` but not both."""
        problems = super().common_problems()
        for name in ("levels", "log_snr"):
            values = getattr(self, name)
            if not all(math.isfinite(value) for value in values):
                problems.append(f"expected finite {name} for {self.name}, got {values}")
            if len(set(values)) != len(values):
                problems.append(f"expected distinct {name} for {self.name}, got {values}")
        if any(level < 0 for level in self.levels):
            problems.append(f"expected levels >= 0 for {self.name}, got {self.levels}")
        if self.levels and self.log_snr:
            problems.append(f"expected levels or log_snr for {self.name}, got both; leave one out")
        return problems

    @property
    def noise_levels(self) -> tuple[int, ...]:
        """The levels."""
        return self.levels

    def for_target(self, target: Target) -> Self:
        """Use the configured levels, those nearest to the configured log SNR, or the defaults for this model."""
        schedule = target.schedule
        if self.levels:
            if max(self.levels) > schedule.last:
                raise ConfigError([
                    f"expected levels of {self.label} from 0 to {schedule.last} for this target, got {max(self.levels)}"
                ])
            if max(self.levels) > schedule.last_with_signal:
                # With alpha = 0 a v or flow network has no part in the predicted noise, which is the latent itself.
                raise ConfigError([
                    f"expected levels of {self.label} up to {schedule.last_with_signal} for this target, got "
                    f"{max(self.levels)}, where nothing of the image is left, so that no score depends on the network"
                ])
            return self
        last = schedule.last_with_signal
        diffusion = isinstance(schedule, DiffusionSchedule) and target.info.prediction_type in ("epsilon", "sample")
        wanted = (
            self.grid if diffusion and not self.log_snr else map(schedule.nearest, self.log_snr or self.log_snr_grid)
        )
        # A short schedule clips several levels to its last; dict.fromkeys drops repeats and keeps the order.
        return replace(self, levels=tuple(dict.fromkeys(min(level, last) for level in wanted)), log_snr=())


@dataclass(frozen=True)
class FieldAttack(LevelAttack):
    """Base of attacks whose error at a level is the norm of a field shaped like the latent.

    Attributes:
        order: p of the norm.
    """

    scale = "energy"
    order: float = 2.0

    def common_problems(self) -> list[str]:
        """Require a positive order as well."""
        problems = super().common_problems()
        if not self.order > 0:
            problems.append(f"expected order > 0 for {self.name}, got {self.order}")
        return problems

    @property
    def candidates(self) -> tuple[float, ...]:
        """The levels."""
        return tuple(float(level) for level in self.levels)

    @abstractmethod
    def error_field(self, batch: Batch, level: int) -> Tensor:
        """Residual whose masked norm is the attack's error, ``(n, *latent)``; small for members."""

    def measure(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Reduce the field of each level under every mask, one column per level."""
        by_level = [masked_errors(self.error_field(batch, level), masks, self.order) for level in self.levels]
        return {name: torch.stack([errors[name] for errors in by_level], dim=1) for name in masks}


ATTACKS = KindRegistry[Attack]("an attack", folder="privaudit.attacks", listed_by="privaudit attacks")
register = register_attack = ATTACKS.register
"""Decorator that adds an attack under its ``name``."""


def masked_errors(field_: Tensor, masks: Mapping[str, Tensor], order: float) -> dict[str, Tensor]:
    """Reduce an error field to an error per image and mask: sum_i m_i |e_i|^order.

    With a hard mask this is ||e * 1_I||_p^p; with weights that sum to one, the weighted mean of |e_i|^p. Differs from
    Rao et al. 2026 in the power only: the p-th power of the norm ranks images like the norm.

    Args:
        field_: ``(n, *latent)``.
        masks: Masks by name, each ``(n, *latent)``.
        order: p.

    Returns:
        Errors by mask name, each ``(n,)``, float64.
    """
    # In float64: p = 4 of a half-precision field overflows, and sums of many small powers lose digits.
    powers = field_.double().abs().pow(order).flatten(1)
    return {name: (powers * mask.to(powers).flatten(1)).sum(dim=1) for name, mask in masks.items()}


def score_batch(attacks: Sequence[Attack], batch: Batch, masks: Mapping[str, Tensor]) -> dict[tuple[str, str], Tensor]:
    """Score a batch with every attack under every mask, each distinct pass run once.

    The sign is flipped here and nowhere else: score = -error.

    Args:
        attacks: Attacks with distinct labels and with levels of the target (`Attack.for_target`).
        batch: Latents and denoiser.
        masks: Masks by name, each ``(n, *latent)``.

    Returns:
        Scores by (label, mask), each ``(n, columns)``, float64, on the CPU; higher = more likely a member. Features of
        a learned attack are returned unchanged.

    Raises:
        NonFiniteError: An error is NaN or infinite; the message names the attack and the images.
    """
    scores: dict[tuple[str, str], Tensor] = {}
    with torch.no_grad():
        for attack in attacks:
            batch.cache.attack = attack.label
            for name, values in attack.measure(batch, masks).items():
                require_finite(values, f"error of {attack.label}", batch.sample_ids)
                scores[attack.label, name] = (values if attack.learned else -values).cpu()
    return scores
