"""Latent diffusion without any condition (Rombach et al. 2022, arXiv:2112.10752), as `LDMPipeline` saves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from privaudit.loading.families.contract import Family, Network, Pipeline, register_family, unread_conditions
from privaudit.model.prompt import Prompt


@register_family
class LatentDiffusion(Family):
    """A U-Net that is told the noise level alone."""

    pipeline = "LDMPipeline"
    kind = "unconditional"
    denoiser = "unet"
    networks = ("UNet2DModel",)
    reads = ()

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Return nothing."""
        del pipeline, prompts
        return {}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the U-Net."""
        del condition
        output: Tensor = network(noisy, level).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Conditions of the U-Net are not read."""
        return unread_conditions(pipeline.unet.config)
