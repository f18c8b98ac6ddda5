"""Stable Diffusion XL (Podell et al. 2023, arXiv:2307.01952) and its fine-tunes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
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
class StableDiffusionXL(Family):
    """A U-Net that attends to two CLIP text encoders and is conditioned on a pooled vector and six sizes.

    The sizes are the original size and the crop of the image, then the target size, as in training. The null condition
    is that of the pipeline: zeros if it was saved with ``force_zeros_for_empty_prompt``, otherwise the empty caption.
    """

    pipeline = "StableDiffusionXLPipeline"
    denoiser = "unet"
    networks = ("UNet2DConditionModel",)
    text_encoders = (
        TextEncoder("text_encoder", ("CLIPTextModel",), "tokenizer"),
        TextEncoder("text_encoder_2", ("CLIPTextModelWithProjection",), "tokenizer_2"),
    )
    reads = ("caption", "original_size", "crop")

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions and sizes; an image of unknown size has the target size and no crop."""
        hidden, _, pooled, _ = pipeline.encode_prompt(captions(prompts), do_classifier_free_guidance=False)
        if pipeline.config.force_zeros_for_empty_prompt:
            null = torch.tensor([prompt.caption is None for prompt in prompts], device=hidden.device)
            hidden, pooled = hidden.masked_fill(null[:, None, None], 0), pooled.masked_fill(null[:, None], 0)
        side = pipeline.default_sample_size
        target = [pipeline.vae_scale_factor * each for each in ([side, side] if isinstance(side, int) else side)]
        sizes = [[*(prompt.original_size or target), *(prompt.crop or (0, 0)), *target] for prompt in prompts]
        time_ids = torch.tensor(sizes, dtype=hidden.dtype, device=hidden.device)
        return {"encoder_hidden_states": hidden, "text_embeds": pooled, "time_ids": time_ids}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the U-Net."""
        added = {name: condition[name] for name in ("text_embeds", "time_ids")}
        hidden = condition["encoder_hidden_states"]
        output: Tensor = network(noisy, level, encoder_hidden_states=hidden, added_cond_kwargs=added).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List unsupported conditions, and compare the widths of text encoders and U-Net."""
        config, texts = pipeline.unet.config, [pipeline.text_encoder.config, pipeline.text_encoder_2.config]
        # The input of the added embedding is the pooled vector next to the embeddings of the six sizes.
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        return [
            *unsupported_conditions(config, supported="text_time"),
            *width_problems("text embeddings", config.cross_attention_dim, sum(text.hidden_size for text in texts)),
            *width_problems("pooled embeddings", pooled, texts[1].projection_dim),
        ]
