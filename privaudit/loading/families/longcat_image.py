"""LongCat-Image (Ma et al. 2025, arXiv:2512.07584), a flow model over 2x2 patches of the latent."""

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
    register_family,
    width_problems,
)
from privaudit.loading.families.flux import patch_positions
from privaudit.model.prompt import Prompt


@register_family
class LongCatImage(Family):
    """A transformer conditioned on sigma and the last hidden state of Qwen 2.5 VL, without that of the template.

    Text in quotation marks is split into letters. Padding is attended to. The positions of patches begin where those of
    the text end. Differs from the sampler, which lets the language model rewrite a caption first.
    """

    pipeline = "LongCatImagePipeline"
    networks = ("LongCatImageTransformer2DModel",)
    text_encoders = (
        TextEncoder("text_encoder", ("Qwen2_5_VLForConditionalGeneration",), "tokenizer", QWEN_TOKENIZERS),
    )
    autoencoders = ("AutoencoderKL",)
    unused = ("text_processor",)
    flow = True
    packing = 4
    settings = {"text_length": Setting(512, "tokens per caption")}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        pipeline.tokenizer_max_length = self.values["text_length"]
        hidden, _ = pipeline.encode_prompt(captions(prompts))
        return {"encoder_hidden_states": hidden}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer on packed patches, and unpack its output."""
        patches = pixel_unshuffle(noisy, 2)
        height, width = patches.shape[-2:]
        text = condition["encoder_hidden_states"]
        tokens = torch.arange(text.shape[1])
        # Text is at (0, i, i) and a patch at (1, length + row, length + column).
        places = patch_positions(height, width) + torch.tensor([1, text.shape[1], text.shape[1]])
        output: Tensor = network(
            hidden_states=patches.flatten(2).transpose(1, 2),
            timestep=level.to(noisy.dtype) / 1000,
            encoder_hidden_states=text,
            txt_ids=torch.stack([torch.zeros_like(tokens), tokens, tokens], dim=1).to(noisy.device).float(),
            img_ids=places.to(noisy.device).float(),
        ).sample
        return pixel_shuffle(output.transpose(1, 2).reshape(len(noisy), -1, height, width), 2)

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the widths of text encoder and transformer."""
        width = pipeline.text_encoder.config.get_text_config().hidden_size
        return width_problems("text embeddings", pipeline.transformer.config.joint_attention_dim, width)
