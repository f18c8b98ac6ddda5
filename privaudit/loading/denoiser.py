"""A diffusers network whose output has become a noise prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from privaudit.errors import TargetError
from privaudit.loading.families.contract import Family
from privaudit.loading.heads import noise_from_output
from privaudit.model.condition import Condition
from privaudit.model.schedule import Schedule


@dataclass(frozen=True)
class PipelineDenoiser:
    """The denoiser of a pipeline, called as its family calls it.

    Attributes:
        family: Says how.
        module: In eval mode, on its device.
        schedule: Gives alpha and sigma to the conversion of the output.
        prediction_type: See `privaudit.loading.heads`.
        dtype: Precision of its weights.
    """

    family: Family
    module: nn.Module
    schedule: Schedule
    prediction_type: str
    dtype: torch.dtype

    def predict_noise(self, noisy: Tensor, level: int | Sequence[int], condition: Condition | None) -> Tensor:
        """Predict the noise at a level, or at one per image; the conversion runs in float32.

        Args:
            noisy: ``(n, *latent)``.
            level: Index of the training schedule of a diffusion model; 1000 sigma of a flow model, whatever ``shift``
                makes of the timesteps of its sampler.
            condition: From the target's `condition`; None for an unconditional model alone.

        Returns:
            The noise, same shape, float32.

        Raises:
            TargetError: There is no condition, and the model needs one.
            ConfigError: There is no such level.
        """
        if condition is None and self.family.kind != "unconditional":
            raise TargetError(
                f"expected a condition for a {self.family.kind} model, got none; pass what condition() of the target "
                "gives for the prompts, which may be Prompt()"
            )
        levels = [level] * len(noisy) if isinstance(level, int) else list(level)
        scales = torch.tensor([self.schedule.alpha_sigma(each) for each in levels], device=noisy.device)
        alpha, sigma = scales.view(-1, 2, *[1] * (noisy.ndim - 1)).unbind(dim=1)
        given = {
            name: values.to(self.dtype) if values.is_floating_point() else values
            for name, values in (condition or {}).items()
        }
        indices = torch.tensor(levels, device=noisy.device, dtype=torch.int64)
        output = self.family.predict(self.module, noisy.to(self.dtype), indices, given).float()
        prediction = output[:, : noisy.shape[1]]  # a learned variance is behind it, with as many channels
        return noise_from_output(self.prediction_type, prediction, noisy.float(), alpha, sigma)
