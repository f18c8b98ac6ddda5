"""Kolors (Kolors team 2024, https://github.com/Kwai-Kolors/Kolors), the network of Stable Diffusion XL with ChatGLM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from privaudit.loading.families.contract import Pipeline, TextEncoder, captions, register_family, width_problems
from privaudit.loading.families.stable_diffusion_xl import StableDiffusionXL
from privaudit.loading.families.unet import guidance_problems, unsupported_conditions
from privaudit.model.prompt import Prompt


@register_family
class Kolors(StableDiffusionXL):
    """A U-Net that attends to the last but one hidden states of ChatGLM3, and sees the last state and six sizes.

    Captions have 256 tokens, padded on the left, and no mask hides the padding from the U-Net. The null condition is
    the empty caption, with which the published model is called: its pipeline cannot compute the zeros that
    ``force_zeros_for_empty_prompt`` asks for, and raises an error.
    """

    pipeline = "KolorsPipeline"
    variants = ("KolorsImg2ImgPipeline", "KolorsPAGPipeline")
    text_encoders = (TextEncoder("text_encoder", ("ChatGLMModel",), "tokenizer", ("ChatGLMTokenizer",)),)

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions and sizes; an image of unknown size has the target size and no crop."""
        hidden, _, pooled, _ = pipeline.encode_prompt(captions(prompts), do_classifier_free_guidance=False)
        time_ids = torch.tensor(self._time_ids(prompts), dtype=hidden.dtype, device=hidden.device)
        text = {"encoder_hidden_states": hidden, "text_embeds": pooled, "time_ids": time_ids}
        return {**text, **self._guidance(pipeline, len(prompts))}

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List unsupported conditions, and compare the widths of text encoder and U-Net."""
        config, width = pipeline.unet.config, pipeline.text_encoder.config.hidden_size
        if config.addition_embed_type != "text_time":
            return [f"expected addition_embed_type text_time of the U-Net, got {config.addition_embed_type}"]
        pooled = config.projection_class_embeddings_input_dim - self.ids * config.addition_time_embed_dim
        return [
            *unsupported_conditions(config, supported="text_time"),
            *guidance_problems(config, self),
            *width_problems("text embeddings", config.encoder_hid_dim or config.cross_attention_dim, width),
            *width_problems("pooled embeddings", pooled, width),
        ]
