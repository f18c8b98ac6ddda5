"""Stable Diffusion 1 and 2 (Rombach et al. 2022, arXiv:2112.10752) and their fine-tunes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from privaudit.loading.families.contract import (
    Family,
    Network,
    Pipeline,
    TextEncoder,
    captions,
    register_family,
    unsupported_conditions,
    width_problems,
)
from privaudit.model.prompt import Prompt


@register_family
class StableDiffusion(Family):
    """A U-Net that attends to the last hidden states of one CLIP text encoder."""

    pipeline = "StableDiffusionPipeline"
    denoiser = "unet"
    networks = ("UNet2DConditionModel",)
    text_encoders = (TextEncoder("text_encoder", ("CLIPTextModel",), "tokenizer"),)
    flow = None  # rectified flows were trained on this U-Net, too

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        hidden, _ = pipeline.encode_prompt(captions(prompts), None, 1, do_classifier_free_guidance=False)
        return {"encoder_hidden_states": hidden}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the U-Net."""
        output: Tensor = network(noisy, level, **condition).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List conditions other than text, and compare the widths of text encoder and U-Net."""
        config = pipeline.unet.config
        expected = config.get("encoder_hid_dim") or config["cross_attention_dim"]
        width = pipeline.text_encoder.config.hidden_size
        return [*unsupported_conditions(config), *width_problems("text embeddings", expected, width)]
