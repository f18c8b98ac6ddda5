"""Chroma of Lodestone Rock, a flow model derived from Flux.1 schnell."""

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
    Setting,
    TextEncoder,
    captions,
    register_family,
    width_problems,
)
from privaudit.loading.families.flux import patch_positions
from privaudit.model.prompt import Prompt


@register_family
class Chroma(Family):
    """A transformer conditioned on sigma and the hidden states of T5, of which all padding but the first is masked.

    In its training (github.com/lodestone-rock/flow) masked tokens are not attended to. Differs from the sampler of
    diffusers 0.42, which turns the mask into the numbers 1 and 0 and adds these to the logits of the attention;
    ``condition.mask`` chooses.
    """

    pipeline = "ChromaPipeline"
    variants = ("ChromaImg2ImgPipeline", "ChromaInpaintPipeline")
    networks = ("ChromaTransformer2DModel",)
    text_encoders = (TextEncoder("text_encoder", ("T5EncoderModel",), "tokenizer", T5_TOKENIZERS),)
    autoencoders = ("AutoencoderKL",)
    flow = True
    packing = 4
    settings = {
        "text_length": Setting(512, "tokens of T5 per caption"),
        "mask": Setting("excluded", "whether padding is excluded from the attention, or added", ("excluded", "added")),
    }

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        length = self.values["text_length"]
        hidden, _, mask, *_ = pipeline.encode_prompt(
            captions(prompts), do_classifier_free_guidance=False, max_sequence_length=length
        )
        return {"encoder_hidden_states": hidden, "attention_mask": mask.bool()}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer on packed patches, and unpack its output."""
        patches = pixel_unshuffle(noisy, 2)
        height, width = patches.shape[-2:]
        text, mask = condition["encoder_hidden_states"], condition["attention_mask"]
        # The mask extends over the patches, all of which are attended to.
        mask = torch.cat([mask, mask.new_ones(len(noisy), height * width)], dim=1)
        output: Tensor = network(
            hidden_states=patches.flatten(2).transpose(1, 2),
            timestep=level.to(noisy.dtype) / 1000,
            encoder_hidden_states=text,
            attention_mask=mask.to(noisy.dtype) if self.values["mask"] == "added" else mask,
            txt_ids=noisy.new_zeros(text.shape[1], 3),
            img_ids=patch_positions(height, width).to(noisy),
        ).sample
        return pixel_shuffle(output.transpose(1, 2).reshape(len(noisy), -1, height, width), 2)

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the widths of text encoder and transformer."""
        width = pipeline.text_encoder.config.d_model
        return width_problems("text embeddings", pipeline.transformer.config.joint_attention_dim, width)
