"""Diffusers networks whose output has become a noise prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from privaudit.errors import TargetError
from privaudit.loading.heads import noise_from_output
from privaudit.model.condition import Condition
from privaudit.model.schedule import Schedule
from privaudit.model.target import Conditioner


@dataclass(frozen=True)
class DiffusersUNet:
    """`UNet2DModel` or `UNet2DConditionModel`.

    Attributes:
        module: In eval mode, on its device.
        schedule: Gives alpha and sigma to the conversion of v and sample predictions.
        prediction_type: See `privaudit.loading.heads`.
        dtype: Of its weights.
    """

    module: nn.Module
    schedule: Schedule
    prediction_type: str
    dtype: torch.dtype

    def predict_noise(self, noisy: Tensor, level: int | Sequence[int], condition: Condition | None) -> Tensor:
        """Predict the noise in ``(n, *latent)`` at a level, or at one an image; the conversion runs in float32."""
        every = [level] * len(noisy) if isinstance(level, int) else list(level)
        levels = torch.tensor(every, device=noisy.device, dtype=torch.int64)
        extra = {} if condition is None else {name: values.to(self.dtype) for name, values in condition.items()}
        output: Tensor = self.module(noisy.to(self.dtype), levels, **extra).sample.float()
        # a learned-variance head has twice the channels; the first half is the prediction
        return to_noise(output[:, : noisy.shape[1]], noisy, every, self.schedule, self.prediction_type)


@dataclass(frozen=True)
class DiffusersTransformer:
    """`SD3Transformer2DModel`, told its level as the timestep 1000 sigma.

    The timesteps of a sampler are not used: they are warped by its ``shift`` and fall between levels.

    Attributes:
        module: In eval mode, on its device.
        schedule: Gives alpha and sigma.
        prediction_type: `FLOW`.
        dtype: Of its weights.
    """

    module: nn.Module
    schedule: Schedule
    prediction_type: str
    dtype: torch.dtype

    def predict_noise(self, noisy: Tensor, level: int | Sequence[int], condition: Condition | None) -> Tensor:
        """Predict the noise in ``(n, *latent)`` at a level, or at one an image; the conversion runs in float32.

        Args:
            noisy: ``(n, *latent)``.
            level: 1000 sigma, whole.
            condition: Hidden states and pooled vector of each image.

        Returns:
            The noise, same shape, float32.

        Raises:
            TargetError: There is no condition, or it has no pooled vector.
        """
        if condition is None:
            raise TargetError(
                "expected hidden states and a pooled vector to condition a Stable Diffusion 3 transformer on, "
                "got no such condition; pass what condition() of the target gives"
            )
        every = [level] * len(noisy) if isinstance(level, int) else list(level)
        output: Tensor = self.module(
            hidden_states=noisy.to(self.dtype),
            timestep=torch.tensor(every, device=noisy.device, dtype=torch.float32),
            **{name: values.to(self.dtype) for name, values in condition.items()},
        ).sample
        return to_noise(output, noisy, every, self.schedule, self.prediction_type)


@dataclass(frozen=True)
class Parts:
    """What a pipeline is made of, beside its autoencoder.

    Attributes:
        denoiser: Predicts noise.
        conditioner: None for an unconditional model.
    """

    denoiser: DiffusersUNet | DiffusersTransformer
    conditioner: Conditioner | None


def to_noise(output: Tensor, noisy: Tensor, levels: Sequence[int], schedule: Schedule, prediction_type: str) -> Tensor:
    """Turn a network's output into a noise prediction, each image at its level, in float32.

    Args:
        output: Of the network, ``(n, *latent)``.
        noisy: What it was given, same shape.
        levels: One an image.
        schedule: Gives alpha and sigma.
        prediction_type: See `privaudit.loading.heads`.

    Returns:
        The predicted noise, same shape, float32.
    """
    scales = torch.tensor([schedule.alpha_sigma(level) for level in levels], dtype=torch.float32, device=noisy.device)
    alpha, sigma = scales.view(-1, 2, *[1] * (noisy.ndim - 1)).unbind(dim=1)
    return noise_from_output(prediction_type, output.float(), noisy.float(), alpha, sigma)
