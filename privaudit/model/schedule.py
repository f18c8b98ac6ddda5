"""Noise levels of a model: how much signal and noise a latent holds at each, and which level has a given ratio.

A level is what the denoiser is told: an index of the training schedule of a diffusion model, 1000 sigma of a flow
model. Levels of different models are compared by their log signal-to-noise ratio, log SNR = 2 log(alpha / sigma).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from privaudit.errors import ConfigError


class Schedule(ABC):
    """Signal and noise scale at each level from 0 to `last`; noise grows with the level."""

    @property
    @abstractmethod
    def last(self) -> int:
        """The noisiest level."""

    @abstractmethod
    def scales(self, level: int) -> tuple[float, float]:
        """Give alpha and sigma at a level that exists."""

    def alpha_sigma(self, level: int) -> tuple[float, float]:
        """Signal scale and noise scale at a level: z_t = alpha z_0 + sigma eps.

        Args:
            level: From 0 to `last`.

        Returns:
            alpha and sigma.

        Raises:
            ConfigError: There is no such level.
        """
        if not 0 <= level <= self.last:
            raise ConfigError([f"expected a noise level from 0 to {self.last} for this target, got {level}"])
        return self.scales(level)

    def log_snr(self, level: int) -> float:
        """2 log(alpha / sigma): infinite where there is no noise, minus infinite where there is no signal."""
        alpha, sigma = self.alpha_sigma(level)
        if sigma == 0:
            return math.inf
        return 2 * math.log(alpha / sigma) if alpha > 0 else -math.inf

    def nearest(self, log_snr: float) -> int:
        """Give the level whose log SNR is nearest to a value; the cleaner of two at the same distance."""
        low, high = 0, self.last
        while low < high:  # the first level that is at most as clean as asked for
            middle = (low + high) // 2
            low, high = (low, middle) if self.log_snr(middle) <= log_snr else (middle + 1, high)
        if low == 0 or log_snr == -math.inf:
            return low
        return min((low - 1, low), key=lambda level: abs(self.log_snr(level) - log_snr))


@dataclass(frozen=True)
class DiffusionSchedule(Schedule):
    """Of a variance-preserving diffusion model: alpha^2 + sigma^2 = 1.

    Attributes:
        alphas_cumprod: The cumulated signal power of each level, decreasing.
    """

    alphas_cumprod: tuple[float, ...]

    @property
    def last(self) -> int:
        """Levels are indices of the training schedule."""
        return len(self.alphas_cumprod) - 1

    def scales(self, level: int) -> tuple[float, float]:
        """sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t)."""
        power = self.alphas_cumprod[level]
        return float(power**0.5), float((1.0 - power) ** 0.5)


@dataclass(frozen=True)
class FlowSchedule(Schedule):
    """Of a flow model: z_sigma = (1 - sigma) z_0 + sigma eps, at level = 1000 sigma, whatever steps its sampler takes.

    Attributes:
        steps: Level at which there is nothing but noise; what the network is told there.
    """

    steps: int = 1000

    @property
    def last(self) -> int:
        """The level of pure noise."""
        return self.steps

    def scales(self, level: int) -> tuple[float, float]:
        """1 - sigma and sigma."""
        return 1.0 - level / self.steps, level / self.steps
