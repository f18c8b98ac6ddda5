"""SANA (Xie et al. 2024, arXiv:2410.10629) and SANA Sprint (Chen et al. 2025, arXiv:2503.09641), flow models."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.loading.families.contract import (
    GEMMA_TOKENIZERS,
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

INSTRUCTION = "complex_human_instruction"
"""Parameter of the pipeline: text in front of each caption, which asks the language model for a richer description."""
TEXT_SETTINGS = {
    "text_length": Setting(300, "tokens of Gemma per caption"),
    "instruction": Setting("published", "text in front of each caption", ("published", "none")),
}


@register_family
class Sana(Family):
    """A transformer on the latents of a deep-compression autoencoder, told sigma and the hidden states of Gemma.

    Each caption follows the published instruction, as in the published training and in the pipeline; training scripts
    of diffusers leave it out by default (``condition.instruction=none``). The null condition is the empty caption
    without the instruction. The network is a flow model, also in folders with a solver such as DPM-Solver, whose
    timesteps are rounded to whole numbers; here every level has its own sigma.
    """

    pipeline = "SanaPipeline"
    variants = ("SanaPAGPipeline",)
    networks = ("SanaTransformer2DModel",)
    text_encoders = (TextEncoder("text_encoder", ("Gemma2Model",), "tokenizer", GEMMA_TOKENIZERS),)
    autoencoders = ("AutoencoderDC",)
    flow = True
    settings: ClassVar[Mapping[str, Setting]] = TEXT_SETTINGS

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions with the instruction, and the null condition without."""
        instruction = inspect.signature(type(pipeline).__call__).parameters[INSTRUCTION].default
        if self.values["instruction"] == "none":
            instruction = None
        rows: dict[int, tuple[Tensor, Tensor]] = {}
        for null in (True, False):
            chosen = [row for row, prompt in enumerate(prompts) if (prompt.caption is None) is null]
            if chosen:
                texts = captions([prompts[row] for row in chosen])
                rows |= zip(chosen, self._encode(pipeline, texts, None if null else instruction), strict=True)
        hidden, mask = (torch.stack(parts) for parts in zip(*(rows[row] for row in range(len(prompts))), strict=True))
        return {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}

    def _encode(
        self, pipeline: Pipeline, texts: list[str], instruction: list[str] | None
    ) -> list[tuple[Tensor, Tensor]]:
        options = {"max_sequence_length": int(self.values["text_length"]), INSTRUCTION: instruction}
        if "do_classifier_free_guidance" in inspect.signature(pipeline.encode_prompt).parameters:
            options["do_classifier_free_guidance"] = False
        hidden, mask, *_ = pipeline.encode_prompt(texts, **options)
        return list(zip(hidden, mask, strict=True))

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer, which is told a multiple of the level."""
        output: Tensor = network(noisy, timestep=level * network.config.timestep_scale, **condition).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the widths of Gemma and transformer, and check whether the network is told a guidance scale."""
        config, text = pipeline.transformer.config, pipeline.text_encoder.config
        problems = width_problems("text embeddings of Gemma", config.caption_channels, text.hidden_size)
        if bool(config.guidance_embeds) != ("guidance" in self.settings):
            problems.append(
                f"expected a transformer with guidance_embeds = {'guidance' in self.settings} for {self.pipeline}, got "
                f"{config.guidance_embeds}; SanaPipeline has none and SanaSprintPipeline has one, so that the class of "
                "the pipeline or the transformer is wrong"
            )
        return problems


@register_family
class SanaSprint(Sana):
    """SANA distilled to one to four steps; the transformer is told a guidance scale.

    The scheduler's trigonometric time t and latent cos(t) z_0 + sin(t) eps are those of the distillation. The pipeline
    gives the network the flow that it started from: s = sin(t) / (cos(t) + sin(t)), z = (1 - s) z_0 + s eps, and
    converts its output, the velocity eps - z_0, back. Differs from training: distillation has no null condition, since
    guidance is an input of the network; the null condition here is that of its teacher.
    """

    pipeline = "SanaSprintPipeline"
    variants = ("SanaSprintImg2ImgPipeline",)
    settings: ClassVar[Mapping[str, Setting]] = {
        **TEXT_SETTINGS,
        "guidance": Setting(4.5, "guidance scale that the network is told"),
    }

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer, which is told sigma and a multiple of the guidance scale."""
        guidance = float(self.values["guidance"]) * network.config.guidance_embeds_scale
        output: Tensor = network(
            noisy, timestep=level.float() / 1000, guidance=noisy.new_full((len(noisy),), guidance), **condition
        ).sample
        return output
