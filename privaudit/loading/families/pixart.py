"""PixArt alpha (Chen et al. 2023, arXiv:2310.00426) and Sigma (Chen et al. 2024, arXiv:2403.04692)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

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
from privaudit.model.prompt import Prompt

SIZES = ("resolution", "aspect_ratio")
"""Conditions of the network of 1024 pixels of PixArt alpha, next to the caption."""


@register_family
class PixArtSigma(Family):
    """A transformer conditioned on the hidden states of T5, with the mask of its tokens, and a learned variance.

    Captions are in lower case, as the pipeline makes them without ``clean_caption``. Differs from the published
    training, which also removed links and markup (``clean_caption=True``, which needs packages that are not required
    here).
    """

    pipeline = "PixArtSigmaPipeline"
    variants: ClassVar[tuple[str, ...]] = ("PixArtSigmaPAGPipeline",)
    networks = ("PixArtTransformer2DModel", "Transformer2DModel")
    text_encoders = (TextEncoder("text_encoder", ("T5EncoderModel",), "tokenizer", T5_TOKENIZERS),)
    autoencoders = ("AutoencoderKL",)
    settings: ClassVar[Mapping[str, Setting]] = {"text_length": Setting(300, "tokens of T5 per caption")}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        hidden, mask, _, _ = pipeline.encode_prompt(
            captions(prompts), do_classifier_free_guidance=False, max_sequence_length=int(self.values["text_length"])
        )
        return {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer; channels of a learned variance may follow those of the prediction."""
        output: Tensor = network(
            noisy,
            timestep=level,
            encoder_hidden_states=condition["encoder_hidden_states"],
            encoder_attention_mask=condition["encoder_attention_mask"],
            added_cond_kwargs={name: condition.get(name) for name in SIZES},
        ).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the widths of text encoder and transformer, and list conditions that the pipeline does not set."""
        network, width = pipeline.transformer, pipeline.text_encoder.config.d_model
        expected = network.config.caption_channels or network.config.cross_attention_dim
        problems = width_problems("text embeddings of T5", expected, width)
        if network.use_additional_conditions and "original_size" not in self.reads:
            problems.append(
                f"expected a transformer without size conditions for {self.pipeline}, got use_additional_conditions; "
                "it belongs to PixArtAlphaPipeline"
            )
        return problems


@register_family
class PixArtAlpha(PixArtSigma):
    """PixArt alpha; its model of 1024 pixels is conditioned on the size and aspect ratio of the image, too.

    In the published training the size is that of the original image. Differs from the sampler of diffusers, which says
    the size that it makes, as the published LoRA training does (``condition.size_ids=target``); so does an image of
    unknown size. The aspect ratio is height / width of the resized image. Differs from the training, which rounds it
    to that of its buckets.
    """

    pipeline = "PixArtAlphaPipeline"
    variants: ClassVar[tuple[str, ...]] = ()
    reads = ("caption", "original_size")
    settings: ClassVar[Mapping[str, Setting]] = {
        "text_length": Setting(120, "tokens of T5 per caption"),
        "size_ids": Setting("original", "size that a model of 1024 pixels is told", ("original", "target")),
    }

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions, and sizes if the transformer has such conditions; the null caption is the empty one."""
        encoded = super().condition(pipeline, prompts)
        if not pipeline.transformer.use_additional_conditions:
            return encoded
        height, width = self.image_size
        told_original = self.values["size_ids"] == "original"
        sizes = [(told_original and prompt.original_size) or self.image_size for prompt in prompts]
        hidden = encoded["encoder_hidden_states"]
        return {
            **encoded,
            "resolution": torch.tensor(sizes, dtype=hidden.dtype, device=hidden.device),
            "aspect_ratio": hidden.new_full((len(prompts), 1), height / width),
        }
