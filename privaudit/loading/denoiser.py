"""A diffusers network whose output is converted to a noise prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from privaudit.errors import TargetError
from privaudit.loading.families.contract import Family
from privaudit.loading.heads import network_input, noise_from_output
from privaudit.model.condition import Condition
from privaudit.model.schedule import Schedule


@dataclass(frozen=True)
class PipelineDenoiser:
    """The denoiser of a pipeline, called as its family defines.

    Attributes:
        family: Family of the pipeline.
        module: Network, in eval mode, on its device.
        schedule: Schedule, with the alpha and sigma that convert the output.
        prediction_type: Output of the network (see `privaudit.loading.heads`).
        dtype: Precision of the weights.
    """

    family: Family
    module: nn.Module
    schedule: Schedule
    prediction_type: str
    dtype: torch.dtype

    def predict_noise(self, noisy: Tensor, level: int | Sequence[int], condition: Condition | None) -> Tensor:
        """Predict the noise at one level, or at one level per image; the output is converted in float32.

        Args:
            noisy: ``(n, *latent)``.
            level: Index of the training schedule of a diffusion model, or 1000 sigma of a flow model. The ``shift`` of
                a flow model's sampler has no effect on levels.
            condition: Condition from `Target.condition`; None only for an unconditional model.

        Returns:
            The noise, same shape, float32.

        Raises:
            TargetError: There is no condition, and the model needs one.
            ConfigError: The level does not exist.
        """
        if condition is None and self.family.kind != "unconditional":
            raise TargetError(
                f"expected a condition for a {self.family.kind} model, got none; pass target.condition(prompts), where "
                "a prompt may be Prompt()"
            )
        levels = [level] * len(noisy) if isinstance(level, int) else list(level)
        scales = torch.tensor([self.schedule.alpha_sigma(each) for each in levels], device=noisy.device)
        alpha, sigma = scales.view(-1, 2, *[1] * (noisy.ndim - 1)).unbind(dim=1)
        inputs = {
            name: values.to(self.dtype) if values.is_floating_point() else values
            for name, values in (condition or {}).items()
        }
        times = [self.schedule.network_time(each) for each in levels]
        scaled = network_input(self.prediction_type, noisy.float(), alpha, sigma).to(self.dtype)
        output = self.family.predict(self.module, scaled, torch.tensor(times, device=noisy.device), inputs).float()
        prediction = output[:, : noisy.shape[1]]  # any further channels are a learned variance
        return noise_from_output(self.prediction_type, prediction, noisy.float(), alpha, sigma)
