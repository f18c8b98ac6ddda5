"""Flux.1 of Black Forest Labs, a flow model over 2x2 patches of the latent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from privaudit.loading.families.contract import (
    T5_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    TextEncoder,
    captions,
    register_family,
    width_problems,
)
from privaudit.model.prompt import Prompt


@register_family
class Flux(Family):
    """A transformer conditioned on sigma, the hidden states of T5, a pooled CLIP vector, and the guidance scale 1."""

    pipeline = "FluxPipeline"
    networks = ("FluxTransformer2DModel",)
    text_encoders = (
        TextEncoder("text_encoder", ("CLIPTextModel",), "tokenizer"),
        TextEncoder("text_encoder_2", ("T5EncoderModel",), "tokenizer_2", T5_TOKENIZERS),
    )
    flow = True
    packing = 4

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        hidden, pooled, _ = pipeline.encode_prompt(captions(prompts))
        return {"encoder_hidden_states": hidden, "pooled_projections": pooled}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer on packed patches, and unpack its output."""
        patches = pixel_unshuffle(noisy, 2)
        height, width = patches.shape[-2:]
        # Position of each patch as (0, row, column), as the pipeline numbers them.
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        positions = torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).flatten(0, 1).to(noisy)
        guidance = torch.ones(len(noisy), device=noisy.device) if network.config.guidance_embeds else None
        output: Tensor = network(
            hidden_states=patches.flatten(2).transpose(1, 2),
            timestep=level.to(noisy.dtype) / 1000,
            guidance=guidance,
            txt_ids=noisy.new_zeros(condition["encoder_hidden_states"].shape[1], 3),
            img_ids=positions,
            **condition,
        ).sample
        return pixel_shuffle(output.transpose(1, 2).reshape(len(noisy), -1, height, width), 2)

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the widths of text encoders and transformer."""
        config, clip, t5 = pipeline.transformer.config, pipeline.text_encoder.config, pipeline.text_encoder_2.config
        return [
            *width_problems("text embeddings of T5", config.joint_attention_dim, t5.d_model),
            *width_problems("pooled embeddings", config.pooled_projection_dim, clip.hidden_size),
        ]
