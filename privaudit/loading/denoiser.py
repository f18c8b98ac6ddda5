"""A diffusers U-Net whose output has become a noise prediction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from privaudit.loading.heads import noise_from_output
from privaudit.target import Schedule


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

    def predict_noise(self, noisy: Tensor, level: int, condition: Tensor | None) -> Tensor:
        """Predict the noise in ``(n, *latent)`` at a level; the conversion runs in float32."""
        alpha, sigma = self.schedule.alpha_sigma(level)
        levels = torch.full((len(noisy),), level, device=noisy.device, dtype=torch.int64)
        extra = {} if condition is None else {"encoder_hidden_states": condition.to(self.dtype)}
        output: Tensor = self.module(noisy.to(self.dtype), levels, **extra).sample.float()
        channels = noisy.shape[1]
        # a learned-variance head has twice the channels; the first half is the prediction
        return noise_from_output(self.prediction_type, output[:, :channels], noisy.float(), alpha, sigma)
