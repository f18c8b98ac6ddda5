"""Lumina-Next (Zhuo et al. 2024, arXiv:2406.18583), a flow model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from diffusers.models.embeddings import get_2d_rotary_pos_embed_lumina
from torch import Tensor

from privaudit.loading.families.contract import (
    GEMMA_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    Setting,
    TextEncoder,
    captions,
    check_tokens,
    register_family,
    width_problems,
)
from privaudit.model.prompt import Prompt

POSITIONS = 384
"""Rows and columns of patches for which the position embedding is computed, as in the pipeline."""


@register_family
class LuminaNext(Family):
    """A transformer conditioned on 1 - sigma and the last hidden state but one of Gemma, whose padding is masked.

    The output is z_0 - eps, the opposite of other flow models, and a learned variance. Captions are read as written, as
    in the training (github.com/Alpha-VLLM/Lumina-T2X). Differs from the sampler of diffusers, which writes them in
    lower case, and which stretches positions and sharpens the attention for images of another size than sample_size.
    """

    pipeline = "LuminaPipeline"
    variants = ("LuminaText2ImgPipeline",)
    networks = ("LuminaNextDiT2DModel",)
    text_encoders = (TextEncoder("text_encoder", ("GemmaForCausalLM", "GemmaModel"), "tokenizer", GEMMA_TOKENIZERS),)
    autoencoders = ("AutoencoderKL",)
    flow = True
    settings = {"text_length": Setting(256, "tokens per caption, at most")}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption.

        Returns:
            Hidden states and their mask.

        Raises:
            TargetError: The tokenizer makes no token of the empty caption.
        """
        words = captions(prompts)
        check_tokens(pipeline.tokenizer, words)
        tokens = pipeline.tokenizer(
            words,
            pad_to_multiple_of=8,
            max_length=self.values["text_length"],
            truncation=True,
            padding=True,
            return_tensors="pt",
        ).to(pipeline.text_encoder.device)
        hidden = pipeline.text_encoder(
            tokens.input_ids, attention_mask=tokens.attention_mask, output_hidden_states=True
        ).hidden_states[-2]
        return {"encoder_hidden_states": hidden, "encoder_mask": tokens.attention_mask.bool()}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer and turn the sign of its output."""
        positions = get_2d_rotary_pos_embed_lumina(network.head_dim, POSITIONS, POSITIONS)
        output: Tensor = network(
            hidden_states=noisy,
            timestep=1 - level.float() / 1000,
            image_rotary_emb=positions,
            cross_attention_kwargs={},
            **condition,
        ).sample
        return -output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the widths of text encoder and transformer."""
        width = pipeline.text_encoder.config.hidden_size
        return width_problems("text embeddings", pipeline.transformer.config.cross_attention_dim, width)
