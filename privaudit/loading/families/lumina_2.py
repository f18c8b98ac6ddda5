"""Lumina-Image 2.0 (Qin et al. 2025, arXiv:2503.21758), a flow model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from privaudit.loading.families.contract import (
    GEMMA_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    Setting,
    TextEncoder,
    register_family,
    width_problems,
)
from privaudit.model.prompt import Prompt


@register_family
class Lumina2(Family):
    """A transformer conditioned on 1 - sigma and the last hidden state but one of Gemma 2, whose padding is masked.

    A caption follows an instruction; the null condition is the empty text without one. Training used several
    instructions, of which diffusers has one, and fine-tuning scripts leave it out unless told otherwise. The output is
    z_0 - eps, the opposite of other flow models.
    """

    pipeline = "Lumina2Pipeline"
    variants = ("Lumina2Text2ImgPipeline",)
    networks = ("Lumina2Transformer2DModel",)
    text_encoders = (TextEncoder("text_encoder", ("Gemma2Model", "Gemma2ForCausalLM"), "tokenizer", GEMMA_TOKENIZERS),)
    autoencoders = ("AutoencoderKL",)
    flow = True
    settings = {
        "text_length": Setting(256, "tokens per caption, with the instruction"),
        "instruction": Setting("published", "text in front of each caption", ("published", "none")),
    }

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty text."""
        before = f"{pipeline.system_prompt} <Prompt Start> " if self.values["instruction"] == "published" else ""
        texts = ["" if prompt.caption is None else before + prompt.caption for prompt in prompts]
        hidden, mask = pipeline._get_gemma_prompt_embeds(texts, max_sequence_length=self.values["text_length"])
        return {"encoder_hidden_states": hidden, "encoder_attention_mask": mask.bool()}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer and turn the sign of its output."""
        output: Tensor = network(hidden_states=noisy, timestep=1 - level.float() / 1000, **condition).sample
        return -output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare lengths and widths of text encoder and transformer."""
        config, length = pipeline.transformer.config, self.values["text_length"]
        problems = []
        if length >= config.axes_lens[0]:
            problems.append(
                f"expected condition.text_length of less than {config.axes_lens[0]}, the positions of the transformer, "
                f"got {length}"
            )
        return [
            *problems,
            *width_problems("text embeddings", config.cap_feat_dim, pipeline.text_encoder.config.hidden_size),
        ]
