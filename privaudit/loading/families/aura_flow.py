"""AuraFlow of fal, a flow model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from privaudit.loading.families.contract import (
    LLAMA_TOKENIZERS,
    T5_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    Setting,
    TextEncoder,
    captions,
    position_problems,
    register_family,
    width_problems,
)
from privaudit.model.prompt import Prompt


@register_family
class AuraFlow(Family):
    """A transformer conditioned on sigma and the hidden states of UMT5, of which those of the padding are zero.

    Its sample_size, 64, is not that of its training.
    """

    pipeline = "AuraFlowPipeline"
    networks = ("AuraFlowTransformer2DModel",)
    text_encoders = (
        TextEncoder("text_encoder", ("UMT5EncoderModel",), "tokenizer", (*T5_TOKENIZERS, *LLAMA_TOKENIZERS)),
    )
    autoencoders = ("AutoencoderKL",)
    flow = True
    resolution = (1024, 1024)
    settings = {"text_length": Setting(256, "tokens of UMT5 per caption")}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        hidden, *_ = pipeline.encode_prompt(
            captions(prompts), do_classifier_free_guidance=False, max_sequence_length=self.values["text_length"]
        )
        return {"encoder_hidden_states": hidden}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer."""
        output: Tensor = network(noisy, timestep=level.to(noisy.dtype) / 1000, **condition).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare positions and widths of transformer, images and text encoder."""
        config = pipeline.transformer.config
        return [
            *position_problems(pipeline, self.image_size, int(config.pos_embed_max_size**0.5)),
            *width_problems("text embeddings", config.joint_attention_dim, pipeline.text_encoder.config.d_model),
        ]
