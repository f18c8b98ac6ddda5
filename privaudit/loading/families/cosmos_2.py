"""Cosmos-Predict2 text-to-image of NVIDIA (github.com/nvidia-cosmos/cosmos-predict2), a flow model of videos."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

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


@register_family
class Cosmos2(Family):
    """A transformer of videos conditioned on sigma and the hidden states of T5, of which those of the padding are zero.

    An image is a video of one frame. The sampler counts in s = sigma / (1 - sigma), up to 80; the network receives
    (z_0 + s eps) / (1 + s), which is the noisy latent of a flow model at sigma.
    """

    pipeline = "Cosmos2TextToImagePipeline"
    networks = ("CosmosTransformer3DModel",)
    text_encoders = (TextEncoder("text_encoder", ("T5EncoderModel",), "tokenizer", T5_TOKENIZERS),)
    autoencoders = ("AutoencoderKLWan",)
    flow = True
    still = True
    settings = {"text_length": Setting(512, "tokens of T5 per caption")}

    def stand_ins(self) -> Mapping[str, Any]:
        """Stand in for the safety checker, without which the pipeline refuses to be built."""
        return {"safety_checker": nn.Identity()}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        hidden, _ = pipeline.encode_prompt(
            captions(prompts), do_classifier_free_guidance=False, max_sequence_length=self.values["text_length"]
        )
        return {"encoder_hidden_states": hidden}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer on videos of one frame, none of whose pixels is padding."""
        output: Tensor = network(
            hidden_states=noisy.unsqueeze(2),
            timestep=(level.float() / 1000).to(noisy.dtype),
            padding_mask=noisy.new_zeros(1, 1, *noisy.shape[-2:]),
            **condition,
        ).sample
        return output.squeeze(2)

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Check that a package is installed, and compare the widths of text encoder and transformer."""
        config, problems = pipeline.transformer.config, []
        source = sys.modules[type(pipeline.transformer).__module__]
        if config.concat_padding_mask and not hasattr(source, "transforms"):  # which diffusers imports if it can
            problems.append(
                "expected torchvision, with which diffusers resizes the mask of this transformer; install it"
            )
        return [
            *problems,
            *width_problems("text embeddings", config.text_embed_dim, pipeline.text_encoder.config.d_model),
        ]
