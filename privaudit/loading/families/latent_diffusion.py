"""Latent diffusion without conditions (Rombach et al. 2022, arXiv:2112.10752), as `LDMPipeline` saves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from privaudit.loading.families.contract import Family, Network, Pipeline, register_family, unsupported_conditions
from privaudit.model.prompt import Prompt


@register_family
class LatentDiffusion(Family):
    """A U-Net conditioned on the noise level alone."""

    pipeline = "LDMPipeline"
    kind = "unconditional"
    denoiser = "unet"
    networks = ("UNet2DModel",)
    reads = ()

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Return no tensors."""
        del pipeline, prompts
        return {}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the U-Net."""
        del condition
        output: Tensor = network(noisy, level).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List conditions of the U-Net, which are not supported."""
        return unsupported_conditions(pipeline.unet.config)
