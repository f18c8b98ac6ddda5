"""Noise levels of a model: the scales of signal and noise at each level, and the level with a given ratio of them.

A level is the time that the denoiser receives: an index of the training schedule of a diffusion model, or 1000 sigma of
a flow model; a preconditioned (EDM) network receives a function of it. Levels of different models are compared by their
log signal-to-noise ratio, log SNR = 2 log(alpha / sigma).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from privaudit.errors import ConfigError

MIN_SIGNAL = 1e-3
"""Signal scale below which a level says nothing about an image; with zero terminal SNR the last level has none."""


class Schedule(ABC):
    """Scales of signal and noise at each level from 0 to `last`; noise grows with the level."""

    @property
    @abstractmethod
    def last(self) -> int:
        """The noisiest level."""

    @abstractmethod
    def scales(self, level: int) -> tuple[float, float]:
        """Return alpha and sigma at a level that exists."""

    def network_time(self, level: int) -> float:
        """Return the time that the network receives at a level; the level itself unless a schedule says otherwise."""
        return level

    @property
    def last_with_signal(self) -> int:
        """The noisiest level at which something of the latent is left: its signal scale is at least `MIN_SIGNAL`."""
        low, high = 0, self.last
        while low < high:  # bisection: the signal falls with the level
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.scales(middle)[0] >= MIN_SIGNAL else (low, middle - 1)
        return low

    def alpha_sigma(self, level: int) -> tuple[float, float]:
        """Return the scales of signal and noise at a level: z_t = alpha z_0 + sigma eps.

        Args:
            level: Level from 0 to `last`.

        Returns:
            alpha and sigma.

        Raises:
            ConfigError: The level does not exist.
        """
        if not 0 <= level <= self.last:
            raise ConfigError([f"expected a noise level from 0 to {self.last} for this target, got {level}"])
        return self.scales(level)

    def log_snr(self, level: int) -> float:
        """2 log(alpha / sigma): infinity without noise, minus infinity without signal."""
        alpha, sigma = self.alpha_sigma(level)
        if sigma == 0:
            return math.inf
        return 2 * math.log(alpha / sigma) if alpha > 0 else -math.inf

    def nearest(self, log_snr: float) -> int:
        """Return the level whose log SNR is nearest to a value; of two at the same distance, the cleaner one."""
        low, high = 0, self.last
        # Bisection for the cleanest level whose log SNR is at most the requested one.
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.log_snr(middle) <= log_snr else (middle + 1, high)
        if low == 0 or log_snr == -math.inf:
            return low
        return min((low - 1, low), key=lambda level: abs(self.log_snr(level) - log_snr))


@dataclass(frozen=True)
class DiffusionSchedule(Schedule):
    """Schedule of a variance-preserving diffusion model: alpha^2 + sigma^2 = 1.

    Attributes:
        alphas_cumprod: Signal power at each level (alpha bar), decreasing.
    """

    alphas_cumprod: tuple[float, ...]

    @property
    def last(self) -> int:
        """The last index of the training schedule."""
        return len(self.alphas_cumprod) - 1

    def scales(self, level: int) -> tuple[float, float]:
        """sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t)."""
        power = self.alphas_cumprod[level]
        return float(power**0.5), float((1.0 - power) ** 0.5)


@dataclass(frozen=True)
class FlowSchedule(Schedule):
    """Schedule of a flow model: z_sigma = (1 - sigma) z_0 + sigma eps at level = 1000 sigma.

    The levels do not depend on the steps of the sampler.

    Attributes:
        steps: Level of pure noise, and the time that the network receives there.
    """

    steps: int = 1000

    @property
    def last(self) -> int:
        """The level of pure noise."""
        return self.steps

    def scales(self, level: int) -> tuple[float, float]:
        """1 - sigma and sigma."""
        return 1.0 - level / self.steps, level / self.steps


@dataclass(frozen=True)
class EDMSchedule(Schedule):
    """Schedule of a preconditioned model (Karras et al. 2022, arXiv:2206.00364): z = (z_0 + s eps) / sqrt(1 + s^2).

    The paper adds noise of scale s to the latent. Divided by sqrt(1 + s^2), that is a variance-preserving schedule.

    Attributes:
        noise_scales: s at each level, increasing and above 0.
    """

    noise_scales: tuple[float, ...]

    @property
    def last(self) -> int:
        """The last index of the noise scales."""
        return len(self.noise_scales) - 1

    def scales(self, level: int) -> tuple[float, float]:
        """1 / sqrt(1 + s^2) and s / sqrt(1 + s^2)."""
        scale = self.noise_scales[level]
        norm = math.hypot(1.0, scale)
        return 1.0 / norm, scale / norm

    def network_time(self, level: int) -> float:
        """log(s) / 4 (c_noise, Table 1 of the paper)."""
        return math.log(self.noise_scales[level]) / 4
