"""Flux.2 of Black Forest Labs (dev, klein), a flow model over 2x2 patches of the latent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.loading.components import PipelineFolder
from privaudit.loading.families.contract import (
    LLAMA_TOKENIZERS,
    QWEN_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    Setting,
    TextEncoder,
    captions,
    chat_problems,
    register_family,
    width_problems,
)
from privaudit.loading.families.flux import configure_guidance, guidance_of
from privaudit.model.prompt import Prompt


@register_family
class Flux2(Family):
    """A transformer conditioned on sigma, a guidance scale, and three hidden states of a language model, side by side.

    The language model, Mistral Small 3, reads the caption after a fixed system message; its padding is attended to. The
    latents are the patches that the network receives, with the statistics of the autoencoder's batch normalisation.
    Fine-tuning scripts tell the network the guidance scale 1 or 3.5, the sampler 4.
    """

    pipeline = "Flux2Pipeline"
    networks = ("Flux2Transformer2DModel",)
    text_encoders = (
        TextEncoder(
            "text_encoder",
            ("Mistral3ForConditionalGeneration",),
            "tokenizer",
            ("PixtralProcessor", *LLAMA_TOKENIZERS),
        ),
    )
    autoencoders = ("AutoencoderKLFlux2",)
    flow = True
    settings: ClassVar[Mapping[str, Setting]] = {
        "guidance": Setting(1.0, "guidance scale that a guidance-distilled network is told"),
        "text_length": Setting(512, "tokens of the language model per caption, with its template"),
        "text_layers": Setting("10,20,30", "hidden states of the language model that the network receives"),
    }

    def configure(self, folder: PipelineFolder) -> None:
        """Read whether the network is told a guidance scale.

        Raises:
            ConfigError: A guidance scale is chosen for a network that is told none.
        """
        configure_guidance(self, folder, default=True)

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        hidden, _ = pipeline.encode_prompt(
            captions(prompts), max_sequence_length=self.values["text_length"], text_encoder_out_layers=self._layers()
        )
        return {"encoder_hidden_states": hidden}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer on the positions of the latent as one sequence."""
        text = condition["encoder_hidden_states"]
        height, width = noisy.shape[-2:]
        # Axes of a position: time, row, column, token.
        tokens = torch.cartesian_prod(*(torch.arange(size) for size in (1, 1, 1, text.shape[1])))
        places = torch.cartesian_prod(*(torch.arange(size) for size in (1, height, width, 1)))
        output: Tensor = network(
            hidden_states=noisy.flatten(2).transpose(1, 2),
            timestep=level.to(noisy.dtype) / 1000,
            guidance=guidance_of(self, noisy),
            encoder_hidden_states=text,
            txt_ids=tokens.to(noisy.device),
            img_ids=places.to(noisy.device),
        ).sample
        return output.transpose(1, 2).reshape(noisy.shape)

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare layers and width of the language model with the transformer."""
        config = pipeline.text_encoder.config.get_text_config()
        layers, depth = self._layers(), config.num_hidden_layers
        if not layers or max(layers) > depth:
            return [
                f"expected a text encoder with the layers {self.values['text_layers']}, got one with {depth}; name "
                "others, as in --override condition.text_layers=3,6,9"
            ]
        width = len(layers) * config.hidden_size
        expected = pipeline.transformer.config.joint_attention_dim
        return [*chat_problems(pipeline.tokenizer), *width_problems("text embeddings", expected, width)]

    def _wrong(self, name: str, value: object) -> list[str]:
        if name == "text_layers" and isinstance(value, int):  # a single number is not parsed as text
            value = str(value)
        wrong = super()._wrong(name, value)
        if not wrong and name == "text_layers" and not re.fullmatch(r"\d+(,\d+)*", str(value)):
            return [f"expected numbers of layers such as 10,20,30 for condition.text_layers, got {value}"]
        return wrong

    def _layers(self) -> tuple[int, ...]:
        return tuple(int(layer) for layer in str(self.values["text_layers"]).split(","))


@register_family
class Flux2Klein(Flux2):
    """Flux 2 with Qwen 3 as its language model, without a system message; the network is told no guidance scale."""

    pipeline = "Flux2KleinPipeline"
    variants = ("Flux2KleinInpaintPipeline", "Flux2KleinKVPipeline")
    text_encoders = (TextEncoder("text_encoder", ("Qwen3ForCausalLM",), "tokenizer", QWEN_TOKENIZERS),)
    settings: ClassVar[Mapping[str, Setting]] = {
        "text_length": Setting(512, "tokens of the language model per caption, with its template"),
        "text_layers": Setting("9,18,27", "hidden states of the language model that the network receives"),
    }

    def configure(self, folder: PipelineFolder) -> None:
        """Read nothing: the pipeline tells the network no guidance scale."""

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the language model with the transformer, which must not expect a guidance scale."""
        problems = super().problems(pipeline)
        if pipeline.transformer.config.guidance_embeds:
            problems.append(
                "expected a transformer with guidance_embeds = false, as of every klein model, got one that is told a "
                "guidance scale; save it as a Flux2Pipeline"
            )
        return problems
