"""Qwen-Image (Wu et al. 2025, arXiv:2508.02324), a flow model over 2x2 patches of the latent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    register_family,
    width_problems,
)
from privaudit.model.prompt import Prompt

EXTRAS = ("guidance_embeds", "zero_cond_t", "use_additional_t_cond", "use_layer3d_rope")
"""Conditions of the networks that edit images or draw layers."""


@register_family
class QwenImage(Family):
    """A transformer conditioned on sigma and the last hidden state of Qwen 2.5 VL, without that of the template.

    Captions have their own length, up to 1024 tokens, and the padding of a batch is masked. The autoencoder is one of
    videos and encodes an image as a single frame.
    """

    pipeline = "QwenImagePipeline"
    variants = ("QwenImageImg2ImgPipeline", "QwenImageInpaintPipeline")
    networks = ("QwenImageTransformer2DModel",)
    text_encoders = (
        TextEncoder("text_encoder", ("Qwen2_5_VLForConditionalGeneration",), "tokenizer", QWEN_TOKENIZERS),
    )
    autoencoders = ("AutoencoderKLQwenImage",)
    flow = True
    packing = 4
    still = True
    settings = {"text_length": Setting(1024, "tokens per caption, at most")}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        length = self.values["text_length"]
        hidden, mask = pipeline.encode_prompt(captions(prompts), max_sequence_length=length)
        if mask is None:  # the pipeline leaves out a mask of ones
            mask = hidden.new_ones(hidden.shape[:2])
        return {"encoder_hidden_states": hidden, "encoder_hidden_states_mask": mask.bool()}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer on packed patches, and unpack its output."""
        patches = pixel_unshuffle(noisy, 2)
        height, width = patches.shape[-2:]
        output: Tensor = network(
            hidden_states=patches.flatten(2).transpose(1, 2),
            timestep=level.to(noisy.dtype) / 1000,
            img_shapes=[[(1, height, width)]] * len(noisy),
            **condition,
        ).sample
        return pixel_shuffle(output.transpose(1, 2).reshape(len(noisy), -1, height, width), 2)

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List unsupported conditions, and compare the widths of text encoder and transformer."""
        config = pipeline.transformer.config
        width = pipeline.text_encoder.config.get_text_config().hidden_size
        extras = [name for name in EXTRAS if config.get(name)]
        return [
            *(f"expected a transformer without {name}, which models that edit images have, got one" for name in extras),
            *width_problems("text embeddings", config.joint_attention_dim, width),
        ]
