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
from privaudit.model.target import Target, require_finite
from privaudit.registry import KindRegistry, Named

Need = Literal["images", "captions", "flow model", "gradients"]
"""What an attack cannot run without, in addition to latents and denoiser."""


@dataclass(frozen=True)
class Attack(Named, ABC):
    """Base of all attacks: frozen dataclasses of hyper-parameters, without state.

    Attributes:
        preset: Name of the published parameters that were asked for, ``name@preset``; empty for our defaults.
        variant: Parameters that tell it from others of its name, such as ``order=2``; empty if it is the only one.
        candidate_of: Line of the report in which it is compared with its variants; empty if it has its own.
        presets: Parameters by name of the preset.
        needs: What it cannot run without.
        axis: What its columns are: values of which cross-fitting chooses one.
        learned: Whether its columns are features of a classifier, and none a score by itself.
        additive: Whether errors under complementary masks add up to the error without a mask.
        published: Whether others published it; ours are compared with the best of these.
        scale: What its errors are: an ``energy``, positive; the ``log`` of one; or ``other``.
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
        """Line of the report: its own, or that of all its variants, among which one is chosen for each fold."""
        return self.candidate_of or self.label

    @property
    def candidates(self) -> tuple[float, ...]:
        """What the columns of `measure` are; empty if there is one score, or if they are features."""
        return ()

    @property
    def own_levels(self) -> tuple[int, ...]:
        """Every noise level at which it asks the denoiser, after `for_target`."""
        return ()

    def for_target(self, target: Target) -> Self:
        """Take the levels that suit a target, unless they were given.

        Returns:
            The attack with levels of this target.

        Raises:
            ConfigError: A level that was given does not exist there.
        """
        del target
        return self

    def unsupported_reason(self, target: Target) -> str | None:
        """Say why the attack cannot run on a target; None if it can."""
        if "captions" in self.needs and not target.takes_captions:
            return "needs a text-to-image target, and this one takes no captions"
        if "flow model" in self.needs and target.info.prediction_type != "flow":
            return f"needs a flow model, and this one predicts {target.info.prediction_type}"
        return None

    @abstractmethod
    def measure(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Measure the errors of a batch, small for members, or features if the attack is `learned`.

        Args:
            batch: Latents and denoiser.
            masks: Name to ``(n, *latent)``.

        Returns:
            Name to ``(n, columns)``, float64.
        """


@dataclass(frozen=True)
class LevelAttack(Attack):
    """Base of attacks that look at one or more noise levels.

    Attributes:
        levels: What the denoiser is told; empty takes `log_snr`, or the defaults for the target.
        log_snr: 2 log(alpha / sigma), for comparing models of different schedules; the nearest levels are taken.
        grid: Default levels on models that predict noise or the sample.
        log_snr_grid: Default on models that predict v or a flow, whose schedules differ more.
    """

    alternatives: ClassVar[Mapping[str, str]] = {"log_snr": "levels"}
    grid: ClassVar[tuple[int, ...]]
    log_snr_grid: ClassVar[tuple[float, ...]]
    levels: tuple[int, ...] = ()
    log_snr: tuple[float, ...] = ()

    def common_problems(self) -> list[str]:
        """Levels are distinct, not negative, and given once."""
        problems = super().common_problems()
        for name in ("levels", "log_snr"):
            given = getattr(self, name)
            if not all(math.isfinite(value) for value in given):
                problems.append(f"expected finite {name} for {self.name}, got {given}")
            if len(set(given)) != len(given):
                problems.append(f"expected distinct {name} for {self.name}, got {given}")
        if any(level < 0 for level in self.levels):
            problems.append(f"expected levels >= 0 for {self.name}, got {self.levels}")
        if self.levels and self.log_snr:
            problems.append(f"expected levels or log_snr for {self.name}, got both; leave one out")
        return problems

    @property
    def own_levels(self) -> tuple[int, ...]:
        """The levels."""
        return self.levels

    def for_target(self, target: Target) -> Self:
        """Take the given levels, those nearest to the given log SNR, or the defaults for this kind of model."""
        schedule = target.schedule
        if self.levels:
            if max(self.levels) > schedule.last:
                raise ConfigError([
                    f"expected levels of {self.label} from 0 to {schedule.last} for this target, got {max(self.levels)}"
                ])
            return self
        if not self.log_snr and target.info.prediction_type in ("epsilon", "sample"):
            return replace(self, levels=tuple(dict.fromkeys(min(level, schedule.last) for level in self.grid)))
        wanted = self.log_snr or self.log_snr_grid
        return replace(self, levels=tuple(dict.fromkeys(map(schedule.nearest, wanted))), log_snr=())


@dataclass(frozen=True)
class FieldAttack(LevelAttack):
    """Base of attacks whose error at a level is the norm of a field shaped like the latent.

    Attributes:
        order: p of the norm.
    """

    scale = "energy"
    order: float = 2.0

    def common_problems(self) -> list[str]:
        """The order is positive, too."""
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
        """Reduce the field of each level under every mask."""
        found = [masked_errors(self.error_field(batch, level), masks, self.order) for level in self.levels]
        return {name: torch.stack([errors[name] for errors in found], dim=1) for name in masks}


ATTACKS = KindRegistry[Attack]("an attack", folder="privaudit.attacks", listed_by="privaudit attacks")
register = register_attack = ATTACKS.register
"""Decorator that adds an attack under its ``name``."""


def masked_errors(field_: Tensor, masks: Mapping[str, Tensor], order: float) -> dict[str, Tensor]:
    """Reduce an error field to an error per image and mask: sum_i m_i |e_i|^order.

    With a hard mask this is ||e * 1_I||_p^p; with weights that sum to one, the weighted mean of |e_i|^p. Differs from
    Rao et al. 2026 in the power only: the p-th power of the norm ranks images like the norm.

    Args:
        field_: ``(n, *latent)``.
        masks: Name to ``(n, *latent)``.
        order: p.

    Returns:
        Name to ``(n,)``, float64.
    """
    powers = field_.double().abs().pow(order).flatten(1)
    return {name: (powers * mask.to(powers).flatten(1)).sum(dim=1) for name, mask in masks.items()}


def score_batch(attacks: Sequence[Attack], batch: Batch, masks: Mapping[str, Tensor]) -> dict[tuple[str, str], Tensor]:
    """Score a batch with every attack under every mask, each distinct pass run once.

    The one place where the sign is flipped: score = -error.

    Args:
        attacks: With distinct labels and levels of the target (`Attack.for_target`).
        batch: Latents and denoiser.
        masks: Name to ``(n, *latent)``.

    Returns:
        (label, mask) to ``(n, columns)``, float64, on the CPU; higher = more likely a member. Features of a learned
        attack are as they are.

    Raises:
        NonFiniteError: An error is NaN or infinite; names attack and images.
    """
    scores: dict[tuple[str, str], Tensor] = {}
    with torch.no_grad():
        for attack in attacks:
            batch.cache.attack = attack.label
            for name, values in attack.measure(batch, masks).items():
                require_finite(values, f"error of {attack.label}", batch.sample_ids)
                scores[attack.label, name] = (values if attack.learned else -values).cpu()
    return scores
