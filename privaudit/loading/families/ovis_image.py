"""Ovis-Image (Wang et al. 2025, arXiv:2511.22982), a flow model over 2x2 patches of the latent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from privaudit.loading.families.contract import (
    QWEN_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    Setting,
    TextEncoder,
    captions,
    chat_problems,
    register_family,
    width_problems,
)
from privaudit.loading.families.flux import patch_positions
from privaudit.model.prompt import Prompt


@register_family
class OvisImage(Family):
    """A transformer conditioned on sigma and the last hidden state of Qwen 3, of which that of the padding is zero.

    The caption follows an instruction, in a message of a chat; the null condition is the instruction alone.
    """

    pipeline = "OvisImagePipeline"
    networks = ("OvisImageTransformer2DModel",)
    text_encoders = (TextEncoder("text_encoder", ("Qwen3Model",), "tokenizer", QWEN_TOKENIZERS),)
    autoencoders = ("AutoencoderKL",)
    flow = True
    packing = 4
    settings = {"text_length": Setting(256, "tokens per caption, after the instruction")}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        hidden, *_ = pipeline.encode_prompt(
            captions(prompts), do_classifier_free_guidance=False, max_sequence_length=self.values["text_length"]
        )
        return {"encoder_hidden_states": hidden}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer on packed patches, and unpack its output."""
        patches = pixel_unshuffle(noisy, 2)
        height, width = patches.shape[-2:]
        text = condition["encoder_hidden_states"]
        tokens = torch.arange(text.shape[1])
        output: Tensor = network(
            hidden_states=patches.flatten(2).transpose(1, 2),
            timestep=level.to(noisy.dtype) / 1000,
            encoder_hidden_states=text,
            txt_ids=torch.stack([torch.zeros_like(tokens), tokens, tokens], dim=1).to(noisy),
            img_ids=patch_positions(height, width).to(noisy),
        ).sample
        return pixel_shuffle(output.transpose(1, 2).reshape(len(noisy), -1, height, width), 2)

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the widths of text encoder and transformer."""
        width = pipeline.text_encoder.config.hidden_size
        expected = pipeline.transformer.config.joint_attention_dim
        return [*chat_problems(pipeline.tokenizer), *width_problems("text embeddings", expected, width)]
