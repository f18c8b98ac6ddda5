"""Hunyuan-DiT (Li et al. 2024, arXiv:2405.08748), a diffusion model with a transformer."""

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

BASE_SIDE = 512 // 8
"""Latent positions to which the rotary embeddings of any resolution are scaled."""


@register_family
class HunyuanDiT(Family):
    """A transformer conditioned on BERT and mT5 with their masks, and up to version 1.1 on sizes and a style, always 0.

    The sizes are the original size, the target size and the crop. In the published training each is width first;
    diffusers' sampler says height first (``condition.size_order=height first``), which is the same for square images.
    Differs from the published training: it pads mT5 with the end token and diffusers with the padding token, which
    reaches the network through the pooled text alone, the one place without a mask.
    """

    pipeline = "HunyuanDiTPipeline"
    variants = ("HunyuanDiTPAGPipeline",)
    networks = ("HunyuanDiT2DModel",)
    text_encoders = (
        TextEncoder("text_encoder", ("BertModel",), "tokenizer", ("BertTokenizer", "BertTokenizerFast")),
        TextEncoder(
            "text_encoder_2",
            ("T5EncoderModel", "MT5EncoderModel"),
            "tokenizer_2",
            (*T5_TOKENIZERS, "MT5Tokenizer", "MT5TokenizerFast"),
        ),
    )
    autoencoders = ("AutoencoderKL",)
    reads = ("caption", "original_size", "crop")
    settings: ClassVar[Mapping[str, Setting]] = {
        "size_order": Setting("width first", "order of the sizes that are told", ("width first", "height first"))
    }

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions and sizes; an image of unknown size has the target size and no crop."""
        config = pipeline.transformer.config
        encoded: dict[str, Tensor] = {}
        for index, (suffix, length) in enumerate((("", config.text_len), ("_t5", config.text_len_t5))):
            hidden, _, mask, _ = pipeline.encode_prompt(
                captions(prompts),
                do_classifier_free_guidance=False,
                max_sequence_length=length,
                text_encoder_index=index,
            )
            encoded |= {f"encoder_hidden_states{suffix}": hidden, f"text_embedding_mask{suffix}": mask}
        if not config.use_style_cond_and_image_meta_size:
            return encoded
        pairs = [
            (prompt.original_size or self.image_size, self.image_size, prompt.crop or (0, 0)) for prompt in prompts
        ]
        step = -1 if self.values["size_order"] == "width first" else 1
        sizes = [[side for pair in three for side in pair[::step]] for three in pairs]
        return {
            **encoded,
            "image_meta_size": torch.tensor(sizes, dtype=torch.float32, device=pipeline.device),
            "style": torch.zeros(len(prompts), dtype=torch.int64, device=pipeline.device),
        }

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer; channels of a learned variance may follow those of the prediction."""
        from diffusers.models.embeddings import get_2d_rotary_pos_embed
        from diffusers.pipelines.hunyuandit.pipeline_hunyuandit import get_resize_crop_region_for_grid

        patch = network.config.patch_size
        grid = (noisy.shape[-2] // patch, noisy.shape[-1] // patch)
        rotary = get_2d_rotary_pos_embed(
            network.inner_dim // network.num_heads,
            get_resize_crop_region_for_grid(grid, BASE_SIDE // patch),
            grid,
            device=noisy.device,
            output_type="pt",
        )
        # The time has the precision of the network, as in the pipeline, which sets that of all embeddings.
        output: Tensor = network(noisy, level.to(noisy.dtype), image_rotary_emb=rotary, **condition).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the widths and lengths of text encoders and transformer."""
        config, bert = pipeline.transformer.config, pipeline.text_encoder.config
        problems = [
            *width_problems("text embeddings of BERT", config.cross_attention_dim, bert.hidden_size),
            *width_problems(
                "text embeddings of T5", config.cross_attention_dim_t5, pipeline.text_encoder_2.config.d_model
            ),
        ]
        if bert.max_position_embeddings < config.text_len:
            problems.append(
                f"expected BERT to read {config.text_len} tokens, as the transformer does, got "
                f"{bert.max_position_embeddings}; save the whole pipeline again"
            )
        return problems
